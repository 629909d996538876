"""The stage interface: two hooks, and what they receive and return.

``prepare(corpus) -> Prepared`` does what needs the whole corpus (train a classifier, find
clusters, count n-grams), itself as maps over shards. ``process(documents, prepared) -> Outcome``
is pure and sees one shard. Reading, committing, resuming, counting and checking are
``curation.runner``'s business; a new stage is one small file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import polars as pl

from curation.shards import Shard


@dataclass(frozen=True)
class Prepared:
    """What ``prepare`` committed for ``process``: a folder with files, and small values.

    ``values`` is JSON-serialisable; it and the files' checksums enter the fingerprint of every
    shard, so a changed model recomputes what it scored. ``version`` is their digest, there for
    caching a loaded file in a worker under (folder, version). ``shard``: number of the shard that
    ``process`` is called for, in the order of ``Corpus.shards``.
    """

    folder: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    shard: int = 0


@dataclass(frozen=True)
class Outcome:
    """What ``process`` made of one shard.

    ``documents``: the documents that stay, in input order; pieces of a split document are rows
    with ids ``parent#0``, ``parent#1``, ... ``ledger``: rows by ``ledger_row`` for every document
    not simply kept (a split parent is ``changed``). ``files``: further outputs of the shard, name
    below the run folder to bytes; ``{part}`` in a name becomes the shard's number, such as 00000.
    ``statistics``: numbers for the manifest (JSON).
    """

    documents: pl.DataFrame
    ledger: list[dict[str, str]] = field(default_factory=list)
    files: Mapping[str, bytes] = field(default_factory=dict)
    statistics: Mapping[str, Any] = field(default_factory=dict)


class Corpus(Protocol):
    """All input shards of a stage, as ``prepare`` sees them; memory stays bounded by using ``map``."""

    shards: list[Shard]
    folder: str  # the prepared files of this stage, a local path or an fsspec URL

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Results of ``function(item)`` in the order of the items, computed by the engine's workers.

        ``function`` must be picklable: a module's function or a ``functools.partial`` of one.
        """
        ...

    def commit(self, name: str, content: bytes) -> str:
        """Commit a prepared file for ``process``, below ``folder``; returns its full path."""
        ...

    def publish(self, name: str, content: bytes) -> str:
        """Commit a result for the user, below the run folder, such as ``contamination/report.json``."""
        ...

    def withdraw(self, name: str) -> None:
        """Delete a file below the run folder that a command made of earlier results, if it is there."""
        ...

    def scratch(self) -> str:
        """A local folder for intermediate files, deleted when ``prepare`` returns."""
        ...

    def progress(self, message: str) -> None:
        """Say on stderr what is being done."""
        ...


class Stage(Protocol):
    """One step from documents to documents."""

    name: ClassVar[str]  # also the recipe section, the command and the folder
    version: ClassVar[int]  # raise it when the same input gives other output
    libraries: ClassVar[tuple[str, ...]]  # distributions whose version changes the output
    writes_documents: ClassVar[bool]  # False: nothing but ``Outcome.files`` is written (tokenize)
    settings: Any  # the recipe section, a frozen pydantic model
    seed: int

    def resources(self) -> list[str]:
        """Paths of the files that the stage reads beside documents; their sha256 is fingerprinted."""
        ...

    def prepare(self, corpus: Corpus) -> Prepared:
        """Whole-corpus work; called once a run, skipped when nothing that it saw has changed."""
        ...

    def process(self, documents: pl.DataFrame, prepared: Prepared) -> Outcome:
        """Judge one shard; pure: the same shard, settings and prepared files give the same outcome."""
        ...
