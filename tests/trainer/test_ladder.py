"""trainer/ladder.py on two very small sizes: what each is trained on, going on after a stop, and the page."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from curation.errors import IntegrityError, InterruptedRun, UsageError
from curation.recipe_train import TrainSettings
from curation.shards import ManifestFile
from curation.storage import hash_file
from tests.trainer.small_training import never, silent, stop_after
from trainer.identity import Identity
from trainer.ladder import Rung, climb, rung_settings
from trainer.power_law import PowerLaw

pytestmark = pytest.mark.usefixtures("one_thread")
SETTINGS = TrainSettings(context_length=16, validation_tokens=96, device="cpu", learning_rate=7.0)


Progress = Callable[[Mapping[str, Any]], None]


def listed(tokens_folder: Path) -> list[ManifestFile]:
    """What tokenize's manifests say of the files in the folder."""
    stored = [(path.relative_to(tokens_folder.parent).as_posix(), hash_file(str(path))) for path in sorted(tokens_folder.glob("*/*"))]
    return [ManifestFile(name, 0, content.bytes, content.sha256) for name, content in stored]


def ladder(
    run: Path,
    stop: Callable[[], int | None] = never,
    progress: Progress = silent,
    sizes: tuple[str, ...] = ("femto", "pico"),
    tokens: list[ManifestFile] | None = None,
) -> tuple[list[Rung], PowerLaw]:

    def identity(settings: TrainSettings) -> Identity:
        return Identity(1, settings.model_dump(mode="json"), 0, {}, {})

    return climb(SETTINGS, str(run), sizes, 0.2, tokens or listed(run / "tokens"), identity, 0, stop, progress)


def test_each_size_has_its_own_schedules() -> None:
    # nano: 12 * 4 * 128^2 = 786,432 parameters in matrices, twenty tokens each.
    settings = rung_settings(SETTINGS, "nano", 20.0)
    assert (settings.tokens, settings.decay_tokens, settings.warmup_tokens) == (15_728_640, 15_728_640, 314_572)
    assert (settings.learning_rate, settings.batch_tokens, settings.ramp_tokens) == (None, None, 0)
    with pytest.raises(UsageError, match="no preset 'huge'"):
        rung_settings(SETTINGS, "huge", 20.0)


def test_rungs_law_and_page(tokens_folder: Path) -> None:
    run = tokens_folder.parent
    rungs, law = ladder(run)
    # 12 * 2 * 32^2 and 12 * 2 * 64^2 parameters, a fifth of a token each, in whole steps of 1,024.
    assert [(rung.preset, rung.parameters, rung.tokens) for rung in rungs] == [("femto", 24_576, 5_120), ("pico", 98_304, 20_480)]
    assert [rung.compute for rung in rungs] == pytest.approx([6 * 24_576 * 5_120 / 8.64e19, 6 * 98_304 * 20_480 / 8.64e19])
    # Two points: the law goes through both.
    assert [law.loss(rung.compute) for rung in rungs] == pytest.approx([rung.loss for rung in rungs])
    assert rungs[1].loss < rungs[0].loss < math.log(257) + 0.1
    outcome = json.loads((run / "ladder/ladder.json").read_text())
    assert [rung["loss"] for rung in outcome["rungs"]] == [rung.loss for rung in rungs]
    assert outcome["law"]["exponent"] == law.exponent and outcome["gpt3_law"] == {"exponent": 0.048, "factor": 2.57}
    page = (run / "ladder/index.html").read_text(encoding="utf-8")
    chart = ElementTree.fromstring(page[page.index("<figure") : page.index("</figure>") + 9])
    assert len(chart.findall(".//circle")) == 2 and len(chart.findall(".//polyline")) == 3
    assert "GPT-3, figure 3.1" in page and "<script" not in page


def test_stopped_on_a_rung_goes_on_there(tokens_folder: Path) -> None:
    run = tokens_folder.parent
    straight, law = ladder(run)
    (run / "ladder").rename(run / "straight")
    with pytest.raises(InterruptedRun):
        ladder(run, stop=stop_after(9))  # femto has 5 steps; pico is in its fifth
    rows: list[Mapping[str, Any]] = []
    again, same_law = ladder(run, progress=rows.append)
    assert [row["step"] for row in rows if "loss" in row] == list(range(5, 21))
    assert (again, same_law) == (straight, law)


@pytest.mark.parametrize(
    ("sizes", "message"), [(("femto",), "two sizes"), (("pico", "pico"), "two sizes"), (("femto", "gpt3-175b"), "fsdp")]
)
def test_what_cannot_end_well_does_not_begin(tokens_folder: Path, sizes: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ladder(tokens_folder.parent, sizes=sizes)
    assert not (tokens_folder.parent / "ladder").exists()


def test_damaged_tokens_are_no_rung(tokens_folder: Path) -> None:
    tokens = listed(tokens_folder)
    shard = tokens_folder / "web/train-00000.tokens"
    content = bytearray(shard.read_bytes())
    content[40] ^= 1  # in the ids
    shard.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"web/train-00000.tokens is damaged"):
        ladder(tokens_folder.parent, tokens=tokens)
