from __future__ import annotations

import pytest

from curation.errors import UsageError
from curation.recipe import DedupSettings
from dedup.presets import Method, resolve


@pytest.mark.parametrize(
    ("settings", "method"),
    [
        (DedupSettings(), Method(5, 0.8, 128, 14, 9, False)),
        (DedupSettings(preset="gpt3"), Method(1, 0.8, 128, 10, 1, False)),  # Spark: 10 tables of one hash each
        (DedupSettings(preset="fineweb"), Method(5, 0.75, 112, 14, 8, False)),
        (DedupSettings(preset="fineweb", verification="signature"), Method(5, 0.75, 112, 14, 8, True)),
        (DedupSettings(preset="fineweb", ngram_words=3), Method(3, 0.75, 112, 14, 8, False)),
        (DedupSettings(bands=20, rows=5), Method(5, 0.8, 128, 20, 5, False)),
    ],
)
def test_presets_by_hand(settings: DedupSettings, method: Method) -> None:
    assert resolve(settings) == method


def test_bands_of_a_preset_hold_for_its_threshold_only() -> None:
    assert resolve(DedupSettings(preset="fineweb", threshold=0.9)).rows > 8
    webtext = resolve(DedupSettings(preset="webtext"))
    assert (webtext.threshold, webtext.ngram_words) == (0.5, 5)
    assert webtext.bands * webtext.rows <= 128


@pytest.mark.parametrize(("values", "message"), [({"bands": 20, "rows": 10}, "take 200 permutations"), ({"bands": 4}, "belong together")])
def test_what_cannot_work_is_refused(values: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(DedupSettings(**values))


def test_standard_error() -> None:
    assert resolve(DedupSettings()).standard_error == pytest.approx(0.0353553, abs=1e-6)  # sqrt(0.8 * 0.2 / 128)
