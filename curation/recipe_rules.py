"""The recipe's rules of thumb for documents: every limit with its source. Null switches a rule off."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curation.section import Section

Preset = Literal["gopher", "gopher_repetition", "gopher_quality", "lines", "c4", "fineweb", "none"]
PersonalDataKind = Literal["email", "ipv4", "ipv6", "phone"]

GOPHER_STOP_WORDS = ["the", "be", "to", "of", "and", "that", "have", "with"]


class RuleSection(Section):
    """Limits of one family of rules."""


class GopherRepetitionSettings(RuleSection):
    """Repetition, as shares of the document (Gopher, arXiv 2112.11446, table A1)."""

    max_duplicate_paragraphs: float | None = Field(0.30, ge=0, description="paragraphs that occurred before, share of all")
    max_duplicate_paragraph_characters: float | None = Field(0.20, ge=0, description="characters in such paragraphs, share of all")
    max_duplicate_lines: float | None = Field(0.30, ge=0, description="lines that occurred before, share of all")
    max_duplicate_line_characters: float | None = Field(0.20, ge=0, description="characters in such lines, share of all")
    max_top_2_gram: float | None = Field(0.20, ge=0, description="characters in the most frequent 2-gram, share of all")
    max_top_3_gram: float | None = Field(0.18, ge=0, description="characters in the most frequent 3-gram, share of all")
    max_top_4_gram: float | None = Field(0.16, ge=0, description="characters in the most frequent 4-gram, share of all")
    max_duplicate_5_grams: float | None = Field(0.15, ge=0, description="characters in 5-grams that occurred before, share of all")
    max_duplicate_6_grams: float | None = Field(0.14, ge=0, description="characters in 6-grams that occurred before, share of all")
    max_duplicate_7_grams: float | None = Field(0.13, ge=0, description="characters in 7-grams that occurred before, share of all")
    max_duplicate_8_grams: float | None = Field(0.12, ge=0, description="characters in 8-grams that occurred before, share of all")
    max_duplicate_9_grams: float | None = Field(0.11, ge=0, description="characters in 9-grams that occurred before, share of all")
    max_duplicate_10_grams: float | None = Field(0.10, ge=0, description="characters in 10-grams that occurred before, share of all")


class GopherQualitySettings(RuleSection):
    """Words and lines of prose (Gopher, arXiv 2112.11446, A.1.1)."""

    min_words: int | None = Field(50, ge=0, description="words that are more than punctuation")
    max_words: int | None = Field(100_000, ge=0, description="words that are more than punctuation")
    min_mean_word_length: float | None = Field(3.0, ge=0, description="characters of such a word")
    max_mean_word_length: float | None = Field(10.0, ge=0, description="characters of such a word")
    max_hashes: float | None = Field(0.1, ge=0, description="# signs a word")
    max_ellipses: float | None = Field(0.1, ge=0, description="ellipses (... or …) a word")
    max_bullet_lines: float | None = Field(0.9, ge=0, description="lines that begin with • or -, share of all")
    max_ellipsis_lines: float | None = Field(0.3, ge=0, description="lines that end with an ellipsis, share of all")
    min_alphabetic_words: float | None = Field(0.8, ge=0, description="words with a letter, share of all")
    min_stop_words: int | None = Field(2, ge=0, description="how many different stop words occur at least")
    stop_words: list[str] = Field(GOPHER_STOP_WORDS, description="stop words, in lower case as they are looked for; the default is English")


class LineSettings(RuleSection):
    """Lines that are no prose are cut out (RefinedWeb, arXiv 2306.01116, G.2)."""

    max_upper_case: float | None = Field(
        0.5, ge=0, le=1, description="capitals, share of a line's letters above which it is cut (our choice)"
    )
    cut_numbers: bool = Field(True, description="cut lines of digits and punctuation only")
    cut_counters: bool = Field(True, description="cut lines such as '3 likes'")
    cut_single_words: bool = Field(True, description="cut lines of one word")
    max_cut_words: float | None = Field(0.05, ge=0, le=1, description="words in lines cut, share above which the document is removed")


class C4Settings(RuleSection):
    """Lines that are no sentences are cut out, and documents with few sentences removed (C4, JMLR 21-074, 2.2)."""

    terminal_punctuation: bool = Field(True, description="cut lines that do not end with . ! ? or a quotation mark, or that end with ...")
    min_words_per_line: int | None = Field(3, ge=0, description="cut lines with fewer words between spaces")
    max_word_length: int | None = Field(1000, ge=0, description="cut lines with a longer word, characters")
    cut_javascript: bool = Field(True, description="cut lines with the word javascript")
    cut_policies: bool = Field(True, description="cut lines about terms of use, privacy and cookie policies")
    cut_citations: bool = Field(True, description="cut citation marks such as [1] and [edit] out of lines")
    max_lorem_ipsum: int | None = Field(0, ge=0, description="lines with lorem ipsum, of those left")
    max_curly_brackets: int | None = Field(0, ge=0, description="lines with a {, of those left")
    min_sentences: int | None = Field(5, ge=0, description="sentences in the lines left")
    max_bad_words: int | None = Field(0, ge=0, description="different words of the list bad_words")
    bad_words: str | None = Field(None, description="file with a word or phrase a line; null: none")


class FinewebSettings(RuleSection):
    """Lists and repeated lines (FineWeb, arXiv 2406.17557, 3.6)."""

    min_punctuated_lines: float | None = Field(0.12, ge=0, le=1, description="lines that end with terminal punctuation, share of all")
    max_short_lines: float | None = Field(0.67, ge=0, description="lines of at most short_line_characters, share of all")
    short_line_characters: int = Field(30, ge=0, description="longest short line, characters")
    max_duplicate_line_characters: float | None = Field(0.01, ge=0, description="characters in lines that occurred before, share of all")
    max_newlines: float | None = Field(0.3, ge=0, description="newlines a word")


class UrlSettings(RuleSection):
    """Rules on the address; documents without one pass."""

    max_characters: int | None = Field(None, ge=1, description="longest address, characters")
    max_digits: float | None = Field(None, ge=0, le=1, description="digits, share of the address's characters")
    max_hyphens: int | None = Field(None, ge=0, description="hyphens in the host name")
    max_numeric_hosts: int | None = Field(None, ge=0, le=0, description="0: hosts that are IP addresses are removed; null: they pass")
    max_bad_words: int | None = Field(0, ge=0, description="different words of the list bad_words in the address")
    bad_words: str | None = Field(None, description="file with a word a line, letters and digits; null: none")


class RuleSettings(Section):
    """Rules of thumb beside the classifier: which families are applied, and their limits."""

    presets: list[Preset] = Field(["none"], description="families of rules to apply; gopher: gopher_repetition and gopher_quality")
    letters_as_words: bool = Field(
        False,
        description="letters of scripts without spaces (Chinese, Thai) are words; false: what stands between spaces, as published",
    )
    url: UrlSettings = Field(UrlSettings(), description="applied whatever the presets, as far as limits are given")
    gopher_repetition: GopherRepetitionSettings = Field(GopherRepetitionSettings(), description="part of preset gopher")
    gopher_quality: GopherQualitySettings = Field(GopherQualitySettings(), description="part of preset gopher")
    lines: LineSettings = Field(LineSettings(), description="preset lines")
    c4: C4Settings = Field(C4Settings(), description="preset c4")
    fineweb: FinewebSettings = Field(FinewebSettings(), description="preset fineweb")

    @property
    def families(self) -> list[str]:
        """Names of the sections that apply, in the order of the rules."""
        chosen = set[str](self.presets)
        if "gopher" in chosen:
            chosen |= {"gopher_repetition", "gopher_quality"}
        if self.url != UrlSettings():
            chosen.add("url")
        return [name for name in RULE_SECTIONS if name in chosen]

    @property
    def files(self) -> list[str]:
        """Word lists that the chosen families read."""
        lists = {"url": self.url.bad_words, "c4": self.c4.bad_words}
        return [path for name, path in lists.items() if path and name in self.families]


RULE_SECTIONS = ("url", "gopher_repetition", "gopher_quality", "lines", "c4", "fineweb")  # the order in which rules are applied
