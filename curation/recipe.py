"""The recipe: one typed, frozen section a stage, with the unit, range and source of every value.

YAML files, ``--set section.key=value`` and docs/recipe.md all come from these classes.
"""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from curation.recipe_fetch import FetchSettings
from curation.recipe_links import LinksSettings, LookupSettings
from curation.recipe_rules import PersonalDataKind, RuleSettings
from curation.recipe_train import TrainSettings
from curation.section import Section

MIB = 1 << 20


class CrawlLimits(Section):
    """Budgets of one record and one page; over them a page is cut and flagged, or quarantined."""

    header_bytes: int = Field(64 * 1024, ge=256, description="longest WARC header, bytes")
    body_bytes: int = Field(10 * MIB, ge=1, description="longest decoded body, bytes; the rest is cut off and flagged")
    decompressed_bytes: int = Field(64 * MIB, ge=1, description="largest record after decompression, bytes")
    decompression_ratio: int = Field(1000, ge=1, description="largest ratio of decompressed to compressed bytes")
    page_depth: int = Field(512, ge=32, le=2000, description="deepest nesting of elements in a page")
    tag_attributes: int = Field(1000, ge=1, description="most attributes of one tag")
    page_cpu_seconds: float = Field(10.0, gt=0, description="processor time to extract one page, seconds")
    page_wall_seconds: float = Field(60.0, gt=0, description="elapsed time to extract one page, seconds")
    page_memory_bytes: int = Field(512 * MIB, ge=64 * MIB, description="resident memory of the process that extracts a page, bytes")
    pages_per_process: int = Field(5000, ge=1, description="pages after which the extracting process is replaced")


PageMediaType = Literal["text/html", "application/xhtml+xml", "text/plain"]


class SelectSettings(Section):
    """Which pages are read at all, by address, type and size, before any HTML is parsed; the others are removed. Excluding wins."""

    deny_domains: list[str] = Field(
        [], description="example.org (with all below it), example.* (under any suffix) or example.org/path to exclude"
    )
    deny_lists: list[str] = Field(
        [], description="files of such entries, one a line, also .gz; folders with domains and urls files, as UT1's"
    )
    deny_patterns: list[str] = Field([], description="regular expressions; an address in which one is found is excluded")
    deny_extensions: list[str] = Field([], description="endings of paths to exclude, such as pdf")
    allow_domains: list[str] = Field([], description="as deny_domains; where something is allowed, all other addresses are excluded")
    allow_lists: list[str] = Field([], description="as deny_lists")
    allow_patterns: list[str] = Field([], description="as deny_patterns")
    media_types: list[PageMediaType] = Field(
        ["text/html", "application/xhtml+xml", "text/plain"], min_length=1, description="types of pages to keep"
    )
    min_body_bytes: int = Field(0, ge=0, description="smallest decoded body, bytes")
    max_body_bytes: int | None = Field(None, ge=0, description="largest decoded body, bytes; null: any up to crawl.limits.body_bytes")

    @property
    def names_addresses(self) -> bool:
        """Whether there are domains or lists to look addresses up in."""
        return any([self.deny_domains, self.deny_lists, self.allow_domains, self.allow_lists])

    @field_validator("deny_patterns", "allow_patterns")
    @classmethod
    def _are_regular_expressions(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise PydanticCustomError(
                    "no_pattern", "Input should be regular expressions ({problem})", {"problem": str(error)}
                ) from error
        return patterns

    @field_validator("max_body_bytes")
    @classmethod
    def _leaves_a_size(cls, most: int | None, others: ValidationInfo) -> int | None:
        least = others.data.get("min_body_bytes", 0)
        if most is not None and most < least:
            raise PydanticCustomError("no_size", "Input should be at least min_body_bytes, {least}, or no page is left", {"least": least})
        return most

    @field_validator("deny_extensions")
    @classmethod
    def _are_plain_extensions(cls, extensions: list[str]) -> list[str]:
        return [extension.lower().removeprefix(".") for extension in extensions]


class RemoteSettings(Section):
    """How files are fetched from web servers and object stores; nothing here changes an output."""

    base_url: str = Field(
        "https://data.commoncrawl.org/",
        min_length=1,
        description="where Common Crawl's paths begin: https, s3://commoncrawl/, or the folder of a mirror",
    )
    snapshots_url: str = Field("https://index.commoncrawl.org/collinfo.json", description="Common Crawl's list of its snapshots")
    connections: int = Field(4, ge=1, le=64, description="files that are fetched at the same time, over all workers")
    look_ahead_files: int = Field(2, ge=0, le=64, description="files fetched, or being fetched, before a worker needs them")
    retries: int = Field(12, ge=0, le=10_000, description="failures in a row, without progress, after which a file is given up")
    retry_seconds: float = Field(1.0, gt=0, description="pause after the first failure, seconds; it doubles with each further one")
    max_retry_seconds: float = Field(60.0, gt=0, description="longest such pause, seconds; a server's Retry-After may be ten times as long")
    timeout_seconds: float = Field(60.0, gt=0, description="silence, or a trickle under 1 KiB/s, that ends a connection, seconds")
    proxy: str | None = Field(None, description="URL of a proxy for http and https; null: none (proxies of the environment are not used)")
    anonymous: bool = Field(False, description="read s3:// without credentials")


class CascadeSettings(Section):
    """Leave out the extraction of pages that the filter would remove anyway, judged by a draft of their text."""

    model: str | None = Field(None, description="the filter's trained model, as for filter.model; null: no cascade")
    margin: float = Field(
        0.4, ge=0, le=1, description="by how much the draft's score must miss what the filter asks (measured: docs/crawl.md)"
    )


class CrawlSettings(Section):
    """From WARC, WET and ARC files to documents."""

    snapshot: str | None = Field(None, min_length=1, description="snapshot of Common Crawl to read, such as CC-MAIN-2024-22")
    kind: Literal["warc", "wet"] = Field("warc", description="which files of the snapshot: warc (pages as fetched), wet (their plain text)")
    paths: list[str] = Field([], description="lists of files, one path or URL a line, local or remote, also compressed")
    files: str | None = Field(
        None, pattern=r"^-?\d+$|^(-?\d+)?:(-?\d+)?(:-?\d+)?$", description='which files of the lists, as Python slices: "0:8"; null: all'
    )
    sample: int | None = Field(None, ge=1, description="of those, how many to draw at random (by seed); null: all, in their order")
    places: list[str] = Field([], description="tables of `lookup`; only the records that they name are read, and are webtext")
    cache: str | None = Field(None, min_length=1, description="local folder that keeps fetched files; null: each is deleted once crawled")
    remote: RemoteSettings = Field(RemoteSettings(), description="how files are fetched")
    extractor: Literal[
        "blocks", "blocks-precision", "blocks-recall", "trafilatura", "trafilatura-fast", "trafilatura-precision", "resiliparse"
    ] = Field("blocks", description="what finds the main text of HTML; docs/crawl.md compares them")
    metadata: bool = Field(False, description="store title, day of publication and the main-content flag of each page")
    source: str = Field("commoncrawl", min_length=1, description="source name given to the documents")
    dump: str | None = Field(None, description="snapshot name given to the documents; null: the one in the path, if any")
    select: SelectSettings = Field(SelectSettings(), description="which pages are read at all")
    cascade: CascadeSettings = Field(CascadeSettings(), description="pages that are not worth their extraction")
    languages: list[str] = Field([], description="languages whose texts are kept, ISO 639 codes such as en; []: all")
    language_model: str | None = Field(None, description="fastText model that tells languages, such as lid.176.bin; null: the embedded one")
    min_language_score: float = Field(0.0, ge=0, le=1, description="lowest probability of its language with which a text is kept")
    min_tokens: int = Field(
        0, ge=0, description="fewest words and punctuation marks of a text that is kept; OpenWebText removed texts under 128 tokens"
    )
    links: list[str] = Field([], description="tables of `links`, or Reddit submission dumps; pages that they link to are webtext")
    links_match: Literal["url", "domain"] = Field("url", description="url: pages that are linked; domain: all pages of domains that are")
    links_action: Literal["label", "select"] = Field("label", description="label: linked pages are webtext; select: others are removed")
    limits: CrawlLimits = Field(CrawlLimits(), description="budgets of one record and one page")
    max_quarantine_share: float = Field(0.05, ge=0, le=1, description="share of page records in quarantine above which the stage fails")


class FilterSettings(Section):
    """Quality classifier and keep rule (GPT-3, appendix A)."""

    positives: list[str] = Field([], description="curated texts: JSONL, Parquet, .txt or .md, also .gz and .zst; globs and folders")
    positive_source: str = Field("curated", min_length=1, description="source name under which the curated texts join the corpus")
    model: str | None = Field(
        None, description="folder of a model made by `filter train`, or a fastText file; null: train one from positives and raw pages"
    )
    positive_label: str = Field("__label__positive", min_length=1, description="label of the positive class in a fastText file of others")
    classifier: Literal["fasttext", "hashing_lr"] = Field(
        "fasttext", description="fasttext: words and word n-grams; hashing_lr: GPT-3's Spark features and logistic regression"
    )
    class_ratio: float = Field(1.0, gt=0, le=100, description="raw documents for each curated text in training; the scores' prior")
    folds: int = Field(5, ge=2, le=20, description="models trained, each without the sites that it scores")
    keep_rule: Literal["pareto", "threshold", "top_fraction", "none"] = Field(
        "pareto",
        description="pareto: keep if draw > 1 - score (GPT-3); threshold: if score >= threshold; "
        "top_fraction: the best share of the raw documents; none: keep all",
    )
    alpha: float = Field(9.0, gt=0, description="shape of the Lomax law of the draw (GPT-3, appendix A)")
    fit_alpha: bool = Field(
        False, description="choose alpha so that the kept scores are distributed like the curated texts' (GPT-3, appendix A)"
    )
    threshold: float = Field(0.5, ge=0, le=1, description="lowest score kept by keep_rule threshold")
    top_fraction: float = Field(0.1, ge=0, le=1, description="share of the scored raw documents kept by keep_rule top_fraction")
    word_ngrams: int = Field(2, ge=1, le=5, description="fasttext: longest word n-gram that is a feature")
    dimension: int = Field(16, ge=1, le=1000, description="fasttext: width of the embeddings")
    epochs: int = Field(10, ge=1, le=1000, description="fasttext: passes over the training documents")
    learning_rate: float = Field(1.0, gt=0, description="fasttext: initial learning rate")
    buckets: int = Field(1 << 18, ge=1, le=1 << 30, description="fasttext: hash buckets for word n-grams")
    l2: float = Field(1e-6, ge=0, description="hashing_lr: weight of half the squared weights beside the mean loss")
    spark: Literal[2, 3] = Field(3, description="hashing_lr: version of Spark whose MurmurHash3 is used (SPARK-23381)")
    min_words: int = Field(5, ge=1, description="documents with fewer words are removed unscored")
    max_words: int = Field(1000, ge=1, description="words of a document that training and scoring look at, from its beginning")
    max_training_documents: int = Field(200_000, ge=2, description="most documents of each class used in training")
    rules: RuleSettings = Field(RuleSettings(), description="rules of thumb beside the classifier")
    personal_data: list[PersonalDataKind] = Field([], description="kinds of personal data replaced by placeholders in documents that stay")


class DedupSettings(Section):
    """Exact and fuzzy deduplication (MinHash LSH, verified)."""

    preset: Literal["default", "gpt3", "fineweb", "webtext"] = Field("default", description="values for what is null; see dedup/presets.py")
    ngram_words: int | None = Field(None, ge=1, le=50, description="words of a shingle; null: the preset's, 5 by default")
    threshold: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Jaccard similarity from which a document is a duplicate; null: the preset's, 0.8 by default",
    )
    permutations: int | None = Field(None, ge=2, le=4096, description="length of a MinHash signature; null: the preset's, 128 by default")
    bands: int | None = Field(None, ge=1, le=4096, description="bands of a signature; null: the preset's, or chosen for the threshold")
    rows: int | None = Field(None, ge=1, le=4096, description="rows of a band; null: the preset's, or chosen for the threshold")
    verification: Literal["jaccard", "signature"] = Field(
        "jaccard",
        description="jaccard: of the shingle sets; signature: estimated, standard error sqrt(s (1 - s) / permutations)",
    )
    addresses: Literal["all", "newest", "best"] = Field(
        "all", description="documents of one address: all stay, or the newest only, or only the one preferred as among duplicates"
    )
    against: str | None = Field(None, min_length=1, description="index folder: what earlier runs put there is removed, what stays is added")
    source_priority: list[str] = Field(
        ["curated", "webtext", "books", "wikipedia", "commoncrawl"],
        description="whose copy survives, first source first; others come after, by name",
    )


class DecontaminateSettings(Section):
    """Benchmark overlap: removal and report (GPT-3, appendix C)."""

    benchmarks: list[str | dict[str, Any]] = Field([], description="benchmark files, folders, specs (YAML), or inline specs")
    preset: Literal["gpt3", "gpt2", "strict", "report_only"] = Field(
        "gpt3",
        description="values for what is null (contamination/presets.py); gpt3: cut 13-grams out; gpt2: report 8-grams; "
        "strict: drop documents with any 8-gram; report_only: as gpt3, nothing is removed",
    )
    action: Literal["cut", "drop", "report"] | None = Field(
        None, description="cut windows out, drop the whole document, or report alone; null: the preset's, cut by default"
    )
    ngram_words: int | None = Field(None, ge=1, le=100, description="words of an n-gram that is removed; null: the preset's, 13 by default")
    max_documents_per_ngram: int | None = Field(
        None, ge=1, description="n-grams in more documents are common phrases and ignored; null: the preset's, 10 by default"
    )
    short_item_min_words: int | None = Field(
        None, ge=1, description="items without ngram_words words in a row are removed as a whole from so many words on; null: never"
    )
    window_characters: int = Field(200, ge=0, description="characters removed around an overlap")
    window: Literal["each_side", "total"] = Field(
        "each_side", description="each_side: as many before as behind; total: half of them on each side (the paper allows both readings)"
    )
    min_piece_characters: int = Field(200, ge=0, description="shorter pieces are dropped")
    max_pieces: int = Field(10, ge=1, description="documents cut into more pieces are dropped")
    report_min_words: int | None = Field(
        None, ge=1, description="smallest n of the report, synthetic benchmarks excepted; null: the preset's, 8 by default"
    )
    report_max_words: int | None = Field(None, ge=1, description="largest n of the report; null: the preset's, 13 by default")
    report_examples: int = Field(20, ge=0, le=10_000, description="dirty items shown for each benchmark, beside the text that holds them")


class TokenizeSettings(Section):
    """Byte-level BPE and token shards."""

    vocab_bpe: str | None = Field(None, description="GPT-2's merges file; null: train a tokenizer on the documents")
    encoder_json: str | None = Field(None, description="GPT-2's vocabulary file, given together with vocab_bpe")
    vocabulary_size: int = Field(50257, ge=257, le=65536, description="tokens of a trained vocabulary, end of text included")
    training_bytes: int = Field(256 * MIB, ge=1, description="most text that the tokenizer is trained on, bytes")
    validation_fraction: float = Field(0.005, gt=0, lt=1, description="share of the documents held out, drawn by document id")


class ReportSettings(Section):
    """The HTML page."""

    title: str = Field("From Common Crawl to a GPT", description="heading of the page")
    samples: int = Field(5, ge=0, le=100, description="documents shown for each fate")


StageName = Literal["crawl", "filter", "dedup", "decontaminate", "tokenize", "train", "report"]


class Recipe(Section):
    """A complete run."""

    stages: list[StageName] = Field(
        list(get_args(StageName)), min_length=1, description="what `run` does; a stage reads the one before it that is named here"
    )
    inputs: list[str] = Field([], description="files to crawl, where the command line names none")
    seed: int = Field(0, ge=0, lt=1 << 63, description="seed of every draw, sample and shuffle")
    links: LinksSettings = LinksSettings()
    fetch: FetchSettings = FetchSettings()
    lookup: LookupSettings = LookupSettings()
    crawl: CrawlSettings = CrawlSettings()
    filter: FilterSettings = FilterSettings()
    dedup: DedupSettings = DedupSettings()
    decontaminate: DecontaminateSettings = DecontaminateSettings()
    tokenize: TokenizeSettings = TokenizeSettings()
    train: TrainSettings = TrainSettings()
    report: ReportSettings = ReportSettings()

    @field_validator("stages")
    @classmethod
    def _are_in_order(cls, stages: list[str]) -> list[str]:
        ordered = [stage for stage in get_args(StageName) if stage in stages]
        if stages != ordered:
            raise PydanticCustomError("no_order", "Input should name each stage once, in the order {order}", {"order": ", ".join(ordered)})
        return stages
