"""The crawl's benchmark: its inputs are what they say to another reader, its loops see every page, its rows point the right way."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from benchmarks import crawl, measure
from benchmarks.crawl_inputs import make_large_file, make_small_records

BENCHMARKS = Path(crawl.__file__).parent


def record_types(warc: Path) -> list[str]:
    with open(warc, "rb") as stream:
        return [record.rec_type for record in ArchiveIterator(stream)]


def test_generated_files_hold_what_they_say(tmp_path: Path) -> None:
    small = make_small_records(tmp_path / "small.warc.gz", 7)
    large = make_large_file(tmp_path / "large.warc", 12_000_000)
    assert record_types(small) == ["response"] * 7
    # A page and ten other records of 1 MB, then as much again: the second round passes 12 MB.
    assert record_types(large) == (["response"] + ["resource"] * 10) * 2
    assert make_small_records(tmp_path / "again.warc.gz", 7).read_bytes() == small.read_bytes()


@pytest.mark.parametrize("mode", ["guarded", "bare"])
def test_the_loop_extracts_every_page(tmp_path: Path, mode: str) -> None:
    warc, texts = make_small_records(tmp_path / "pages.warc.gz", 3), tmp_path / "texts.jsonl"
    script = BENCHMARKS / "extract_pages.py"
    found = measure.run([sys.executable, str(script), str(warc), "resiliparse", mode, str(texts)]).json()
    assert found["pages"] == 3 and found["cpu_seconds"] >= 0
    rows = [json.loads(line) for line in texts.read_text().splitlines()]
    assert [row["url"] for row in rows] == [f"https://example.com/{number}" for number in range(3)]
    assert all(len(row["text"].split()) >= 480 for row in rows), "8 paragraphs of 60 words"


def test_the_reader_counts_records_and_payload_bytes(tmp_path: Path) -> None:
    warc = make_small_records(tmp_path / "pages.warc.gz", 3)
    with open(warc, "rb") as stream:
        payloads = [len(record.content_stream().read()) for record in ArchiveIterator(stream)]
    found = measure.run([sys.executable, str(BENCHMARKS / "read_records.py"), str(warc)]).json()
    assert (found["records"], found["bytes"]) == (3, sum(payloads))


def test_memory_is_compared_with_the_limit() -> None:
    mib = 1 << 20
    row = crawl._memory_row("x", 100 * mib, 164 * mib)
    assert (row.ours, row.peer, row.ratio, row.goal) == (64, 256, 4, 1)
    assert crawl._memory_row("x", 100 * mib, 90 * mib).ratio == 256
