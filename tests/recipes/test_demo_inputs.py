"""The demo's inputs, made from a few pages of the real documentation server."""

from __future__ import annotations

import json
import os
import pydoc_data.topics
import re
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from curation.errors import PipelineError
from curation.recipe_file import load_recipe
from recipes.demo import make_inputs as demo
from recipes.demo import pydoc_site

MODULES = ["abc", "argparse", "asyncio.locks", "collections.abc", "ctypes", "os", "sys"]
TOPICS = ["lambda", "while", "EXCEPTIONS", "True"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    os.environ["PLANTED_SECRET"] = "planted-value"  # must not reach a page: that of module os shows the environment
    try:
        demo.make_inputs(folder, MODULES, TOPICS)
    finally:
        del os.environ["PLANTED_SECRET"]
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def words(text: str) -> str:
    """The normalisation of GPT-3, appendix C: lower-case alphanumeric words."""
    return " ".join(re.findall("[a-z0-9]+", text.lower()))


def test_the_crawl_holds_every_page_under_stable_addresses_and_ids(inputs: Path) -> None:
    expected = [f"http://pydoc.localhost/{name}" for name in ("index.html", "topics.html", "keywords.html")]
    expected += [f"http://pydoc.localhost/{name}.html" for name in MODULES]
    expected += [f"http://pydoc.localhost/topic?key={name}" for name in TOPICS]
    found = []
    with open(inputs / "site.warc.gz", "rb") as stream:
        for record in ArchiveIterator(stream, check_digests="raise"):
            content = record.content_stream().read()
            if record.rec_type == "response":
                found.append(record.rec_headers.get_header("WARC-Target-URI"))
                assert record.rec_headers.get_header("WARC-Record-ID") == f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, found[-1])}>"
                assert record.http_headers.get_statuscode() == "200"
                assert b"Pydoc: Error" not in content
                assert b"planted-value" not in content
    assert found == expected


def test_pages_are_the_same_when_they_are_made_again(inputs: Path, tmp_path: Path) -> None:
    """Other pages are another classifier, other documents and another model, for the same seed."""
    demo.make_inputs(tmp_path, MODULES, TOPICS)
    first, again = (demo.read_pages(folder / "site.warc.gz") for folder in (inputs, tmp_path))
    assert first == again
    for page, shown in {"collections.abc": "object at 0x0", "ctypes": "handle 0", "index": "/pydoc"}.items():  # what was another each time
        assert shown in first[f"http://pydoc.localhost/{page}.html"]["html"]


def test_positives_are_the_language_reference(inputs: Path) -> None:
    """``True`` has no text of its own; the others are those that Python ships."""
    positives = {row["id"]: row for row in rows(inputs / "positives.jsonl")}
    assert list(positives) == ["topic-lambda", "topic-while", "topic-EXCEPTIONS"]
    assert positives["topic-lambda"]["url"] == "http://pydoc.localhost/topic?key=lambda"
    for name in ("lambda", "while"):
        assert words(pydoc_data.topics.topics[name]) in words(positives[f"topic-{name}"]["text"])


def test_quotes_stand_in_the_text_that_extraction_finds(inputs: Path) -> None:
    from trafilatura import extract

    benchmark = rows(inputs / "benchmark.jsonl")
    shipped = rows(demo.QUESTIONS)
    assert benchmark[: len(shipped)] == shipped
    quotes = benchmark[len(shipped) :]
    assert 1 <= len(quotes) <= 3  # at most one of each positive
    pages = demo.read_pages(inputs / "site.warc.gz").values()
    texts = [words(extract(page["html"], include_comments=False, deduplicate=False) or "") for page in pages]
    for quote in quotes:
        beginning = words(quote["question"].partition("? ")[2])
        assert len(beginning.split()) >= 13
        assert any(f"{beginning} {words(quote['answer'])}" in text for text in texts)


def test_a_complete_folder_is_not_made_again(inputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (inputs / "site.warc.gz").stat().st_mtime_ns
    assert demo.main(["--output", str(inputs)]) == 0
    assert "complete" in capsys.readouterr().out
    assert (inputs / "site.warc.gz").stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["inputs.json", "positives.jsonl"])
def test_a_damaged_folder_is_not_complete(inputs: Path, tmp_path: Path, name: str) -> None:
    for file in inputs.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert demo.is_complete(tmp_path)
    (tmp_path / name).write_text("{}")
    assert not demo.is_complete(tmp_path)
    (tmp_path / name).unlink()
    assert not demo.is_complete(tmp_path)


def test_shipped_questions_are_complete_and_different() -> None:
    questions = rows(demo.QUESTIONS)
    assert len({row["question"] for row in questions}) == len(questions) == 40
    assert all(sorted(row) == ["answer", "question"] and all(row.values()) for row in questions)


def test_the_list_of_pages_leaves_out_what_acts_when_imported() -> None:
    names = pydoc_site.module_names()
    assert names == sorted(set(names))
    assert {"json", "json.decoder", "email.mime.text", "os.path"} - set(names) == {"os.path"}
    for name in names:
        assert name.partition(".")[0] not in ("antigravity", "idlelib", "this", "tkinter", "turtle", "turtledemo", "test", "lib2to3")
        assert not any(part.startswith("_") for part in name.split("."))
    assert {"lambda", "LOOPING", "EXCEPTIONS"} <= set(pydoc_site.topic_names())


def test_plain_sentences() -> None:
    prose = "Fifteen words would be too few here, but this sentence has exactly so many as needed."
    assert len(prose.split()) == 16
    code = "   x = 1  # code with many words does not count as prose, however long it may be."
    text = f"Heading\n*******\n\nToo short.  {prose}\n\n{code}\n\n{prose[:-1]}"
    assert demo.plain_sentences(text) == [prose]
    assert demo.question_of(prose)["answer"] == "needed"
    assert demo.choose_quotes([text, text, "", "Nothing."], 5) == [prose]


def test_the_server_ends_with_its_block() -> None:
    with pytest.raises(KeyError), pydoc_site.running_server() as (host, port):
        raise KeyError
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port), 1)


def test_a_server_that_does_not_start_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(PipelineError, match="did not start"), pydoc_site.running_server():
        pass
    assert demo.main(["--output", str(tmp_path / "demo")]) == 1
    assert capsys.readouterr().err.startswith("error: pydoc's server did not start")


def test_it_runs_as_a_script_from_any_folder(inputs: Path, tmp_path: Path) -> None:
    command = [sys.executable, demo.__file__, "--output", str(inputs)]
    assert subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.endswith("is complete\n")


def test_the_recipe_names_the_files_that_are_made() -> None:
    recipe = load_recipe(str(Path(demo.__file__).parents[1] / "demo.yaml"), [])
    assert recipe.inputs + recipe.filter.positives + recipe.decontaminate.benchmarks == [f"build/demo/{name}" for name in demo.FILES]
