"""Make the demo's inputs from Python's own documentation, without network: ``make_inputs.py --output FOLDER``.

- ``site.warc.gz``: the pages of pydoc's documentation server, fetched over HTTP on loopback
- ``positives.jsonl``: {id, url, text} of the language reference, as it stands on the topic pages;
  ``url`` is the page's, so that it is not taken for an unfiltered page as well
- ``benchmark.jsonl``: {question, answer}; first those of questions.jsonl, which quote nothing, then
  sentences of the pages with the last word asked for, which must be found as overlap
- ``inputs.json``: versions and checksums; with the same Python and the same questions nothing is made again

Made twice by the same Python, pages keep their ids and bytes, and positives and benchmark too; the WARC file holds the
times at which they were fetched.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import json
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # as a script it runs in a checkout that is not installed

from curation.errors import PipelineError
from curation.shards import canonical_json
from curation.sources.fetch import fetch_to_warc
from curation.storage import commit_bytes, hash_file
from recipes.demo import pydoc_site

FILES = ("site.warc.gz", "positives.jsonl", "benchmark.jsonl")
QUESTIONS = Path(__file__).with_name("questions.jsonl")

MIN_POSITIVE_WORDS = 30  # shorter topics are references to another page; our choice
# A sentence of 16 words or more keeps the 13 consecutive ones that count as overlap when its last is cut off.
QUOTE_WORDS = range(16, 41)
QUOTES = 22  # about a third of the questions

TOPIC_TEXT = re.compile(r"<pre>(.*)</pre>", re.DOTALL)
PLAIN_SENTENCE = re.compile(r"[A-Z][A-Za-z ,;'\"()-]+[a-z]\.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the demo's inputs from Python's own documentation.")
    parser.add_argument("--output", required=True, help="folder for the inputs", metavar="FOLDER")
    folder = Path(parser.parse_args(arguments).output)
    try:
        if is_complete(folder):
            print(f"{folder} is complete")
            return 0
        made = make_inputs(folder, pydoc_site.module_names(), pydoc_site.topic_names())
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{folder}: " + ", ".join(f"{count} {name}" for name, count in made.items()))
    return 0


def is_complete(folder: Path) -> bool:
    """Whether the folder holds what this version of Python and of the demo would make."""
    try:
        made = json.loads((folder / "inputs.json").read_bytes())
        return bool(made["made_by"] == _made_by() and made["files"] == _checksums(folder))
    except (OSError, ValueError, KeyError, TypeError, PipelineError):
        return False


def make_inputs(folder: Path, modules: Sequence[str], topics: Sequence[str]) -> dict[str, int]:
    """Fetch the pages and write all files; returns how many pages, positives and questions there are.

    Raises:
        PipelineError: the server did not start, a page could not be fetched, or the folder cannot be written to.
    """
    (folder / "inputs.json").unlink(missing_ok=True)
    warc = folder / "site.warc.gz"
    urls = [
        *(pydoc_site.SITE + page for page in pydoc_site.INDEX_PAGES),
        *map(pydoc_site.module_address, modules),
        *map(pydoc_site.topic_address, topics),
    ]
    with pydoc_site.running_server() as server:
        fetched = fetch_to_warc(urls, warc, connect_to=server, deterministic_ids=True)
    if fetched.errors:
        url, message = next(iter(fetched.errors.items()))
        raise PipelineError(f"{len(fetched.errors)} pages could not be fetched, the first {url}: {message}; run it again")
    pages = read_pages(warc)
    positives = positives_of(pages[pydoc_site.topic_address(name)] | {"id": f"topic-{name}"} for name in topics)
    questions = [json.loads(line) for line in QUESTIONS.read_text("utf-8").splitlines()]
    questions += map(question_of, choose_quotes([row["text"] for row in positives], QUOTES))
    commit_bytes(str(folder / "positives.jsonl"), _json_lines(positives))
    commit_bytes(str(folder / "benchmark.jsonl"), _json_lines(questions))
    commit_bytes(str(folder / "inputs.json"), canonical_json({"made_by": _made_by(), "files": _checksums(folder)}))
    return {"pages": len(pages), "positives": len(positives), "questions": len(questions)}


def read_pages(warc: Path) -> dict[str, dict[str, str]]:
    """The pages of a WARC file by address: ``{url, html}``."""
    from warcio.archiveiterator import ArchiveIterator

    pages = {}
    with open(warc, "rb") as stream:
        for record in ArchiveIterator(stream):
            if record.rec_type == "response":
                url = record.rec_headers.get_header("WARC-Target-URI")
                pages[url] = {"url": url, "html": record.content_stream().read().decode("utf-8")}
    return pages


def positives_of(pages: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """``{id, url, text}`` of the topic pages that hold a text, in the order of the pages."""
    rows = [{"id": page["id"], "url": page["url"], "text": topic_text(page["html"])} for page in pages]
    return [row for row in rows if len(row["text"].split()) >= MIN_POSITIVE_WORDS]


def topic_text(page: str) -> str:
    """The text of a topic's page, without the server's frame around it; empty if it has none."""
    found = TOPIC_TEXT.search(page)
    return html.unescape(re.sub(r"<[^>]*>", "", found[1])).strip() if found else ""


def choose_quotes(texts: Iterable[str], count: int) -> list[str]:
    """At most ``count`` plain sentences, one of a text and none twice, drawn by their hashes: the same for the same texts."""
    best = (min(sentences, key=_draw) for text in texts if (sentences := plain_sentences(text)))
    return sorted(set(best), key=_draw)[:count]


def plain_sentences(text: str) -> list[str]:
    """The sentences of prose with ``QUOTE_WORDS`` words, white space collapsed; no code, no numbers, no markup."""
    sentences = (
        sentence for paragraph in re.split(r"\n\s*\n", text) for sentence in re.split(r"(?<=[.!?:])\s+", " ".join(paragraph.split()))
    )
    return [sentence for sentence in sentences if PLAIN_SENTENCE.fullmatch(sentence) and len(sentence.split()) in QUOTE_WORDS]


def question_of(sentence: str) -> dict[str, str]:
    """A question for the sentence's last word."""
    beginning, _, last_word = sentence.rstrip(".").rpartition(" ")
    return {"question": f"Which word ends this sentence of the Python documentation? {beginning} ...", "answer": last_word}


def _draw(sentence: str) -> bytes:
    return hashlib.blake2b(sentence.encode(), digest_size=8).digest()


def _json_lines(rows: Iterable[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _made_by() -> dict[str, str]:
    sources = sorted(path for path in Path(__file__).parent.iterdir() if path.suffix in (".py", ".jsonl"))
    return {"python": platform.python_version(), **{path.name: hash_file(str(path)).sha256 for path in sources}}


def _checksums(folder: Path) -> dict[str, str]:
    return {name: hash_file(str(folder / name)).sha256 for name in FILES}


if __name__ == "__main__":
    sys.exit(main())
