"""The ladder as a page: losses over compute, both logarithmic, with the fitted law and GPT-3's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curation.report.charts import log_chart
from curation.report.facts import Curve
from curation.report.markup import count, visible
from curation.report.page import page_end, page_head
from trainer.power_law import PowerLaw

TITLE = "Loss over compute"


def ladder_page(outcome: Mapping[str, Any]) -> bytes:
    """The page as UTF-8, from what ``ladder.json`` holds."""
    rungs = sorted(outcome["rungs"], key=lambda rung: rung["compute"])
    compute = [rung["compute"] for rung in rungs]
    law, paper = PowerLaw(**outcome["law"]), PowerLaw(**outcome["gpt3_law"])
    curves = [
        (Curve("trained", compute, [rung["loss"] for rung in rungs]), "kept", True),
        (_line("fitted", law, compute), "changed", False),
        (_line("GPT-3, figure 3.1", paper, compute), "removed", False),
    ]
    chart = log_chart("Validation loss over training compute", curves, "PF-days, embeddings not counted", "nats a token")
    rows = "".join(
        f"<tr><td>{visible(rung['preset'])}</td><td>{count(rung['parameters'])}</td><td>{count(rung['tokens'])}</td>"
        f"<td>{rung['compute']:.3g}</td><td>{rung['loss']:.3f}</td><td>{law.loss(rung['compute']):.3f}</td>"
        f"<td>{max(rung['epochs'].values()):.2f}</td></tr>"
        for rung in rungs
    )
    names = ("size", "parameters", "tokens", "PF-days", "loss", "fitted", "passes, at most")
    head = "".join(f"<th>{name}</th>" for name in names)
    laws = f"{visible(describe(law))}; GPT-3's trainings followed {visible(describe(paper))}"
    note = "GPT-3's law is the envelope of its own trainings on its own validation text, and another text has another loss: compare slopes."
    body = (
        f'<header><h1>{TITLE}</h1><p class="lead">{laws}.</p></header><main><section>{chart}'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table><p>{note}</p></section></main>"
    )
    return (page_head(TITLE) + body + page_end()).encode()


def describe(law: PowerLaw) -> str:
    """The law as a formula."""
    return f"L = {law.factor:.3g} · C^−{law.exponent:.3g}" if law.exponent >= 0 else f"L = {law.factor:.3g} · C^{-law.exponent:.3g}"


def _line(name: str, law: PowerLaw, compute: list[float]) -> Curve:
    ends = [compute[0], compute[-1]]  # a straight line where both axes are logarithmic
    return Curve(name, ends, [law.loss(value) for value in ends])
