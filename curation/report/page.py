"""The whole page: facts in, one self-contained HTML file out.

It loads nothing and runs nothing: style and charts are inline, and its Content-Security-Policy forbids the rest.
"""

from __future__ import annotations

from curation.report.facts import RunFacts
from curation.report.funnel import funnel_section, tiles
from curation.report.gallery import samples_section
from curation.report.markup import visible
from curation.report.sections import clusters_section, overlap_section, scores_section, tokens_section, training_section
from curation.report.style import STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def render_page(facts: RunFacts, title: str) -> bytes:
    """The page as UTF-8; parts of a run that are not there leave their sections out."""
    sections = [("funnel", "Funnel", funnel_section(facts.stages))]
    if facts.scores is not None:
        sections.append(("scores", "Scores", scores_section(facts.scores)))
    if facts.clusters is not None:
        sections.append(("duplicates", "Duplicates", clusters_section(facts.clusters)))
    if facts.overlap is not None:
        sections.append(("overlap", "Benchmarks", overlap_section(facts.overlap)))
    if facts.tokens:
        sections.append(("tokens", "Tokens", tokens_section(facts.tokens)))
    if facts.training is not None:
        sections.append(("training", "Training", training_section(facts.training)))
    if facts.samples:
        sections.append(("samples", "Texts", samples_section(facts.samples, facts.stages)))
    links = "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name, _ in sections)
    body = [
        f"<header><h1>{visible(title)}</h1>",
        '<p class="lead">What came into this run, what stayed, and why the rest did not.</p>',
        f"{tiles(facts)}<nav>{links}</nav></header>",
        "<main>",
        *(section for _, _, section in sections),
        "</main>",
        "<footer><p>Made by crawl2gpt from what the stages of the run have committed. The whole life of any document: "
        "<code>python cli.py explain URL_OR_ID --run RUN</code></p></footer>",
    ]
    return "\n".join([page_head(title), *body, page_end()]).encode()


def page_head(title: str) -> str:
    """What every page of ours begins with: it may load and run nothing."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">\n'
        f'<title>{visible(title)}</title><link rel="icon" href="data:,">\n<style>{STYLE}</style></head>\n<body>'
    )


def page_end() -> str:
    """What every page of ours ends with."""
    return "</body></html>\n"
