"""The overlap report as one self-contained HTML page: a table, and items beside what matched them.

Everything that comes from pages and benchmarks is escaped; the page has no scripts and loads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from contamination.benchmarks import Item
from contamination.examples import Example
from contamination.highlight import shared_spans
from contamination.index import OverlapIndex
from contamination.report import COLUMNS
from contamination.split import Span

MAX_ITEM_CHARACTERS = 3000  # of an item in the page; longer ones are cut
SHOWN_OPEN = 3  # items of a benchmark that need no click
TABLE_COLUMNS = {  # what matters most comes first: a phone shows the left end
    "name": "benchmark",
    "dirty": "dirty",
    "items": "items",
    "clean_percent": "clean",
    "documents_hit": "documents hit",
    "sources_hit": "of the sources",
    "dirty_passage": "dirty passages",
    "dirty_question": "dirty questions",
    "n": "n",
    "ngrams_matched": "n-grams matched",
    "ngrams_ignored_as_common": "n-grams ignored as common",
    "too_short": "items too short",
}
TOP_TITLES = {
    "top_ngrams": "Most frequent matched n-grams, and the number of documents that hold each",
    "top_common_ngrams": "Most frequent n-grams ignored as common, and the number of documents that hold each",
}
NUMBERS = tuple(name for name in TABLE_COLUMNS if name not in ("name", "clean_percent", "sources_hit"))

STYLE = """
:root {
  color-scheme: light dark;
  --text: #1c2330; --soft: #5b6678; --ground: #f6f7f9; --card: #fff; --line: #dde2ea; --mark: #ffe08a;
  --clean: #3f7fd1; --dirty: #d1603f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e4e8ef; --soft: #9aa5b5; --ground: #14181f; --card: #1c222c; --line: #313a48; --mark: #6b5714;
    --clean: #5b97e0; --dirty: #de7a5c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 4rem;
  background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0; }
p { max-width: 62rem; margin: 0 0 1rem; }
.soft, figcaption { color: var(--soft); font-size: .875rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { padding: .45rem .7rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
td { white-space: nowrap; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
tr:last-child td { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.name { white-space: normal; min-width: 8.5rem; }
.bar {
  display: inline-block; width: 5rem; height: .6rem; margin-right: .5rem;
  border-radius: .3rem; background: var(--dirty); overflow: hidden;
}
.bar i { display: block; height: 100%; background: var(--clean); }
details { margin-top: .75rem; }
dl { font-size: .875rem; }
dt { font-weight: 600; }
dd { margin: 0 0 .4rem; color: var(--soft); }
figure { margin: 0 0 1rem; padding: .8rem 1rem 1rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
figcaption { overflow-wrap: anywhere; margin-bottom: .6rem; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
@media (max-width: 46rem) { .sides { grid-template-columns: 1fr; } }
blockquote {
  margin: .3rem 0 0; padding-left: .8rem; border-left: 3px solid var(--line);
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .925rem;
}
mark { background: var(--mark); color: inherit; border-radius: .15rem; }
"""

END = "</body></html>\n"

NO_BENCHMARKS = (
    "<p><strong>The recipe names no benchmarks, so that nothing was looked for and nothing removed.</strong> "
    "Name them under decontaminate.benchmarks.</p>"
)


def render_page(
    rows: list[dict[str, Any]], examples: Sequence[Example], items: Sequence[Item], index: OverlapIndex, documents: int
) -> bytes:
    """The page as UTF-8.

    ``items``: of all benchmarks, as the index numbers them. ``documents``: how many were compared.
    """
    body = [
        "<h1>Benchmark overlap</h1>",
        f"<p>{documents:,} documents were compared with {len(rows)} benchmark{'s' * (len(rows) != 1)}, before anything was removed. "
        f"An item is dirty if any document holds one of its n-grams; the length n is each benchmark's own (GPT-3, appendix C).</p>",
    ]
    if rows:
        body += [_table(rows), _legend()]
    else:
        body.append(NO_BENCHMARKS)
    for number, (label, row) in enumerate(zip(index.labels, rows, strict=True)):
        own = [example for example in examples if index.benchmark_of_item[example.item] == number]
        if own:
            body += [f"<h2>{escape(label)}: longest overlaps</h2>", _how_many(len(own), row["dirty"])]
            body += [_figure(example, items[example.item], index) for example in own[:SHOWN_OPEN]]
            if own[SHOWN_OPEN:]:
                body.append(f"<details><summary>{len(own) - SHOWN_OPEN:,} more of them</summary>")
                body += [*(_figure(example, items[example.item], index) for example in own[SHOWN_OPEN:]), "</details>"]
    return "\n".join([head("Benchmark overlap"), *body, END]).encode()


def head(title: str, style: str = "") -> str:
    """The beginning of a page; ``style`` comes behind the style that all pages share."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title><style>{STYLE}{style}</style></head>\n<body>"
    )


def highlighted(text: str, spans: Sequence[Span]) -> str:
    """The text escaped, with the spans (ascending, apart) marked."""
    parts, done = [], 0
    for start, end in spans:
        parts += [escape(text[done:start]), "<mark>", escape(text[start:end]), "</mark>"]
        done = end
    return "".join([*parts, escape(text[done:])])


def _table(rows: list[dict[str, Any]]) -> str:
    header = "".join(f"<th{_number(name)}>{title}</th>" for name, title in TABLE_COLUMNS.items())
    lines = "".join("<tr>" + "".join(_cell(name, row) for name in TABLE_COLUMNS) + "</tr>\n" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{header}</tr></thead>\n<tbody>{lines}</tbody></table></div>{_ngram_lists(rows)}'


def _number(name: str) -> str:
    return ' class="number"' if name in NUMBERS else ""


def _cell(name: str, row: dict[str, Any]) -> str:
    value = row[name]
    if name == "clean_percent":
        return f'<td><span class="bar"><i style="width:{value:.1f}%"></i></span>{value:.2f} %</td>'
    if name == "name":
        return f'<td class="name">{escape(value)} <span class="soft">{escape(row["split"])}</span></td>'
    if name == "sources_hit":
        sources = ", ".join(f"{escape(source)} {documents:,}" for source, documents in value.items() if source)
        return f'<td class="name">{sources}</td>'
    return f"<td{_number(name)}>{'' if value is None else f'{value:,}'}</td>"


def _ngram_lists(rows: list[dict[str, Any]]) -> str:
    """The most frequent n-grams of every benchmark that has any, folded: those that matched, and those left in as common."""
    lists = []
    for column, title in TOP_TITLES.items():
        terms = ""
        for row in rows:
            entries = "".join(f"<dd>{escape(top['ngram'])} ({top['documents']:,})</dd>" for top in row[column])
            terms += f"<dt>{escape(row['name'])}</dt>{entries}" if entries else ""
        if terms:
            lists.append(f'<details><summary class="soft">{title}</summary><dl>{terms}</dl></details>')
    return "".join(lists)


def _legend() -> str:
    entries = "".join(f"<dt>{title}</dt><dd>{escape(COLUMNS[name])}</dd>" for name, title in TABLE_COLUMNS.items())
    return f'<details><summary class="soft">What the columns hold</summary><dl>{entries}</dl></details>'


def _how_many(shown: int, dirty: int) -> str:
    """What the list below leaves out, and where that is."""
    if shown == dirty:
        return f'<p class="soft">All {dirty:,} dirty items.</p>' if dirty > 1 else ""
    return (
        f'<p class="soft">{shown:,} of {dirty:,} dirty items, those with the most words in a row. The numbers of all are in '
        f"dirty_items.json beside this page; decontaminate.report_examples says how many are shown.</p>"
    )


def _reading(item: Item, example: Example) -> str:
    """The whole item, or the reading of it in which more of the passage stands: its question with one of the answers."""

    def covered(text: str) -> int:
        return sum(end - start for start, end in shared_spans(text, example.excerpt, example.ngram_words))

    return max([item.text, *item.passages], key=covered)


def _figure(example: Example, item: Item, index: OverlapIndex) -> str:
    text = _reading(item, example)
    cut = text[:MAX_ITEM_CHARACTERS]
    shown = highlighted(cut, shared_spans(cut, example.excerpt, example.ngram_words)) + (" …" if cut != text else "")
    passage = highlighted(example.excerpt, [(example.offset, min(len(example.excerpt), example.offset + example.end - example.start))])
    source = "".join(f" · {escape(part)}" for part in (example.url, example.date) if part)
    return (
        f"<figure><figcaption>{example.words:,} words in a row · document {escape(example.document)}, "
        f"characters {example.start:,} to {example.end:,}{source}</figcaption>"
        f'<div class="sides"><div><h3>Item {escape(index.item_label(example.item))}</h3>'
        f"<blockquote>{shown}</blockquote></div>"
        f"<div><h3>Document</h3><blockquote>{passage}</blockquote></div></div></figure>"
    )
