"""Between a run and its index: the sketches that it sees there, and the segment that it adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from curation import storage
from curation.shards import ManifestFile, read_shard
from dedup.decisions import read_decisions
from dedup.index import IndexView, part_folder, sync
from dedup.sketches import MEMBER_COLUMNS, Content, ShardWork, Sketch, Sketching, sets_of, write_sketch


def index_sketches(view: IndexView) -> list[Sketch]:
    """The parts of all segments that a run sees, as sketches numbered from 0."""
    sketches, first = [], 0
    for manifest in view.manifests():
        for part in manifest["parts"]:
            sketches.append(Sketch(part_folder(view.folder, manifest["name"], part["folder"]), first, part["documents"], indexed=True))
            first += part["documents"]
    return sketches


def write_part(sketching: Sketching, segment: str, prepared: str, item: tuple[int, ShardWork]) -> tuple[dict[str, Any], list[ManifestFile]]:
    """Write the documents of a shard that stay as one part of a segment; its entry in the manifest, and its files.

    ``segment``, ``prepared``: folders of the segment and of the decisions.
    """
    number, work = item
    sketch = work.sketch
    removed = read_decisions(prepared, number)
    members = sketch.members(np.arange(sketch.documents))
    rows = np.flatnonzero(~members["id"].is_in(removed["id"].implode()).to_numpy()) if len(members) else np.empty(0, np.int64)
    counts = sketch.array("counts")[rows]
    content = Content(
        members[rows].select(MEMBER_COLUMNS),
        counts,
        sketch.array("digests")[rows],
        sketch.array("keys")[rows],
        sketch.array("low")[rows],
        sketch.array("addresses")[rows] if sketch.has("addresses") else None,
        counts >= sketching.ngram_words,
    )
    name = f"part-{number:05}"
    folder = Path(segment) / name
    write_sketch(folder, content)
    sizes = [np.zeros(1, np.int64)]
    with (folder / "sets.bin").open("wb") as stream:
        for sets, count in sets_of(read_shard(work.shard, ["text"])["text"][rows], sketching):
            sizes.append(count)
            stream.write(sets.tobytes())
    np.save(folder / "set_bounds.npy", np.cumsum(np.concatenate(sizes)))
    files = []
    for path in sorted(folder.iterdir()):
        sync(path)
        stored = storage.hash_file(str(path))
        files.append(ManifestFile(f"{name}/{path.name}", len(rows), stored.bytes, stored.sha256))
    sync(folder)
    return {"folder": name, "documents": len(rows)}, files
