"""The commands ``dedup clusters`` and ``dedup merge``; everything heavy is imported when they run."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator

from curation.options import positive

SHOWN_CLUSTERS = 20


def add_clusters_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``dedup clusters``."""
    command.add_argument("--run", metavar="RUN", required=True, help="folder of the run, or an fsspec URL")
    command.add_argument("--limit", type=positive, default=SHOWN_CLUSTERS, metavar="N", help=f"how many (default: {SHOWN_CLUSTERS})")


def clusters(options: argparse.Namespace) -> int:
    """Print the largest clusters of duplicates, with samples."""
    from curation.errors import EXIT_DONE
    from dedup.summary import cluster_lines, read_clusters

    print("\n".join(cluster_lines(read_clusters(options.run), options.limit)))
    return EXIT_DONE


def add_merge_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``dedup merge``."""
    command.add_argument("--against", metavar="INDEX", required=True, help="index that is added to")
    command.add_argument("--input", nargs="+", action="extend", required=True, metavar="INDEX", help="indexes that are added")


def merge(options: argparse.Namespace) -> int:
    """Add to one index what others hold."""
    from curation.errors import EXIT_DONE
    from dedup.index import check_description, merge_index

    for source in options.input:  # before a folder is made for what cannot be read
        check_description(source)
    with index_lock(options.against):
        added = [merge_index(options.against, source) for source in options.input]
    print(f"merged: {sum(added)} segments added to {options.against}")
    return EXIT_DONE


@contextlib.contextmanager
def index_lock(index: str) -> Iterator[None]:
    """Hold an index while it is read and added to."""
    from curation import storage
    from curation.lock import run_lock

    if storage.is_remote(index):  # refused when it is opened
        yield
        return
    with run_lock(index, "--against"):
        storage.remove_temporary_files(index)
        yield
