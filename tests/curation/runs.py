"""Small inputs, and runs of the command line on them, as other programs see both."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from cli import TOOLS, main

ROOT = Path(__file__).resolve().parents[2]
UNCOMMITTED = ("summary.json", "metrics.jsonl", "recipe.yaml", ".lock")  # they tell of a command, not of documents
SENTENCE = "The harbour lies at the mouth of the river, and every morning the boats of the village return with their catch. "


def write_pages(path: Path, pages: Mapping[str, str], first: int = 0) -> Path:
    """A WARC file, written by warcio, with one HTML page for each URL; record ids count from ``first``."""
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=path.suffix == ".gz")
        for number, (url, text) in enumerate(pages.items(), first):
            body = f"<html><head><title>Page</title></head><body><article><p>{text}</p></article></body></html>".encode()
            headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
            record = writer.create_warc_record(
                url,
                "response",
                payload=io.BytesIO(body),
                http_headers=headers,
                warc_headers_dict={"WARC-Record-ID": f"<urn:uuid:{number:08}>", "WARC-Date": "2024-05-18T01:02:03Z"},
            )
            writer.write_record(record)
    return path


def pages_of(count: int, site: str = "example.org") -> dict[str, str]:
    """Pages that differ in their words, long enough to be extracted."""
    return {f"https://{site}/{number}": f"Page {number} of {site} tells about number {number}. " + SENTENCE * 3 for number in range(count)}


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """A JSONL file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows_of(count: int) -> list[dict[str, Any]]:
    """Rows with ids and distinct texts."""
    texts = [f"Document {number}. {SENTENCE}" for number in range(count)]
    return [{"id": f"d{number}", "text": text, "url": f"https://example.org/{number}"} for number, text in enumerate(texts)]


def run_here(*arguments: object) -> int:
    """Exit code of a command, run in this process; a stage with one worker unless told otherwise."""
    words = [str(argument) for argument in arguments]
    without_workers = words[0] in ("explain", "verify", *TOOLS) or " ".join(words[:2]) in TOOLS
    return main(words if without_workers or "--workers" in words else [*words, "--workers", "1"])


def command_line(*arguments: object) -> list[str]:
    """The command as a shell would start it."""
    return [sys.executable, str(ROOT / "cli.py"), *(str(argument) for argument in arguments)]


def run_program(*arguments: object, environment: Mapping[str, str] | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    variables = {**os.environ, **(environment or {})}
    return subprocess.run(command_line(*arguments), capture_output=True, text=True, timeout=200, env=variables, **options)


def outputs(run: Path) -> dict[str, bytes]:
    """Content of every file of a run that must be equal in equal runs, by name."""
    files = (path for path in sorted(run.rglob("*")) if path.is_file())
    return {name: path.read_bytes() for path in files if (name := str(path.relative_to(run))) not in UNCOMMITTED}


def table(run: Path, stage: str, folder: str) -> pl.DataFrame:
    """All rows that a stage has committed in one folder, found through its manifests alone."""
    names = json.loads((run / stage / "stage.json").read_text())["parts"]
    manifests = [json.loads((run / stage / "manifests" / f"{name}.json").read_text()) for name in names]
    files = [file["name"] for manifest in manifests for file in manifest["files"]]
    return pl.concat([pl.read_parquet(run / name) for name in files if name.startswith(f"{stage}/{folder}/")])


QUESTION = "What did the keeper of the northern lighthouse carry up the narrow stairs on the evening before the great storm"


def make_small_run(folder: Path) -> Path:
    """A run with something of everything: crawled, labelled, filtered, decontaminated, tokenized. Returns its folder.

    /0 to /9 are kept; /empty has no text; /cut is split around a benchmark's question, /question is nothing else.
    """
    pages = {**pages_of(10), "https://example.org/empty": "", "https://example.org/question": f"{QUESTION}. It was a lamp."}
    pages["https://example.org/cut"] = f"{SENTENCE * 5} {QUESTION}. {SENTENCE * 5}"
    write_pages(folder / "site.warc.gz", pages)
    write_rows(folder / "curated.jsonl", [{"id": f"c{number}", "text": f"Essay {number} on ships. {SENTENCE}"} for number in range(8)])
    write_rows(folder / "benchmark.jsonl", [{"question": QUESTION, "answer": "a lamp"}])
    links = [{"url": "https://example.org/1", "score": 5, "is_self": False, "over_18": False, "subreddit": "ships", "id": "x"}]
    write_rows(folder / "links.ndjson", links)
    run = folder / "run"
    common = ["--run", run, "--quiet"]
    commands: list[list[object]] = [
        ["crawl", folder / "site.warc.gz", "--set", f"crawl.links=[{folder}/links.ndjson]"],
        ["filter", "--set", f"filter.positives=[{folder}/curated.jsonl]", "--set", "filter.keep_rule=none"],
        ["decontaminate", "--input", run / "filter", "--set", f"decontaminate.benchmarks=[{folder}/benchmark.jsonl]"],
        ["tokenize", "--set", "tokenize.vocabulary_size=300", "--set", "tokenize.validation_fraction=0.5"],
    ]
    for command in commands:
        assert run_here(*command, *common) == 0, command
    return run
