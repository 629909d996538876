"""A stage whose documents say what shall become of them; in a module, so that workers can import it."""

from __future__ import annotations

import json
import os
import signal
import uuid
from pathlib import Path
from typing import ClassVar

import polars as pl

from curation import storage
from curation.documents import documents_frame
from curation.errors import InputError
from curation.ledger import Action, Reason, ledger_row
from curation.progress import Progress
from curation.runner import RunContext
from curation.section import Section
from curation.shards import Shard, canonical_json, frame_to_parquet, read_shard
from curation.stage import Corpus, Outcome, Prepared


class SmallSettings(Section):
    """``extra_file``: prepare commits one more file."""

    greeting: str = "hello"
    dictionary: str | None = None
    extra_file: bool = False


class SmallStage:
    """Judges documents by the first word of their text.

    ``log``: a folder in which every call of a hook leaves an empty file, such as ``prepare-0123``.
    """

    name: ClassVar[str] = "small"
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("pydantic",)
    writes_documents: ClassVar[bool] = True

    def __init__(self, settings: SmallSettings, seed: int = 0, log: str | None = None) -> None:
        self.settings = settings
        self.seed = seed
        self.log = log

    def note(self, what: str) -> None:
        if self.log:
            Path(self.log, f"{what}-{uuid.uuid4().hex}").touch()

    def resources(self) -> list[str]:
        return [self.settings.dictionary] if self.settings.dictionary else []

    def prepare(self, corpus: Corpus) -> Prepared:
        self.note("prepare")
        Path(corpus.scratch(), "scratch").touch()
        words = sum(corpus.map(count_words, corpus.shards))
        corpus.commit("words.json", canonical_json(words))
        corpus.publish("small/published.json", canonical_json(self.settings.greeting))
        if self.settings.extra_file:
            corpus.commit("extra.json", b"{}")
        return Prepared(corpus.folder, {"words": words})

    def process(self, documents: pl.DataFrame, prepared: Prepared) -> Outcome:
        self.note("process")
        words = json.loads(storage.read_bytes(storage.join(prepared.folder, "words.json")))
        stay, ledger, files = [], [], {}
        for row in documents.to_dicts():
            word, name = row["text"].partition(" ")[0], row["id"]
            if word == "CRASH":
                os.kill(os.getpid(), signal.SIGSEGV)
            elif word == "BUG":
                raise RuntimeError(f"cannot judge {name}")
            elif word == "FAIL":
                raise InputError(f"document {name} is of no use; leave it out")
            elif word == "KILLED" and self.log and not list(Path(self.log).glob("killed-*")):
                self.note("killed")
                os.kill(os.getpid(), signal.SIGKILL)  # as the kernel or an operator would, once
            elif word == "remove":
                ledger.append(ledger_row(name, Action.REMOVED, Reason.LOW_QUALITY, words=words))
            elif word == "quarantine":
                ledger.append(ledger_row(name, Action.QUARANTINED, Reason.EXTRACTOR_CRASHED))
            elif word == "file":
                files[f"extras/{name}-{{part}}"] = row["text"].encode()
                stay.append(row)
            elif word == "lose":
                pass
            else:
                stay.append({**row, "metadata": f"{self.settings.greeting} {self.seed}"})
        return Outcome(documents_frame(stay), ledger, files, {"words": words})


class NewerStage(SmallStage):
    """The same, after a change of what it does."""

    version: ClassVar[int] = 2


class FileStage(SmallStage):
    """Writes nothing but files, as tokenize does."""

    writes_documents: ClassVar[bool] = False


def count_words(shard: Shard) -> int:
    return sum(len(text.split()) for text in read_shard(shard, ["text"])["text"])


def context_of(run: Path, workers: int = 1) -> RunContext:
    return RunContext(str(run), workers, Progress(quiet=True))


def shards_of(folder: Path, texts: list[list[str]]) -> list[Shard]:
    """A shard for each list of texts; ids count through."""
    shards, number = [], 0
    for place, some in enumerate(texts):
        frame = documents_frame([{"id": f"d{number + offset}", "text": text} for offset, text in enumerate(some)])
        number += len(some)
        stored = storage.commit_bytes(str(folder / f"input-{place}.parquet"), frame_to_parquet(frame))
        shards.append(Shard(stored.path, len(frame), stored.bytes, stored.sha256))
    return shards
