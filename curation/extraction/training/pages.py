"""Pages whose main text is known, as the trees are trained and measured on them.

Two archives are read: WCXB's development split (whole gold texts), and pages with snippets that must and must not appear
(``segments.json``). Pages of one registrable domain are always in one fold.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from curation.errors import InputError
from curation.extraction.blocks.judge import block_features
from curation.extraction.blocks.render import block_texts
from curation.extraction.blocks.scan import Scan, scan
from curation.extraction.encoding import decode
from curation.extraction.training.labels import labels_of_gold, labels_of_snippets

FOLDS = 5
NO_GOLD = "segments"  # the page type of pages that have snippets only


@dataclass(frozen=True)
class LabelledPage:
    """One page: its features and labels, a row a block; its words and texts, one a block; gold text, or snippets.

    ``gold``: None where there are snippets only: ``main`` must appear, ``rest`` must not.
    """

    key: str
    page_type: str
    fold: int
    table: np.ndarray
    labels: np.ndarray
    words: np.ndarray
    texts: list[str]
    gold: str | None
    main: list[str]
    rest: list[str]


def read_pages(wcxb: Path, segments: Path) -> list[LabelledPage]:
    """All pages of both archives, in the order of their names.

    Raises:
        InputError: an archive is missing, damaged, or holds something else.
    """
    return [*_guarded(_wcxb_pages, wcxb), *_guarded(_segment_pages, segments)]


def _guarded(read: Callable[[Path], Iterator[LabelledPage]], archive: Path) -> list[LabelledPage]:
    try:
        pages = list(read(archive))
    except (OSError, tarfile.TarError, ValueError, KeyError) as error:
        raise InputError(
            f"{archive}: cannot be read as training pages ({type(error).__name__}: {error}); see docs/extraction.md"
        ) from error
    if not pages:
        raise InputError(f"{archive}: holds no labelled pages; see docs/extraction.md for what it should be")
    return pages


def _files(archive: Path) -> dict[str, bytes]:
    """What the archive holds, by path without the first folder."""
    files = {}
    with tarfile.open(archive) as entries:
        for entry in entries:
            stream = entries.extractfile(entry)
            if stream:
                files["/".join(PurePosixPath(entry.name).parts[1:]) or entry.name] = stream.read()
    return files


def wcxb_bodies(archive: Path) -> dict[str, bytes]:
    """The pages of WCXB as they are stored, by key, in the order of ``read_pages``."""
    files = _files(archive)
    return {PurePosixPath(name).stem: files[name] for name in sorted(files) if name.startswith("html/")}


def _wcxb_pages(archive: Path) -> Iterator[LabelledPage]:
    files = _files(archive)
    for name in sorted(name for name in files if name.startswith("ground-truth/")):
        truth = json.loads(files[name])
        key = PurePosixPath(name).stem
        html = decode(files[f"html/{key}.html"], "utf-8").text
        gold = truth["ground_truth"].get("main_content") or ""
        page_type = truth["_internal"]["page_type"]["primary"]
        page = scan(html.replace("\0", ""))
        yield _labelled(page, key, page_type, truth.get("url") or key, labels_of_gold(page, gold), gold)


def _segment_pages(archive: Path) -> Iterator[LabelledPage]:
    files = _files(archive)
    for url, truth in sorted(json.loads(files["segments.json"]).items()):
        page = scan(decode(files[f"html/{truth['file']}"], None).text.replace("\0", ""))
        labels = labels_of_snippets(page, truth["with"], truth["without"])
        yield _labelled(page, truth["file"], NO_GOLD, url, labels, None, main=truth["with"], rest=truth["without"])


def _labelled(page: Scan, key: str, page_type: str, url: str, labels: np.ndarray, gold: str | None, **snippets: Any) -> LabelledPage:
    table, words = block_features(page)
    fold = fold_of(url)
    return LabelledPage(key, page_type, fold, table, labels, words, block_texts(page), gold, **{"main": [], "rest": [], **snippets})


def fold_of(url: str) -> int:
    """The fold of an address, by its registrable domain: the same on every machine, whatever other pages there are."""
    from tld import get_fld

    domain = get_fld(url, fix_protocol=True, fail_silently=True) or url
    return int(hashlib.sha256(domain.encode()).hexdigest(), 16) % FOLDS
