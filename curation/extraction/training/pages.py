"""Pages whose main text is known, as the trees are trained and measured on them.

Two archives are read: WCXB's development split (whole gold texts), and pages with snippets that must and must not appear
(``segments.json``). Pages of one registrable domain are always in one fold.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from curation.errors import InputError
from curation.extraction.blocks.judge import block_features
from curation.extraction.blocks.render import block_texts
from curation.extraction.blocks.scan import scan
from curation.extraction.encoding import decode
from curation.extraction.training.labels import labels_of_gold, labels_of_snippets

FOLDS = 5


@dataclass(frozen=True)
class LabelledPage:
    """One page: its features and labels, a row a block; its words and texts, one a block; gold text, or snippets.

    ``gold``: None where there are snippets only: ``main`` must appear, ``rest`` must not.
    """

    page_type: str
    fold: int
    table: np.ndarray
    labels: np.ndarray
    words: np.ndarray
    texts: list[str]
    gold: str | None
    main: Sequence[str]
    rest: Sequence[str]


def read_pages(wcxb: Path, segments: Path) -> list[LabelledPage]:
    """All pages of both archives, in the order of their names.

    Raises:
        InputError: an archive is missing, damaged, or holds something else.
    """
    pages = []
    for read, archive in ((_wcxb_pages, wcxb), (_segment_pages, segments)):
        try:
            found = list(read(archive_files(archive)))
            if not found:
                raise ValueError("none are labelled")
        except (OSError, tarfile.TarError, ValueError, KeyError) as error:
            raise InputError(f"{archive} holds no training pages ({type(error).__name__}: {error}); see docs/extraction.md") from error
        pages += found
    return pages


def archive_files(archive: Path) -> dict[str, bytes]:
    """What the archive holds, by path without the first folder, in the order of these paths."""
    files = {}
    with tarfile.open(archive) as entries:
        for entry in entries:
            stream = entries.extractfile(entry)
            if stream:
                files["/".join(PurePosixPath(entry.name).parts[1:]) or entry.name] = stream.read()
    return dict(sorted(files.items()))


def _wcxb_pages(files: dict[str, bytes]) -> Iterator[LabelledPage]:
    for name in (name for name in files if name.startswith("ground-truth/")):
        truth = json.loads(files[name])
        key = PurePosixPath(name).stem
        html = decode(files[f"html/{key}.html"], "utf-8").text
        page_type = truth["_internal"]["page_type"]["primary"]
        yield _labelled(html, page_type, truth.get("url") or key, truth["ground_truth"].get("main_content") or "")


def _segment_pages(files: dict[str, bytes]) -> Iterator[LabelledPage]:
    for url, truth in sorted(json.loads(files["segments.json"]).items()):
        html = decode(files[f"html/{truth['file']}"], None).text
        yield _labelled(html, "snippets", url, None, truth["with"], truth["without"])


def _labelled(html: str, page_type: str, url: str, gold: str | None, main: Sequence[str] = (), rest: Sequence[str] = ()) -> LabelledPage:
    page = scan(html.replace("\0", ""))
    table, words = block_features(page)
    texts = block_texts(page)
    labels = labels_of_snippets(texts, main, rest) if gold is None else labels_of_gold(texts, gold)
    return LabelledPage(page_type, fold_of(url), table, labels, words, texts, gold, main, rest)


def fold_of(url: str) -> int:
    """The fold of an address, by its registrable domain: the same on every machine, whatever other pages there are."""
    from tld import get_fld

    domain = get_fld(url, fix_protocol=True, fail_silently=True) or url
    return int(hashlib.sha256(domain.encode()).hexdigest(), 16) % FOLDS
