"""A document's whole life, from the documents and ledgers of every stage of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from curation import storage
from curation.errors import InputError, PipelineError
from curation.finished import committed_manifests, read_stage_file
from curation.ids import names_a_piece
from curation.ledger import SCHEMA, Reason
from curation.sources.urls import canonical_key
from curation.tables import read_table, tables_of

# Folders that hold finished stages, in the order in which documents meet them.
STAGE_FOLDERS = (
    "crawl",
    "filter/input",
    "filter/positives",
    "filter",
    "dedup/input",
    "dedup",
    "decontaminate/input",
    "decontaminate",
    "tokenize/input",
    "tokenize",
)


def finished_stages(run: str) -> list[str]:
    """Stages of a run that have finished.

    Raises:
        InputError: there is no such run.
    """
    stages = [stage for stage in STAGE_FOLDERS if read_stage_file(run, stage) is not None]
    if not stages:
        raise InputError(f"{run} is no run folder: no stage has finished there; check --run")
    return stages


def document_ids(run: str, key: str) -> list[str]:
    """Ids that the key names: itself, or those of all documents with this address; empty if the run does not know it.

    Raises:
        InputError: there is no such run.
    """
    return _ids_of(run, finished_stages(run), key)


def explain_document(run: str, document_id: str) -> list[str]:
    """Lines for people about the document with this id.

    Raises:
        InputError: there is no such run.
    """
    return [printable(line) for line in _life(run, finished_stages(run), document_id)]


def printable(text: str) -> str:
    """The text in which nothing steers a terminal: a blank for what is no printable character."""
    return "".join(character if character.isprintable() else " " for character in text)


def find_document(run: str, key: str) -> dict[str, Any] | None:
    """Id, address, source and text of the document with this id or URL as it was first committed; None if the run holds no text of it.

    Raises:
        InputError: there is no such run.
    """
    stages = finished_stages(run)
    for document_id in _ids_of(run, stages, key):
        for stage in stages:
            rows = _rows(run, stage, "documents", ["id", "url", "source", "text"], pl.col("id").eq(document_id)).to_dicts()
            if rows:
                return rows[0]
    return None


@dataclass(frozen=True)
class CrawledPage:
    """Where the crawl of a run read a page, and what came of it.

    ``file_bytes``: size of the input file then. ``extractor``: of the recipe; None where the crawl is older than its manifests' word on it.
    ``text``: None if no document was kept. ``copies``: where else the file may lie, in a local mirror or in the cache of the run's recipe.
    """

    id: str
    file: str
    file_bytes: int | None
    offset: int
    extractor: str | None
    text: str | None
    copies: tuple[str, ...] = ()


def find_page(run: str, document_id: str) -> CrawledPage | None:
    """The page of a document, kept or not; None if it was not crawled in this run.

    Raises:
        InputError: there is no such run.
    """
    if "crawl" not in finished_stages(run):
        return None
    own = pl.col("id").eq(document_id)
    places = [tuple(row.values()) for row in _rows(run, "crawl", "documents", ["file_path", "warc_offset", "text"], own).to_dicts()]
    details = [json.loads(detail) for detail in _rows(run, "crawl", "ledger", ["detail"], own)["detail"]]
    places += [(detail["file"], detail["offset"], None) for detail in details if "file" in detail and "offset" in detail]
    if not places:
        return None
    file, offset, text = places[0]
    manifests = committed_manifests(run, "crawl")
    size = next((item["bytes"] for manifest in manifests for item in manifest.inputs if item["path"] == file), None)
    extractor = next((manifest.statistics["extractor"] for manifest in manifests if "extractor" in manifest.statistics), None)
    return CrawledPage(document_id, file, size, offset, extractor, text, _copies(run, file))


def _copies(run: str, file: str) -> tuple[str, ...]:
    from curation.crawl_inputs import file_name
    from curation.recipe_file import load_recipe

    own_recipe = storage.join(run, "recipe.yaml")
    try:
        settings = load_recipe(own_recipe if storage.exists(own_recipe) else None, []).crawl
    except PipelineError:  # of another version, or changed by hand: the document's life needs none
        return ()
    mirror = () if storage.is_remote(settings.remote.base_url) else (storage.join(settings.remote.base_url, file),)
    return mirror if settings.cache is None else (*mirror, storage.join(settings.cache, file_name(file)))


def _ids_of(run: str, stages: list[str], key: str) -> list[str]:
    found: dict[str, None] = {}
    address = canonical_key(key) or canonical_key(f"http://{key}")
    for stage in stages:
        documents = _rows(run, stage, "documents", ["id", "url"], pl.col("id").eq(key) | pl.col("url").eq(key))
        ledger = _rows(run, stage, "ledger", ["id", "detail"], pl.col("id").eq(key) | _mentions(key))
        found |= dict.fromkeys(documents["id"].to_list())
        found |= dict.fromkeys(row["id"] for row in ledger.to_dicts() if row["id"] == key or json.loads(row["detail"]).get("url") == key)
    if not found and address is not None:
        # The same page under another spelling of its address, where documents come from.
        for stage in (stage for stage in stages if stage == "crawl" or "/" in stage):
            documents = _rows(run, stage, "documents", ["id", "url"], pl.col("url").is_not_null())
            ledger = _rows(run, stage, "ledger", ["id", "detail"], pl.col("detail").str.contains('"url": "', literal=True))
            urls = [(row["id"], row["url"]) for row in documents.to_dicts()]
            urls += [(row["id"], json.loads(row["detail"]).get("url") or "") for row in ledger.to_dicts()]
            found |= dict.fromkeys(document_id for document_id, url in urls if canonical_key(url) == address)
    return list(dict.fromkeys(_whole(run, stages, document_id) for document_id in found))  # pieces are told with their parent


def _whole(run: str, stages: list[str], document_id: str) -> str:
    """The document that a piece was cut from, if the run knows it; else the document itself."""
    parent = document_id.rpartition("#")[0]
    if not names_a_piece(document_id):
        return document_id
    known = any(_rows(run, stage, "ledger", ["id"], pl.col("id").eq(parent)).height for stage in stages)
    return parent if known else document_id


def _mentions(url: str) -> pl.Expr:
    return pl.col("detail").str.contains(json.dumps(url, ensure_ascii=False), literal=True)


def _rows(run: str, stage: str, folder: str, columns: list[str], condition: pl.Expr) -> pl.DataFrame:
    tables = [table for manifest in committed_manifests(run, stage) for table in tables_of(run, manifest, folder)]
    at_a_glance = folder == "documents"  # a row of a ledger that damage hides would turn its document into a kept one
    frames = [read_table(table, columns, condition, at_a_glance) for table in tables]
    return pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(columns, pl.String))


def _life(run: str, stages: list[str], document_id: str) -> list[str]:
    lines = [f"document {document_id}"]
    own = pl.col("id").eq(document_id) | pl.col("id").str.starts_with(document_id + "#")
    alive: set[str] = set()
    for stage in stages:
        ledger = _rows(run, stage, "ledger", list(SCHEMA), own)
        for row in ledger.to_dicts():
            name = _piece_name(row["id"], document_id)
            lines.append(f"  {stage:<18} {name}{row['action']}: {row['reason']} - {Reason(row['reason']).sentence}")
            lines += [f"  {'':<18}   {key}: {_shown(value)}" for key, value in json.loads(row["detail"]).items()]
        told = set(ledger["id"].to_list())
        if stage == "tokenize" and alive - told:
            lines.append(f"  {stage:<18} kept: in the token shards of its source")
            continue
        documents = _rows(run, stage, "documents", _FACTS, own)
        for row in documents.to_dicts():
            if row["id"] not in told:
                lines.append(f"  {stage:<18} {_piece_name(row['id'], document_id)}kept: {_facts(row, stage)}")
        alive = set(documents["id"].to_list())
    return lines


_FACTS = ["id", "url", "source", "file_path", "warc_offset", "confidence", "quality_score", "text"]


def _piece_name(row_id: str, document_id: str) -> str:
    return "" if row_id == document_id else f"piece {row_id.removeprefix(document_id)} "


def _facts(row: dict[str, Any], stage: str) -> str:
    facts = [f"{len(row['text']):,} characters", f"source {row['source']}"]
    if stage == "crawl":
        facts += [f"url {row['url']}", f"{row['file_path']} at offset {row['warc_offset']}"]
        if row["confidence"] is not None:
            facts.append(f"F1 expected of the extraction {row['confidence']:.4f}")
    if row["quality_score"] is not None:
        facts.append(f"quality score {row['quality_score']:.4f}")
    return ", ".join(facts)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:297] + "..."
