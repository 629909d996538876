import shutil
from pathlib import Path

import pytest

from curation.errors import InputError, IntegrityError
from curation.explain import document_ids, explain_document
from tests.curation.runs import table


def life(run: Path, key: str) -> str:
    return "\n".join(line for document_id in document_ids(str(run), key) for line in explain_document(str(run), document_id))


def stages_told(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if line.startswith("  ") and not line.startswith("   ")]


def test_kept_document_by_id_and_by_url(small_run: Path) -> None:
    told = life(small_run, "https://example.org/3")
    assert told.startswith("document 00000003\n  crawl              kept: ")
    assert "url https://example.org/3" in told
    assert stages_told(told) == ["crawl", "filter", "decontaminate", "tokenize"]
    assert told.endswith("tokenize           kept: in the token shards of its source")
    assert life(small_run, "00000003") == told


@pytest.mark.parametrize("url", ["http://www.example.org:80/3", "HTTPS://EXAMPLE.ORG/3#part", "https://example.org/%33?utm_source=x"])
def test_other_spellings_of_the_url(small_run: Path, url: str) -> None:
    assert life(small_run, url) == life(small_run, "00000003")


@pytest.mark.parametrize("url", ["https://example.org/empty", "http://www.example.org/empty"])
def test_removed_at_once(small_run: Path, url: str) -> None:
    told = life(small_run, url)
    assert told.startswith("document 00000010\n  crawl              removed: empty_text - No text was left after extraction.\n")
    assert stages_told(told) == ["crawl"]
    assert "url: https://example.org/empty" in told


def test_contaminated_documents(small_run: Path) -> None:
    cut = life(small_run, "https://example.org/cut")
    assert "decontaminate      changed: contaminated - Windows around n-grams" in cut
    assert "decontaminate      piece #0 kept: " in cut
    assert "decontaminate      piece #1 kept: " in cut
    assert 'benchmarks: ["benchmark"]' in cut
    whole = life(small_run, "https://example.org/question")
    assert "decontaminate      removed: no_piece_left" in whole
    assert "tokenize" not in whole


def test_a_piece_is_told_with_the_document_it_was_cut_from(small_run: Path) -> None:
    pieces = [name for name in table(small_run, "decontaminate", "documents")["id"] if "#" in name]
    assert len(pieces) == 2
    assert life(small_run, pieces[0]) == life(small_run, pieces[0].rpartition("#")[0])


def test_an_address_without_its_scheme(small_run: Path) -> None:
    assert life(small_run, "example.org/cut") == life(small_run, "https://example.org/cut")


def test_curated_text(small_run: Path) -> None:
    assert stages_told(life(small_run, "curated:c0")) == ["filter/positives", "filter", "decontaminate", "tokenize"]


@pytest.mark.parametrize("key", ["unknown", "https://example.org/unknown", "", "00000003#0"])
def test_unknown(small_run: Path, key: str) -> None:
    assert document_ids(str(small_run), key) == []


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no run folder: no stage has finished there; check --run"):
        document_ids(str(tmp_path / "missing"), "key")


def test_damaged_run(small_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    (run / "crawl/documents/part-00000.parquet").write_bytes(b"damage")
    with pytest.raises(IntegrityError, match=r"part-00000\.parquet is missing or damaged"):
        explain_document(str(run), "00000003")
