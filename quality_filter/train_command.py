"""``filter train``: a model folder from curated texts and raw documents in any form, without a run.

Files are imported or crawled into a folder that is deleted at the end, then sampled and trained on
exactly as the stage would.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from typing import Any

from curation import crawl, crawl_inputs, input_rows, storage
from curation.engine.local import LocalEngine
from curation.errors import InputError
from curation.finished import committed_shards, finished_stage_of
from curation.import_document import ImportSettings
from curation.importing import run_import
from curation.preparing import RunCorpus
from curation.recipe import Recipe
from curation.runner import RunContext, StageResult
from curation.shards import Shard
from quality_filter.model_folder import DESCRIPTION
from quality_filter.stage import FilterStage

RAW_SOURCE = "commoncrawl"


def train_to_folder(
    positives: list[str], negatives: list[str], output: str, recipe: Recipe, context: RunContext, limit: int | None
) -> tuple[list[StageResult], dict[str, Any]]:
    """Train a model from files or finished stages and commit it to the folder ``output``; what was read, and the card.

    ``limit``: documents or pages of each class that are read. Each class can be of several kinds of files.

    Raises:
        UsageError: there is nothing to train on, or training cannot succeed with these settings.
        InputError: a file is missing or unusable, or there are too few documents.
    """
    parent = None if storage.is_remote(output) else output
    if parent is not None:
        storage.local_path(parent).mkdir(parents=True, exist_ok=True)
    scratch = tempfile.mkdtemp(prefix=".train-", dir=parent)
    try:
        inner = replace(context, folder=scratch)
        source = recipe.filter.positive_source
        read, shards = _read_class(positives, source, "positives", recipe, inner, limit)
        more, raw = _read_class(negatives, RAW_SOURCE if source != RAW_SOURCE else "raw", "negatives", recipe, inner, limit)
        with LocalEngine(context.workers) as engine:
            corpus = RunCorpus(scratch, "filter", shards + raw, engine, context.progress)
            settings = recipe.filter.model_copy(update={"model": None})
            try:
                _, card = FilterStage(settings, recipe.seed).prepare_model(corpus)
            finally:
                corpus.delete_scratch()
        _copy(scratch, output)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return [*read, *more], card


def _read_class(
    paths: list[str], source: str, name: str, recipe: Recipe, context: RunContext, limit: int | None
) -> tuple[list[StageResult], list[Shard]]:
    """Shards of the documents of one class, made from files where they are not shards of a run already."""
    shards: list[Shard] = []
    results: list[StageResult] = []
    archives, tables = [], []
    for path in paths:
        place = finished_stage_of(path)
        if place:
            shards += committed_shards(*place)
            continue
        own_archives, own_tables = _named(path, crawl_inputs.SUFFIXES), _named(path, input_rows.SUFFIXES)
        archives += own_archives
        tables += own_tables
        if not (own_archives or own_tables):
            raise InputError(f"{path} holds no file of a known kind; give WARC, WET or ARC files, JSONL, Parquet, .txt or .md")
    if name == "positives" and shards:
        raise InputError("positives cannot be the folder of a stage, whose documents have sources of their own; give files")
    if tables:
        results.append(run_import(f"filter/{name}", tables, ImportSettings(source, normalise=True), context, limit))
        shards += committed_shards(context.folder, f"filter/{name}")
    if archives:
        inner = replace(context, folder=storage.join(context.folder, name))
        settings = recipe.crawl.model_copy(update={"source": source, "links": [], "snapshot": None, "paths": []})
        results.append(crawl.run_crawl(settings, archives, inner, limit))
        shards += committed_shards(inner.folder, crawl.STAGE)
    return results, shards


def _named(path: str, suffixes: tuple[str, ...]) -> list[str]:
    """Files of these kinds that a path, glob or folder names; none if it names other files only."""
    try:
        return [file for file in storage.expand_paths([path], suffixes) if file.lower().endswith(suffixes)]
    except InputError:
        return []


def _copy(scratch: str, output: str) -> None:
    """Commit the model's files; the description, which vouches for the others, last."""
    prepared = storage.join(scratch, "filter", "prepared")
    names = sorted(path.rpartition("/")[2] for path in storage.list_folder(prepared))
    for name in sorted(names, key=lambda name: name == DESCRIPTION):
        storage.commit_bytes(storage.join(output, name), storage.read_bytes(storage.join(prepared, name)))
