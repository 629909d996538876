"""Damaged Parquet files: whatever polars makes of them, who reads them says so in one line, or reads rows of the same columns.

Some damage makes polars panic, which is no Exception. Of what a run has committed, nothing damaged is told as the truth.

Not tried on tables of others: single bits. One in about 700 of them makes polars ask for 2^61 bytes and end the process.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import polars as pl
import pytest

from contamination.benchmarks import read_rows as read_benchmark_rows
from curation.errors import InputError, IntegrityError
from curation.explain import explain_document
from curation.fetching.link_lists import read_karma, read_links
from curation.input_rows import read_rows
from curation.links.shared_pages import gather_shared_pages
from curation.links.table import read_link_slices
from curation.sources.places import read_places
from tests.curation.report_run import report_of, write_run
from tests.curation.runs import run_here

ROWS = 300
ADDRESSES = [f"h{number % 30}.example/{number}" for number in range(ROWS)]
LINKS = pl.DataFrame({"url": [f"http://{name}" for name in ADDRESSES], "key": ADDRESSES, "karma": range(ROWS)})
PLACES = pl.DataFrame({"file": ["a", "b", "c"] * 100, "offset": range(7, 7 + ROWS), "length": [500] * ROWS})
DOCUMENTS = pl.DataFrame({"text": [f"text number {number}" for number in range(ROWS)], "id": ADDRESSES, "more": [{"x": [1, 2]}] * ROWS})

READERS: dict[str, tuple[pl.DataFrame, Callable[[str], object]]] = {
    "import": (DOCUMENTS, lambda path: list(read_rows(path))),
    "benchmarks": (DOCUMENTS, lambda path: list(read_benchmark_rows(path))),
    "crawl --places": (PLACES, lambda path: read_places([path])),
    "crawl --links": (LINKS, lambda path: gather_shared_pages([path], "domain")),
    "lookup": (LINKS, lambda path: list(read_link_slices(path, ["url", "key", "karma"], 100))),
    "fetch": (LINKS, lambda path: [*read_links(path), *islice(read_karma(path), ROWS)]),
}


def damages(content: bytes) -> Iterator[bytes]:
    """At every 50th byte: the byte inverted, and the end of the file."""
    for place in range(0, len(content), 50):
        yield content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
        yield content[:place]


@pytest.mark.parametrize("reader", READERS)
def test_a_table_of_others(reader: str, tmp_path: Path) -> None:
    rows, read = READERS[reader]
    path = tmp_path / "table.parquet"
    rows.write_parquet(path)
    refused = 0
    read(str(path))
    for content in damages(path.read_bytes()):
        path.write_bytes(content)
        try:
            read(str(path))
        except InputError as error:
            refused += 1
            assert str(error).startswith(str(path))
            assert len(str(error).splitlines()) == 1
    assert refused > 30


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize(
    ("name", "document_id"), [("crawl/documents", "leaked"), ("crawl/ledger", "empty"), ("decontaminate/ledger", "leaked")]
)
def test_a_table_of_the_run(name: str, document_id: str, finished_run: Path, tmp_path: Path) -> None:
    """Damage that leaves a table readable, such as another letter in a reason, would be told as the truth; a text may be missed."""
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    path = run / name / "part-00000.parquet"
    truth = explain_document(str(run), document_id)
    answers = 0
    for number, content in enumerate(damages(path.read_bytes())):
        path.write_bytes(content)
        if number % 2 == 0 and name == "crawl/documents":
            with contextlib.suppress(IntegrityError):
                assert set(explain_document(str(run), document_id)) < set(truth)
                answers += 1
        else:
            with pytest.raises(IntegrityError, match=rf"{name}/part-00000\.parquet is missing or damaged: .* run the stage"):
                explain_document(str(run), document_id)
    assert answers < number / 4
    with pytest.raises(IntegrityError, match=r"part-00000\.parquet is missing or damaged"):
        report_of(run)


def test_commands_say_it_in_one_line(finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for rows, name in ((LINKS, "links"), (PLACES, "places"), (DOCUMENTS, "documents")):
        rows.write_parquet(tmp_path / f"{name}.parquet")
        content = (tmp_path / f"{name}.parquet").read_bytes()
        (tmp_path / f"{name}.parquet").write_bytes(content[: len(content) // 2])
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / "crawl/ledger/part-00000.parquet").write_bytes(b"PAR1")
    other = tmp_path / "other"
    commands: list[tuple[object, ...]] = [
        ("explain", "d1", "--run", run),
        ("report", "--run", run),
        ("lookup", tmp_path / "links.parquet", "--index", tmp_path / "places.parquet", "--output", tmp_path / "found.parquet"),
        ("crawl", "--places", tmp_path / "places.parquet", "--run", other, "--quiet"),
        ("dedup", "--input", tmp_path / "documents.parquet", "--run", other, "--quiet"),
    ]
    for command in commands:
        assert run_here(*command) == 1, command
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1 and ".parquet" in lines[0], command
