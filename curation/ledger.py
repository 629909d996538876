"""The ledger: what happened to each document, and why.

One row for every document that was not simply kept, for every stage and shard, so that
``in = kept + changed + removed(reason) + quarantined(reason)`` can be checked and
``explain`` can tell a document's whole life. Reasons are one closed list.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import polars as pl


class Action(StrEnum):
    """What a stage did with a document that it did not simply keep."""

    CHANGED = "changed"
    REMOVED = "removed"
    QUARANTINED = "quarantined"


class Reason(StrEnum):
    """Why; the closed list of all stages. ``reason.sentence`` explains it to a reader."""

    sentence: str

    def __new__(cls, value: str, sentence: str = "") -> Reason:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    # Reading records and rows
    DAMAGED_RECORD = "damaged_record", "The record is cut short or cannot be decoded; its raw bytes are kept."
    REPAIRED_RECORD = "repaired_record", "Something of the record's coding was wrong; the text was made from what could be decoded."
    UNREADABLE_ROW = "unreadable_row", "The input row is no JSON object or holds no text."
    # Extracting
    EMPTY_TEXT = "empty_text", "No text was left after extraction."
    NO_MAIN_CONTENT = (
        "no_main_content",
        "No part of the page is likely to be main text: a shell for scripts, an error or consent page.",
    )
    ADDRESS_DENIED = "address_denied", "A domain, list, pattern or file ending of the recipe excludes the page's address."
    ADDRESS_NOT_ALLOWED = "address_not_allowed", "The recipe includes certain addresses, and the page's is none of them."
    OTHER_MEDIA_TYPE = "other_media_type", "The recipe selects by media type, and the page has another one."
    OTHER_SIZE = "other_size", "The page's body is smaller or larger than the recipe selects."
    NOT_SHARED = "not_shared", "No sufficiently upvoted link leads to the page, and the recipe selects by links."
    BODY_OVER_LIMIT = "body_over_limit", "The decoded body was longer than the limit; the text was made from its beginning."
    PAGE_OVER_TIME = "page_over_time", "Extraction took longer than the page's time limit, twice."
    PAGE_OVER_MEMORY = "page_over_memory", "Extraction took more memory than the page's limit, twice."
    TOO_MANY_BLOCKS = "too_many_blocks", "The page has more blocks of text than the extractor judges."
    PAGE_TOO_DEEP = "page_too_deep", "Elements of the page nest deeper than the limit; extractors drop such text in silence."
    TOO_MANY_ATTRIBUTES = "too_many_attributes", "One tag of the page has more attributes than the limit."
    NOT_TEXT = "not_text", "The body is an image, a document or another binary file, whatever its header says."
    CHARACTERS_REPLACED = "characters_replaced", "Some bytes fit no encoding; the text has replacement characters in their place."
    EXTRACTOR_CRASHED = "extractor_crashed", "The extractor died or failed on the page, twice."
    OTHER_LANGUAGE = "other_language", "The text is in none of the languages that the recipe keeps."
    UNCERTAIN_LANGUAGE = "uncertain_language", "The language of the text is less certain than the recipe asks for."
    TOO_FEW_TOKENS = "too_few_tokens", "The text has fewer words and punctuation marks than the recipe asks for."
    UNREACHABLE_QUALITY = (
        "unreachable_quality",
        "A draft of the text scored so low that the filter would not keep the page; it was not extracted.",
    )
    # Filtering
    TOO_SHORT = "too_short", "The document has fewer words than the classifier can judge."
    LOW_QUALITY = "low_quality", "The score, or the draw made with it, fell below what the keep rule asks for."
    # Filtering: rules on the address and on repetition, words, lines and sentences
    URL_TOO_LONG = "url_too_long", "The address has more characters than the limit."
    URL_DIGITS = "url_digits", "Too large a share of the address is digits."
    URL_HYPHENS = "url_hyphens", "The host name has more hyphens than the limit."
    URL_NUMERIC_HOST = "url_numeric_host", "The host is an IP address."
    URL_BAD_WORDS = "url_bad_words", "The address has more words of the given list than the limit."
    GOPHER_DUPLICATE_PARAGRAPHS = "gopher_duplicate_paragraphs", "Too many paragraphs occurred before in the document."
    GOPHER_DUPLICATE_PARAGRAPH_CHARACTERS = (
        "gopher_duplicate_paragraph_characters",
        "Too much of the text is paragraphs that occurred before.",
    )
    GOPHER_DUPLICATE_LINES = "gopher_duplicate_lines", "Too many lines occurred before in the document."
    GOPHER_DUPLICATE_LINE_CHARACTERS = "gopher_duplicate_line_characters", "Too much of the text is lines that occurred before."
    GOPHER_TOP_2_GRAM = "gopher_top_2_gram", "Too much of the text is its most frequent 2-gram."
    GOPHER_TOP_3_GRAM = "gopher_top_3_gram", "Too much of the text is its most frequent 3-gram."
    GOPHER_TOP_4_GRAM = "gopher_top_4_gram", "Too much of the text is its most frequent 4-gram."
    GOPHER_DUPLICATE_5_GRAMS = "gopher_duplicate_5_grams", "Too much of the text is 5-grams that occurred before."
    GOPHER_DUPLICATE_6_GRAMS = "gopher_duplicate_6_grams", "Too much of the text is 6-grams that occurred before."
    GOPHER_DUPLICATE_7_GRAMS = "gopher_duplicate_7_grams", "Too much of the text is 7-grams that occurred before."
    GOPHER_DUPLICATE_8_GRAMS = "gopher_duplicate_8_grams", "Too much of the text is 8-grams that occurred before."
    GOPHER_DUPLICATE_9_GRAMS = "gopher_duplicate_9_grams", "Too much of the text is 9-grams that occurred before."
    GOPHER_DUPLICATE_10_GRAMS = "gopher_duplicate_10_grams", "Too much of the text is 10-grams that occurred before."
    GOPHER_TOO_FEW_WORDS = "gopher_too_few_words", "The document has fewer words than the limit."
    GOPHER_TOO_MANY_WORDS = "gopher_too_many_words", "The document has more words than the limit."
    GOPHER_SHORT_WORDS = "gopher_short_words", "The mean length of the words is below the limit."
    GOPHER_LONG_WORDS = "gopher_long_words", "The mean length of the words is above the limit."
    GOPHER_HASHES = "gopher_hashes", "There are too many # signs for the number of words."
    GOPHER_ELLIPSES = "gopher_ellipses", "There are too many ellipses for the number of words."
    GOPHER_BULLET_LINES = "gopher_bullet_lines", "Too many lines begin with a bullet."
    GOPHER_ELLIPSIS_LINES = "gopher_ellipsis_lines", "Too many lines end with an ellipsis."
    GOPHER_FEW_ALPHABETIC_WORDS = "gopher_few_alphabetic_words", "Too few words hold a letter."
    GOPHER_FEW_STOP_WORDS = "gopher_few_stop_words", "Too few different stop words occur."
    LINES_CUT = "lines_cut", "Lines, or marks in lines, that are no prose were cut out; the rest stays."
    NO_LINE_LEFT = "no_line_left", "Every line was cut out as being no prose."
    TOO_MANY_WORDS_CUT = "too_many_words_cut", "Too many of the words stood in lines that are no prose."
    C4_BAD_WORDS = "c4_bad_words", "The text has a word or phrase of the given list."
    C4_LOREM_IPSUM = "c4_lorem_ipsum", "The text has lorem ipsum."
    C4_CURLY_BRACKETS = "c4_curly_brackets", "The text has a curly bracket."
    C4_FEW_SENTENCES = "c4_few_sentences", "Fewer sentences than the limit are left after lines that are no sentences were cut out."
    FINEWEB_FEW_PUNCTUATED_LINES = "fineweb_few_punctuated_lines", "Too few lines end with terminal punctuation."
    FINEWEB_SHORT_LINES = "fineweb_short_lines", "Too many lines are short."
    FINEWEB_DUPLICATE_LINE_CHARACTERS = "fineweb_duplicate_line_characters", "Too much of the text is lines that occurred before."
    FINEWEB_NEWLINES = "fineweb_newlines", "There are too many newlines for the number of words."
    PERSONAL_DATA_REPLACED = "personal_data_replaced", "Personal data was replaced by placeholders; the document stays."
    # Deduplication
    SAME_ADDRESS = "same_address", "Another document of the same address stays: the newest, or the preferred one."
    EXACT_DUPLICATE = "exact_duplicate", "The normalised text equals that of another document, which stays."
    NEAR_DUPLICATE = "near_duplicate", "The Jaccard similarity with another document, which stays, reaches the threshold."
    # Decontamination
    CONTAMINATED = "contaminated", "Windows around n-grams of a benchmark were cut out; the pieces stay."
    HOLDS_BENCHMARK_TEXT = "holds_benchmark_text", "The document holds n-grams of a benchmark, and the recipe drops such documents whole."
    TOO_MANY_PIECES = "too_many_pieces", "Cutting benchmark n-grams out split the document into too many pieces."
    NO_PIECE_LEFT = "no_piece_left", "Every piece left after cutting benchmark n-grams out was too short."
    # Any stage
    WORKER_KILLED = "worker_killed", "The document killed its worker process twice."


SCHEMA = pl.Schema({"id": pl.String, "stage": pl.String, "action": pl.String, "reason": pl.String, "detail": pl.String})


def ledger_row(document_id: str, action: Action, reason: Reason, **detail: Any) -> dict[str, str]:
    """One ledger row without its stage (``run_stage`` adds it); ``detail`` becomes JSON with sorted keys."""
    return {
        "id": document_id,
        "action": action.value,
        "reason": reason.value,
        "detail": json.dumps(detail, sort_keys=True, ensure_ascii=False),
    }


def ledger_frame(rows: Iterable[dict[str, str]], stage: str) -> pl.DataFrame:
    """Frame of ledger rows of one stage."""
    return pl.DataFrame([{**row, "stage": stage} for row in rows], schema=SCHEMA)


@dataclass
class Counts:
    """How many documents came into a stage and what became of them; adds up over shards."""

    entered: int = 0
    kept: int = 0
    changed: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    # Records that are no pages, by reason; they are not documents and have no ledger row.
    skipped: Counter[str] = field(default_factory=Counter)
    characters_in: int = 0
    characters_out: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.entered + other.entered,
            self.kept + other.kept,
            self.changed + other.changed,
            self.removed + other.removed,
            self.quarantined + other.quarantined,
            self.skipped + other.skipped,
            self.characters_in + other.characters_in,
            self.characters_out + other.characters_out,
        )

    @property
    def accounted(self) -> int:
        """Documents whose fate is known; equals ``entered``, or documents were lost."""
        return self.kept + self.changed + self.removed.total() + self.quarantined.total()

    def to_json(self) -> dict[str, Any]:
        """The form that manifests and summaries hold (``entered`` is called ``in`` there)."""
        return {
            "in": self.entered,
            "kept": self.kept,
            "changed": self.changed,
            "removed": dict(sorted(self.removed.items())),
            "quarantined": dict(sorted(self.quarantined.items())),
            "skipped": dict(sorted(self.skipped.items())),
            "characters_in": self.characters_in,
            "characters_out": self.characters_out,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Counts:
        """Inverse of ``to_json``."""
        return cls(
            values["in"],
            values["kept"],
            values["changed"],
            Counter(values["removed"]),
            Counter(values["quarantined"]),
            Counter(values.get("skipped", {})),
            values.get("characters_in", 0),
            values.get("characters_out", 0),
        )
