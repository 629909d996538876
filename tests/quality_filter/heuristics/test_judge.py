"""Rules together: presets, the order of reasons, limits from the recipe, batches."""

from __future__ import annotations

import random

import polars as pl
import pytest

from curation.ledger import Reason
from curation.recipe_rules import RuleSettings
from quality_filter.heuristics import judge as judging
from quality_filter.heuristics.judge import FAMILIES, judge, judge_texts, measure_rules

PROSE = """The harbour lies at the end of a narrow street that nobody has paved.
In winter the fishermen mend their nets there, and talk about the price of diesel.
Most of them have worked on these boats since they left school.
A few years ago a museum opened in the old customs house, with a café upstairs.
Visitors come by bus on Sundays to look at models of ships and to eat cake.
My aunt, who kept the tickets for a while, never saw a full room."""
ALL = RuleSettings(presets=["gopher", "c4", "fineweb"])


def verdict_of(text: str, settings: RuleSettings = ALL, url: str = "") -> judging.Verdict | None:
    return judge_texts([text], [url], settings)[0]


def removed_for(text: str, settings: RuleSettings = ALL, url: str = "") -> Reason | None:
    verdict = verdict_of(text, settings, url)
    return verdict.reason if verdict is not None and verdict.text is None else None


def test_prose_passes_as_it_is() -> None:
    assert verdict_of(PROSE) is None


def test_no_preset_judges_nothing() -> None:
    assert RuleSettings().families == []
    assert judge_texts(["", "x"], ["", ""], RuleSettings()) == [judging.Verdict(Reason.EMPTY_TEXT, {}), None]


def test_every_rule_has_a_reason_of_its_own_and_a_limit_in_the_recipe() -> None:
    rules = [(name, rule) for name, family in FAMILIES.items() for rule in family.rules]
    assert len({rule.reason for _, rule in rules}) == len(rules) == 37
    for name, rule in rules:
        assert rule.limit in type(getattr(RuleSettings(), name)).model_fields
        assert rule.limit.startswith(("min_", "max_"))


def test_the_first_rule_that_fails_is_the_reason_and_others_of_its_family_stand_beside_it() -> None:
    verdict = verdict_of("word " * 40, RuleSettings(presets=["gopher"]))
    assert verdict is not None and verdict.text is None
    # 40 times "word" with a space after each: every 2-gram is "word word", 39 of them of 9 characters, of 200.
    assert verdict.reason == Reason.GOPHER_TOP_2_GRAM
    assert verdict.detail["value"] == pytest.approx(39 * 9 / 200)
    assert verdict.detail["limit"] == 0.2
    assert "gopher_top_3_gram" in verdict.detail["also"]
    assert "gopher_too_few_words" not in verdict.detail["also"]  # a later family, which is not asked any more


def test_limits_come_from_the_recipe_and_are_inclusive() -> None:
    text = "one two three"
    for limit, reason in ((3, None), (4, Reason.GOPHER_TOO_FEW_WORDS)):
        settings = RuleSettings.model_validate(
            {
                "presets": ["gopher"],
                "gopher_quality": {"min_words": limit, "min_stop_words": 0},
                "gopher_repetition": {f"max_top_{n}_gram": None for n in (2, 3)},
            }
        )
        assert removed_for(text, settings) == reason


def test_an_address_is_judged_first() -> None:
    settings = RuleSettings.model_validate({"presets": ["gopher"], "url": {"max_characters": 20}})
    assert removed_for("word", settings, "http://example.com/a-long-address") == Reason.URL_TOO_LONG
    assert settings.families == ["url", "gopher_repetition", "gopher_quality"]


def test_a_family_sees_what_the_one_before_left() -> None:
    # The menu's lines would fail FineWeb's rule on short lines; C4's rules cut them first.
    text = "Home\nNews\nSport\nWeather\n" * 6 + PROSE
    fineweb, both = RuleSettings(presets=["fineweb"]), RuleSettings(presets=["c4", "fineweb"])
    assert removed_for(text, fineweb) == Reason.FINEWEB_SHORT_LINES
    verdict = verdict_of(text, both)
    assert verdict is not None and verdict.reason == Reason.LINES_CUT
    assert verdict.text == PROSE
    assert verdict.detail == {"c4": {"lines": {"no_terminal_punctuation": 24}, "citations": 0}}


def test_a_document_that_loses_all_its_lines_is_removed() -> None:
    settings = RuleSettings.model_validate({"presets": ["c4"], "c4": {"min_sentences": None}})
    assert removed_for("Home\nNews", settings) == Reason.NO_LINE_LEFT


def test_neither_order_nor_batches_change_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [PROSE, "", "word " * 40, "Home\n" * 3 + PROSE, "短い", "x", PROSE.upper(), "\n\n", "{ " + PROSE] * 3
    verdicts = judge_texts(texts, [""] * len(texts), ALL)
    order = list(range(len(texts)))
    random.Random(1).shuffle(order)
    shuffled = judge_texts([texts[place] for place in order], [""] * len(texts), ALL)
    assert [shuffled[order.index(place)] for place in range(len(texts))] == verdicts
    monkeypatch.setattr("quality_filter.heuristics.batch.MAX_CHARACTERS", 100)
    assert judge_texts(texts, [""] * len(texts), ALL) == verdicts


def test_a_frame_with_nulls_is_judged_like_its_texts() -> None:
    documents = pl.DataFrame({"text": [PROSE, None], "url": [None, "http://example.com"]}, schema={"text": pl.String, "url": pl.String})
    assert judge(documents, ALL) == judge_texts([PROSE, ""], ["", "http://example.com"], ALL)


def test_measured_values_agree_with_the_verdict() -> None:
    settings = RuleSettings.model_validate({"presets": ["gopher", "c4", "fineweb"], "url": {"max_characters": 5}})
    measured = measure_rules("word " * 40, "http://example.com", settings)
    assert len(measured) == 2 + 13 + 10 + 4 + 4
    failed = [value.rule for value in measured if not value.passes]
    assert failed[0] == removed_for("word " * 40, settings, "http://example.com") == Reason.URL_TOO_LONG
    by_rule = {value.rule: value for value in measured}
    assert by_rule["gopher_top_2_gram"].value == pytest.approx(39 * 9 / 200)
    assert by_rule["gopher_too_few_words"] == judging.RuleValue("gopher_too_few_words", 40.0, 50.0, False)
