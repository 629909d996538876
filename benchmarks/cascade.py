"""What the crawl's cascade loses and saves, beside the full path, on real pages.

    python benchmarks/cascade.py FILES.warc.gz --model RUN/filter/prepared

Recall: of the documents that the full path (extraction, then filter) keeps, the share that the cascade extracts.
For the Pareto rule it is the expectation over all draws, so it does not depend on a seed. The margin is the
smallest, in steps of a tenth, whose recall is at least 0.99 for every rule on one half of the pages; all rows are
of the other half, with that margin and with the default. Times are processor time of a whole crawl, with one worker.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a script; benchmarks/dedup.py must not hide dedup/

from benchmarks import measure, table
from curation.crawl_page import PageContext, document_id_of, page_request, why_no_page
from curation.extraction.draft import PageDraft
from curation.extraction.page import PageOptions, extract_page
from curation.recipe import CrawlSettings
from curation.sources.warc import DAMAGED, read_records
from quality_filter.scorer import QualityScorer

Scores = npt.NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[1]
GOAL = 0.99
MARGINS = [number / 10 for number in range(11)]  # at 1 every page is extracted
ALPHAS = (9.0, 3.0)
THRESHOLD = 0.5


def main() -> None:
    """Print the table."""
    parser = table.parser(__doc__)
    parser.add_argument("files", nargs="+", metavar="FILES", help="WARC files")
    parser.add_argument("--model", required=True, help="folder of a trained model")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cascade-") as folder:
        crawls = {
            "full": lambda: crawl(arguments.files, Path(folder, "full")),
            "cascade": lambda: crawl(arguments.files, Path(folder, "cascade"), f"crawl.cascade.model={arguments.model}"),
        }
        times = measure.in_turns(crawls, arguments.repeats)
        documents = pl.read_parquet(Path(folder, "full", "crawl", "documents", "*.parquet"), columns=["id", "url", "text"])
    scorer = QualityScorer(arguments.model)
    full = scorer.scores(documents["text"].to_list(), documents["url"].to_list(), documents["id"].to_list())
    found = {document_id: score_of_draft(scorer, page_draft, url, document_id) for document_id, url, page_draft in drafts(arguments.files)}
    draft = np.array([found.get(document_id, 1.0) for document_id in documents["id"]])
    judged = ~np.isnan(full)
    half = np.array([hashlib.sha256(document_id.encode()).digest()[0] % 2 for document_id in documents["id"]])
    chosen, reported = [(full[judged & (half == side)], draft[judged & (half == side)]) for side in (0, 1)]
    margin = next(margin for margin in MARGINS if min(recall for recall, _ in outcomes(*chosen, margin).values()) >= GOAL)
    rows = []
    for used in sorted({margin, CrawlSettings().cascade.margin}):
        for rule, (recall, extracted) in outcomes(*reported, used).items():
            kept = float(keep_rules()[rule](reported[0]).mean())
            rows.append(table.Row(f"recall, {rule}, margin {used}", "share", recall, "full path", 1.0, recall, GOAL))
            rows.append(
                table.lower_is_better(f"pages extracted, {rule}, margin {used}", "share", extracted, f"full path, keeps {kept:.3f}", 1.0)
            )
    seconds = {name: measure.median(runs, lambda run: run.cpu_seconds) for name, runs in times.items()}
    rows.append(table.lower_is_better("crawl, pareto 9, default margin", "CPU s", seconds["cascade"], "full path", seconds["full"]))
    table.report(rows, arguments.json)


def crawl(files: list[str], run: Path, *settings: str) -> measure.Run:
    """A crawl from the beginning."""
    options = [option for setting in ("crawl.max_quarantine_share=1", *settings) for option in ("--set", setting)]
    measure.run(["rm", "-rf", str(run)])
    return measure.run([sys.executable, str(ROOT / "cli.py"), "crawl", *files, "--run", str(run), "--workers", "1", "--quiet", *options])


def drafts(files: list[str]) -> Iterator[tuple[str, str | None, PageDraft]]:
    """Id, address and draft of every page that has one."""
    settings = CrawlSettings()
    for file in files:
        context = PageContext(file, settings, frozenset(), None)
        for record in read_records(file, limits=settings.limits):
            if record.state == DAMAGED or why_no_page(record) is not None:
                continue
            found = extract_page(PageOptions(settings.extractor, drafts=True), replace(page_request(record), is_draft=True))
            if isinstance(found, PageDraft):
                yield document_id_of(record, context), record.target_uri, found


def score_of_draft(scorer: QualityScorer, draft: PageDraft, url: str | None, document_id: str) -> float:
    """The highest score of the draft's views; 1 where none can be judged, since such a page is extracted."""
    views = draft.views()
    scores = scorer.scores(views, [url] * len(views), [document_id] * len(views))
    return 1.0 if not len(scores) or np.isnan(scores).all() else float(np.nanmax(scores))


def outcomes(full: Scores, draft: Scores, margin: float) -> dict[str, tuple[float, float]]:
    """For each rule: recall, and the share of the pages that is extracted."""
    reach = np.minimum(1.0, draft + margin)
    return {rule: (_recall(kept(np.minimum(full, reach)), kept(full)), float(kept(reach).mean())) for rule, kept in keep_rules().items()}


def keep_rules() -> dict[str, Callable[[Scores], Scores]]:
    """For each rule, the probability that a document of a score is kept."""
    rules: dict[str, Callable[[Scores], Scores]] = {f"pareto {alpha:.0f}": lomax_kept(alpha) for alpha in ALPHAS}
    rules[f"threshold {THRESHOLD}"] = lambda scores: (scores >= THRESHOLD).astype(np.float64)
    return rules


def _recall(extracted: Scores, kept: Scores) -> float:
    """Of what the full path keeps, the share that is extracted; 1 where it keeps nothing."""
    return float(extracted.sum() / kept.sum()) if kept.sum() else 1.0


def lomax_kept(alpha: float) -> Callable[[Scores], Scores]:
    """Probability of staying by the Pareto rule; of a page whose text scores s and whose draft reaches r, both at min(s, r)."""
    return lambda scores: (2.0 - scores) ** -alpha


if __name__ == "__main__":
    main()
