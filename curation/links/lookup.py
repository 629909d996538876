"""A table of links → the place of one capture of each page in Common Crawl's files.

Links are cut into parts by their hosts, in the order of the index, so that memory holds one part, and of a sorted index each
part reads its own stretch. The table of places is in the order of files and offsets, in which ``crawl`` fetches them.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from curation import storage
from curation.links.captures import PLACES, CaptureIndex, choose_captures, is_page, match_captures
from curation.links.cdx_index import BLOCKS_ENDING, LINES_ENDINGS, LINES_FILES, CdxFiles, CdxServer, ZipnumIndex
from curation.links.columnar_index import ColumnarIndex, columnar_files
from curation.links.dumps import scratch_folder
from curation.links.partitions import append_to_partition, take_partition
from curation.links.surt import surts_of
from curation.links.table import check_target, commit_sorted, count_links, read_link_slices
from curation.progress import Progress
from curation.recipe_links import LookupSettings
from curation.sources.web import Client, is_web

PART_LINKS = 1_000_000  # our choice: links of a part, some 500 MB with what is found of them
READ_LINKS = 100_000  # links that are cut into parts at once; of the first ones the parts' borders are taken
LINK_COLUMNS = ("url", "key", "karma")
CDX_SERVER_ENDING = "-index"  # as in https://index.commoncrawl.org/CC-MAIN-2024-22-index


@dataclass
class LookupResult:
    """What became of the links: ``found``; ``no_page``, whose captures crawl does not read; ``no_capture``. Their sum is ``links``."""

    links: int = 0
    found: int = 0
    no_page: int = 0
    captures: int = 0

    @property
    def no_capture(self) -> int:
        """Links that no index has."""
        return self.links - self.found - self.no_page


def open_indexes(snapshots: list[str], places: list[str], client: Client) -> list[CaptureIndex]:
    """The indexes of snapshots, and of paths and URLs: Parquet files, a ``cluster.idx``, files of CDX lines, or a CDX server.

    Raises:
        InputError: the list of a snapshot's files cannot be read, or a path names no file.
    """
    indexes: list[CaptureIndex] = [ColumnarIndex(columnar_files(client, snapshot), client.settings) for snapshot in snapshots]
    parquet: list[str] = []
    for place in places:
        if place.endswith(BLOCKS_ENDING):
            indexes.append(ZipnumIndex(place, client))
        elif place.endswith(LINES_ENDINGS) or LINES_FILES.fullmatch(place.rpartition("/")[2]):
            indexes.append(CdxFiles(storage.expand_paths([place], LINES_ENDINGS)))
        elif is_web(place) and place.rstrip("/").endswith(CDX_SERVER_ENDING):
            indexes.append(CdxServer(place.rstrip("/"), client))
        else:
            parquet += [place] if is_web(place) else storage.expand_paths([place], (".parquet",))
    return [*indexes, *([ColumnarIndex(parquet, client.settings)] if parquet else [])]


def look_up(table: str, indexes: list[CaptureIndex], target: str, settings: LookupSettings, progress: Progress) -> LookupResult:
    """Write the table of places.

    Raises:
        InputError: the table or an index cannot be read.
        UsageError: the table of places would replace one of them.
        PipelineError: the table of places cannot be written.
    """
    check_target(target, [table, *(file for index in indexes for file in index.files)])
    result = LookupResult(links=count_links(table, LINK_COLUMNS))
    with scratch_folder(target) as name:
        scratch = Path(name)
        parts = _cut(table, result.links, scratch)
        files = []
        with progress.task("lookup", parts) as advance:
            for number in range(parts):
                files.append(scratch / f"places-{number:04}.parquet")
                wanted = pl.concat([_no_links(), *take_partition(scratch, number)])
                _look_up_part(wanted, indexes, settings, result).write_parquet(files[-1])
                advance(1)
        commit_sorted(files, target, ["file", "offset"])
    return result


def _no_links() -> pl.DataFrame:
    return pl.DataFrame(schema={"surt": pl.String, "url": pl.String, "key": pl.String, "karma": pl.Int64})


def _cut(table: str, count: int, scratch: Path) -> int:
    """Cut the links into parts by the hosts of their SURT keys; returns how many."""
    parts = max(1, -(-count // PART_LINKS))
    borders: list[str] = []
    for number, rows in enumerate(read_link_slices(table, LINK_COLUMNS, READ_LINKS)):
        keys = [surts_of(url, key) for url, key in zip(rows["url"], rows["key"], strict=True)]
        rows = rows.with_columns(pl.Series("surt", keys, pl.List(pl.String))).explode("surt")
        hosts = [surt.partition(")")[0] for surt in rows["surt"]]
        if number == 0:  # rows stand in the order of a hash, so that the first are a sample of all
            ordered = sorted(hosts)
            borders = [ordered[len(ordered) * part // parts] for part in range(1, parts)]
        numbered = rows.select(_no_links().columns).with_columns(pl.Series("part", [bisect_right(borders, host) for host in hosts]))
        for (part,), frame in numbered.partition_by("part", as_dict=True, include_key=False).items():
            append_to_partition(scratch, part, frame)
    return parts


def _look_up_part(links: pl.DataFrame, indexes: list[CaptureIndex], settings: LookupSettings, result: LookupResult) -> pl.DataFrame:
    """The places of some links; ``result`` is told of them."""
    surts = links["surt"].unique().sort().to_list()
    found = [match_captures(links, captures) for index in indexes for captures in (index.find(surts) if surts else [])]
    matched = pl.concat(found) if found else None
    if matched is None or matched.is_empty():
        return pl.DataFrame(schema={name: pl.Int64 if name in ("karma", "status", "offset", "length") else pl.String for name in PLACES})
    places = choose_captures(matched, settings)
    result.captures += matched.select("key", "file", "offset").n_unique()
    result.found += len(places)
    result.no_page += matched["key"].n_unique() - matched.filter(is_page())["key"].n_unique()
    return places
