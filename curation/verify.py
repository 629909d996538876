"""Check every committed output of a run against the manifest that vouches for it."""

from __future__ import annotations

from collections.abc import Iterator

from curation import storage
from curation.errors import InputError, PipelineError
from curation.explain import STAGE_FOLDERS
from curation.finished import TRAIN, committed_manifests, prepared_files, read_model_manifest, read_stage_file, stage_file
from curation.ledger import Counts
from curation.shards import ManifestFile, file_is_intact


def verify_run(run: str) -> tuple[int, list[str]]:
    """How many files were checked, and a sentence for each that is damaged, missing, or does not add up.

    Raises:
        InputError: there is no such run.
    """
    checked = 0
    problems: list[str] = []
    stages = [stage for stage in STAGE_FOLDERS if storage.exists(stage_file(run, stage))]
    if not stages:
        raise InputError(f"{run} is no run folder: no stage has finished there; check --run")
    for stage in stages:
        try:
            manifests = committed_manifests(run, stage)
            prepared = prepared_files(run, stage)
        except PipelineError as error:
            problems.append(str(error))
            continue
        problems += _sums(run, stage, [manifest.counts for manifest in manifests])
        files = [file for manifest in manifests for file in manifest.files] + prepared
        checked += 1 + len(manifests) + len(files) + bool(prepared)
        problems += _damaged(run, files, stage)
    try:
        model = read_model_manifest(run)
    except PipelineError as error:
        return checked, [*problems, str(error)]
    if model is not None:
        files = [ManifestFile(**file) for file in model["files"]]
        checked += 1 + len(files)
        problems += _damaged(run, files, TRAIN)
    return checked, problems


def _damaged(run: str, files: list[ManifestFile], stage: str) -> Iterator[str]:
    for file in files:
        path = storage.join(run, file.name)
        if not storage.exists(path):
            yield f"{path} is missing; run the stage {stage} again"
        elif not file_is_intact(path, file):
            yield f"{path} is damaged (size or sha256 differs from its manifest); run the stage {stage} again"


def _sums(run: str, stage: str, counts: list[Counts]) -> Iterator[str]:
    """The stage's total must be the sum of its parts, and every document accounted for."""
    total = sum(counts, Counts())
    finished = read_stage_file(run, stage)
    if finished is None or finished["counts"] != total.to_json() or total.accounted != total.entered:
        yield f"{storage.join(run, stage)}: the counts of its parts do not add up; run the stage {stage} again"
