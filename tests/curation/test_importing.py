import bz2
import gzip
import hashlib
import json
import lzma
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from curation import input_rows, workers
from curation.documents import SCHEMA
from curation.errors import InputError, PipelineError, QuarantineError
from curation.import_document import ImportSettings
from curation.importing import run_import
from curation.input_rows import read_rows
from curation.runner import StageResult
from tests.curation.runs import outputs, rows_of, run_here, table, write_rows
from tests.curation.stages_for_tests import context_of
from tests.curation.test_runner import InlineEngine

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Workers are tested elsewhere; starting them takes longer than these imports."""
    monkeypatch.setattr(workers, "LocalEngine", InlineEngine)


def imported(tmp_path: Path, *paths: Path, limit: int | None = None, **settings: Any) -> tuple[StageResult, pl.DataFrame, pl.DataFrame]:
    run = tmp_path / "run"
    result = run_import("dedup/input", [str(path) for path in paths], ImportSettings(**settings), context_of(run), limit)
    return result, table(run, "dedup/input", "documents"), table(run, "dedup/input", "ledger")


def lines(path: Path, *content: bytes | dict[str, Any]) -> Path:
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in content))
    return path


def test_columns_of_ours_and_metadata(tmp_path: Path) -> None:
    row = {"id": "a", "text": " Text\u00a0as it is ", "url": "https://example.org", "language_score": 1, "token_count": 5}
    row |= {"score": 4.5, "tags": ["x"]}
    _, documents, ledger = imported(tmp_path, write_rows(tmp_path / "rows.jsonl", [row]))
    assert documents.schema == SCHEMA
    assert ledger.is_empty()
    found = {name: value for name, value in documents.row(0, named=True).items() if value is not None}
    assert found == {
        "id": "a",
        "text": " Text\u00a0as it is ",
        "url": "https://example.org",
        "language_score": 1.0,
        "token_count": 5,
        "file_path": str(tmp_path / "rows.jsonl"),
        "source": "imported",
        "metadata": '{"score": 4.5, "tags": ["x"]}',
    }


def test_values_that_do_not_fit_their_column_are_kept_in_metadata(tmp_path: Path) -> None:
    row = {
        "id": "a",
        "text": "text",
        "url": 5,
        "token_count": 2**63,
        "warc_offset": True,
        "quality_score": "high",
        "language_score": 10**400,
        "pieces": {"parent": "p", "start": "0", "end": 1},
        "metadata": "own",
    }
    _, documents, _ = imported(tmp_path, write_rows(tmp_path / "rows.jsonl", [row]))
    kept = {name: value for name, value in row.items() if name not in ("id", "text")}
    assert json.loads(documents["metadata"][0]) == kept
    assert documents.select("url", "token_count", "warc_offset", "quality_score", "language_score", "pieces").row(0) == (None,) * 6


def test_numbers_that_json_does_not_know_become_null_in_metadata(tmp_path: Path) -> None:
    row = b'{"id": "a", "text": "text", "score": NaN, "deep": {"low": [-Infinity, 1e999, 2.5]}, "note": "\\ud800"}'
    _, documents, _ = imported(tmp_path, lines(tmp_path / "rows.jsonl", row))
    assert documents["metadata"][0] == '{"deep": {"low": [null, null, 2.5]}, "note": "\ufffd", "score": null}'


def test_metadata_of_its_own_stays_as_it_is(tmp_path: Path) -> None:
    _, documents, _ = imported(tmp_path, write_rows(tmp_path / "rows.jsonl", [{"id": "a", "text": "text", "metadata": '{"score": 1}'}]))
    assert documents["metadata"].to_list() == ['{"score": 1}']


def test_a_piece_stays_a_piece(tmp_path: Path) -> None:
    piece = {"parent": "a", "start": 3, "end": 7}
    _, documents, _ = imported(tmp_path, write_rows(tmp_path / "rows.jsonl", [{"id": "a#0", "text": "text", "pieces": piece}]))
    assert documents["pieces"].to_list() == [piece]


def test_absent_repeated_and_strange_ids(tmp_path: Path) -> None:
    first_ids: list[dict[str, Any]] = [{"id": "same"}, {}, {"id": ""}, {"id": 7}]
    second_ids = [{"id": "same"}, {"id": "\udc80"}, {"id": "\ufffd"}]
    first = write_rows(tmp_path / "1.jsonl", [{**row, "text": "text"} for row in first_ids])
    second = write_rows(tmp_path / "2.jsonl", [{**row, "text": "text"} for row in second_ids])
    _, documents, _ = imported(tmp_path, first, second)

    def own(path: Path, row: int) -> str:
        return hashlib.sha256(f"{path}\0{row}".encode()).hexdigest()

    # Ids that are equal once written as UTF-8 are repeated, too.
    expected = [own(first, 0), own(first, 1), own(first, 2), "7", own(second, 0), own(second, 1), own(second, 2)]
    assert documents["id"].to_list() == expected


def test_every_bad_row_has_its_ledger_row(tmp_path: Path) -> None:
    good = [{"id": f"good{number}", "text": "text"} for number in range(96)]
    bad: list[bytes | dict[str, Any]] = [b"{broken", b"[1, 2]", {"id": "t", "text": 5}, {"id": "n", "text": None}]
    empty: list[bytes | dict[str, Any]] = [{"id": "e", "text": ""}, {"id": "w", "text": " \n "}]
    path = lines(tmp_path / "rows.jsonl", *good, *bad, b"", b"   ", *empty)
    result, documents, ledger = imported(tmp_path, path)
    assert documents["id"].to_list() == [row["id"] for row in good]
    assert (result.counts.entered, result.counts.kept) == (102, 96)
    assert dict(result.counts.quarantined) == {"unreadable_row": 4}
    assert dict(result.counts.removed) == {"empty_text": 2}
    fates = [(row["action"], row["reason"], json.loads(row["detail"])) for row in ledger.to_dicts()]
    where = {"file": str(path)}
    assert fates == [
        ("quarantined", "unreadable_row", {**where, "row": 96, "problem": "no JSON object"}),
        ("quarantined", "unreadable_row", {**where, "row": 97, "problem": "no JSON object"}),
        ("quarantined", "unreadable_row", {**where, "row": 98, "problem": "no text"}),
        ("quarantined", "unreadable_row", {**where, "row": 99, "problem": "no text"}),
        ("removed", "empty_text", {**where, "row": 100}),
        ("removed", "empty_text", {**where, "row": 101}),
    ]


def test_too_many_bad_rows(tmp_path: Path) -> None:
    with pytest.raises(QuarantineError, match="1 of 2 documents are in quarantine"):
        imported(tmp_path, lines(tmp_path / "rows.jsonl", {"text": "text"}, b"{broken"))


def test_no_row_with_text(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"no row holds a field text; its fields are body, title"):
        imported(tmp_path, lines(tmp_path / "rows.jsonl", {"title": "t", "body": "b"}))
    with pytest.raises(PipelineError, match=r"no row holds a string in its field text; its fields are text"):
        imported(tmp_path, lines(tmp_path / "null.jsonl", {"text": None}))
    with pytest.raises(PipelineError, match=r"no row holds a field text or is a JSON object"):
        imported(tmp_path, lines(tmp_path / "array.json", b"[", b'{"text": "inside an array"}]'))


def test_lone_surrogates_and_broken_utf8(tmp_path: Path) -> None:
    marked = b"\xef\xbb\xbf" + b'{"id": "c", "text": "mark"}'
    content = [b'{"id": "a", "text": "a \\ud800 b", "note": "\\udfff"}', b'{"id": "b", "text": "ok"}', marked]
    result, documents, _ = imported(tmp_path, lines(tmp_path / "rows.jsonl", *content))
    assert documents["text"].to_list() == ["a \ufffd b", "ok", "mark"]
    assert documents["metadata"][0] == '{"note": "\ufffd"}'
    with pytest.raises(PipelineError, match="no row holds"):
        imported(tmp_path, lines(tmp_path / "latin.jsonl", '{"text": "café"}'.encode("latin-1")))
    assert result.counts.kept == 3


@pytest.mark.parametrize("compression", COMPRESS)
def test_compressed_rows_and_texts(tmp_path: Path, compression: str) -> None:
    rows, text = tmp_path / f"rows.jsonl{compression}", tmp_path / f"text.txt{compression}"
    rows.write_bytes(COMPRESS[compression](b'{"id": "a", "text": "from a row"}\n'))
    text.write_bytes(COMPRESS[compression]("A whole file,\nwith café.".encode()))
    _, documents, _ = imported(tmp_path, rows, text)
    assert documents["text"].to_list() == ["from a row", "A whole file,\nwith café."]
    if compression:
        rows.write_bytes(rows.read_bytes()[:-5])
        with pytest.raises(InputError, match=r"cannot decompress .*rows\.jsonl"):
            list(read_rows(str(rows)))


def test_parquet(tmp_path: Path) -> None:
    frame = pl.DataFrame({"text": ["one", None], "id": [1, 2], "date": [datetime(2024, 5, 18, 1, 2, 3)] * 2, "raw": [b"\x00"] * 2})
    frame = pl.concat([frame[:1]] * 30 + [frame[1:]])
    frame.write_parquet(tmp_path / "rows.parquet")
    result, documents, _ = imported(tmp_path, tmp_path / "rows.parquet")
    assert (result.counts.kept, dict(result.counts.quarantined)) == (30, {"unreadable_row": 1})
    assert documents["date"][0] == "2024-05-18T01:02:03Z"
    assert json.loads(documents["metadata"][0]) == {"id": 1, "raw": "b'\\x00'"}  # repeated, so replaced


def test_unusable_files(tmp_path: Path) -> None:
    (tmp_path / "no.parquet").write_bytes(b"PAR1 no table")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "page.html").write_bytes(b"<p>")
    (tmp_path / "not.jsonl.gz").write_bytes(b"{}")
    for name, problem in {
        "no.parquet": "cannot be read as Parquet",
        "empty.jsonl": "holds no document",
        "page.html": r"is of no known kind; give \.parquet, or \.jsonl, .*, also with \.gz, \.zst",
        "not.jsonl.gz": "is no gz file",
        "missing.jsonl": "no such file",
        "missing.parquet": "no such file",
    }.items():
        with pytest.raises(InputError, match=problem) as caught:
            imported(tmp_path, tmp_path / name)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def test_one_unreadable_file_does_not_stop_the_others(tmp_path: Path) -> None:
    good = write_rows(tmp_path / "good.jsonl", rows_of(3))
    (tmp_path / "bad.jsonl.gz").write_bytes(gzip.compress(b"{}\n" * 100)[:-9])
    result, documents, _ = imported(tmp_path, tmp_path)
    assert documents.height == 3
    assert [failure["input"] for failure in result.failures] == [str(tmp_path / "bad.jsonl.gz")]
    assert "cut short" in result.failures[0]["error"]
    assert good.exists()


def test_limit_takes_the_first_rows_of_the_sorted_files(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.jsonl", rows_of(3))
    write_rows(tmp_path / "b.jsonl", [{"id": f"b{number}", "text": "text"} for number in range(3)])
    result, documents, _ = imported(tmp_path, tmp_path / "b.jsonl", tmp_path / "a.jsonl", limit=4)
    assert documents["id"].to_list() == ["d0", "d1", "d2", "b0"]
    assert result.counts.entered == 4
    assert imported(tmp_path, tmp_path / "b.jsonl", tmp_path / "a.jsonl", limit=5)[0].reused == 1
    assert imported(tmp_path, tmp_path / "b.jsonl", tmp_path / "a.jsonl", limit=2)[1]["id"].to_list() == ["d0", "d1"]


def test_source_and_repair(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"id": "a", "text": "It\u00e2\u20ac\u2122s\u0000 broken. ", "source": "books"}])
    assert imported(tmp_path, path)[1].select("id", "text", "source").row(0) == ("a", "It\u00e2\u20ac\u2122s\u0000 broken. ", "books")
    repaired = imported(tmp_path, path, source="curated", normalise=True)[1]
    assert repaired.select("id", "text", "source").row(0) == ("curated:a", "It’s broken.", "curated")


def test_same_bytes_again_and_nothing_done_twice(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", rows_of(5000))
    imported(tmp_path, path)
    before = outputs(tmp_path / "run")
    result, _, _ = imported(tmp_path, path)
    assert result.reused == 1
    assert outputs(tmp_path / "run") == before


def test_a_replaced_id_is_not_lost_where_the_new_one_happens_to_end_in_it(tmp_path: Path) -> None:
    rows = [{"id": digit, "text": "text"} for digit in "0123456789abcdef" for _ in range(2)]  # one sha256 in 16 ends in a given digit
    _, documents, _ = imported(tmp_path, write_rows(tmp_path / "rows.jsonl", rows))
    assert [json.loads(metadata)["id"] for metadata in documents["metadata"]] == [row["id"] for row in rows]


def test_a_file_in_spans_gives_the_documents_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[bytes | dict[str, Any]] = [{"text": f"document {number}"} for number in range(60)]  # ids tell their rows
    rows[7:7] = [b"{broken", b"", {"id": "e", "text": " "}]
    rows[30:30] = [{"id": "same", "text": "one"}, {"id": "same", "text": "two"}]
    path = lines(tmp_path / "rows.jsonl", *rows)
    whole, documents, ledger = imported(tmp_path / "whole", path)
    monkeypatch.setattr(input_rows, "SPAN_BYTES", 100)
    result, in_spans, ledger_in_spans = imported(tmp_path / "spans", path)
    assert result.parts > 10
    assert in_spans.equals(documents)
    assert ledger_in_spans.equals(ledger)
    assert (result.counts, whole.parts) == (whole.counts, 1)
    assert imported(tmp_path / "limited", path, limit=40)[1].equals(documents[:38])  # 40 rows with the broken and the empty one
    with path.open("ab") as stream:  # what stood there before is not read again
        stream.write(b'\n{"id": "new", "text": "appended"}')
    again, longer, _ = imported(tmp_path / "spans", path)
    assert (again.reused, longer["id"][-1]) == (result.parts - 1, "new")


def test_dates_are_those_of_utc_and_what_is_no_date_stays_in_metadata(tmp_path: Path) -> None:
    dates = ["2021-01-01T00:30:00+02:00", "2020-12-31T23:00:00Z", "2020-12", "20201231235959", "last summer", "", 20201231]
    _, documents, _ = imported(tmp_path, write_rows(tmp_path / "rows.jsonl", [{"text": "text", "date": date} for date in dates]))
    expected = ["2020-12-31T22:30:00Z", "2020-12-31T23:00:00Z", "2020-12-01T00:00:00Z", "2020-12-31T23:59:59Z", None, None, None]
    assert documents["date"].to_list() == expected
    kept = [None if metadata is None else json.loads(metadata) for metadata in documents["metadata"]]
    assert kept == [None, None, None, None, {"date": "last summer"}, {"date": ""}, {"date": 20201231}]


def test_an_id_like_that_of_a_piece_is_replaced_and_kept_in_metadata(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"id": "a", "text": "one"}, {"id": "a#0", "text": "two"}])
    assert run_here("dedup", "--input", tmp_path / "rows.jsonl", "--run", tmp_path / "run", "--quiet") == 0
    rows = table(tmp_path / "run", "dedup/input", "documents").select("id", "metadata").rows()
    assert rows[0] == ("a", None)
    assert "#" not in rows[1][0] and json.loads(rows[1][1]) == {"id": "a#0"}


def test_a_piece_of_somebody_else_keeps_its_id(tmp_path: Path) -> None:
    piece = {"id": "a#0", "text": "two", "pieces": {"parent": "a", "start": 0, "end": 3}}
    write_rows(tmp_path / "rows.jsonl", [piece])
    assert run_here("dedup", "--input", tmp_path / "rows.jsonl", "--run", tmp_path / "run", "--quiet") == 0
    assert table(tmp_path / "run", "dedup/input", "documents")["id"].to_list() == ["a#0"]


def test_a_parquet_file_without_rows_is_no_failure(tmp_path: Path) -> None:
    pl.DataFrame(schema=SCHEMA).write_parquet(tmp_path / "none.parquet")
    write_rows(tmp_path / "rows.jsonl", rows_of(2))
    result, documents, _ = imported(tmp_path, tmp_path / "none.parquet", tmp_path / "rows.jsonl")
    assert (result.failures, documents.height) == ([], 2)
