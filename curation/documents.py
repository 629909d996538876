"""The Document: one row of a Parquet shard, the only thing that stages hand to each other.

The first nine columns carry FineWeb's names, so that shards load wherever FineWeb does.
A frame of documents always has exactly the columns of ``SCHEMA``, in this order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

# A piece names the document that it was cut from and its span there:
# characters (Unicode code points), start inclusive, end exclusive.
PIECE = pl.Struct({"parent": pl.String, "start": pl.Int64, "end": pl.Int64})

# column: (type, what it holds, the stage that writes it)
COLUMNS: dict[str, tuple[pl.DataType | type[pl.DataType], str, str]] = {
    "id": (pl.String, "WARC-Record-ID without its dressing, or sha256 of (file, offset)", "crawl"),
    "text": (pl.String, "the document's text, normalised Unicode, newline-separated", "crawl"),
    "url": (pl.String, "address the page was fetched from", "crawl"),
    "date": (pl.String, "crawl time, ISO 8601, UTC", "crawl"),
    "dump": (pl.String, "name of the crawl snapshot, such as CC-MAIN-2024-22", "crawl"),
    "file_path": (pl.String, "input file that held the record", "crawl"),
    "language": (pl.String, "language code, the shortest of ISO 639; und: none could be told", "crawl"),
    "language_score": (pl.Float64, "probability of the language, 0 to 1", "crawl"),
    "token_count": (pl.Int64, "tokens of the text, where the input states them", "import"),
    "source": (pl.String, "corpus of the mixture: commoncrawl, webtext, curated, ...", "crawl"),
    "warc_offset": (pl.Int64, "byte offset of the record in its file", "crawl"),
    "warc_length": (pl.Int64, "bytes of the record in its file", "crawl"),
    "title": (pl.String, "title of the page, one line, where the recipe asks for metadata", "crawl"),
    "published": (pl.String, "day of publication that the page states, YYYY-MM-DD, where the recipe asks for metadata", "crawl"),
    "main_content": (pl.Boolean, "whether the text is the page's main content (true) or all of it, where the recipe asks", "crawl"),
    "confidence": (pl.Float64, "F1 that the extractor expects of the text, 0 to 1, where it says", "crawl"),
    "karma": (pl.Int64, "best Reddit score among links to the page", "crawl"),
    "quality_score": (pl.Float64, "probability of the positive class, 0 to 1", "filter"),
    "pieces": (PIECE, "parent and character span, for a piece of a split document", "decontaminate"),
    "metadata": (pl.String, "further fields of an imported document, as JSON", "import"),
}

SCHEMA = pl.Schema({name: dtype for name, (dtype, _, _) in COLUMNS.items()})


def documents_frame(rows: Iterable[Mapping[str, Any]] = ()) -> pl.DataFrame:
    """Frame with exactly the document columns; columns that a row lacks are null."""
    return pl.DataFrame(list(rows), schema=SCHEMA)


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """The same documents with exactly the columns of ``SCHEMA``, in order, in its types.

    Raises:
        polars.exceptions.PolarsError: a column holds values that do not fit its type.
    """
    missing = [pl.lit(None, dtype=SCHEMA[name]).alias(name) for name in SCHEMA if name not in frame.columns]
    return frame.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
