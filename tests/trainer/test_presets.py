"""trainer/presets.py against table 2.1 and table D.1 of the GPT-3 paper."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from curation.errors import UsageError
from curation.recipe_model import ModelSettings
from curation.recipe_train import TrainSettings
from trainer.model_config import ModelConfig
from trainer.plan import plan_training
from trainer.presets import GPT2_VOCABULARY, PRESETS, Preset, preset


def config_of(size: Preset, vocabulary_size: int) -> ModelConfig:
    return ModelConfig(vocabulary_size, size.context_length, size.layers, size.width, size.heads, **asdict(size.architecture))


# name: layers, width, heads, head width, sequences a batch, learning rate, exact parameters, and
# table D.1's millions. Head widths are table 2.1's; totals were added up by hand from the shapes.
@pytest.mark.parametrize(
    ("name", "layers", "width", "heads", "head_width", "sequences", "rate", "total", "millions"),
    [
        ("gpt3-small", 12, 768, 12, 64, 256, 6.0e-4, 125_226_240, 125),
        ("gpt3-medium", 24, 1024, 16, 64, 256, 3.0e-4, 355_871_744, 356),
        ("gpt3-large", 24, 1536, 16, 96, 256, 2.5e-4, 760_300_032, 760),
        ("gpt3-xl", 24, 2048, 16, 128, 512, 2.0e-4, 1_315_723_264, 1_320),
        ("gpt3-2.7b", 32, 2560, 32, 80, 512, 1.6e-4, 2_651_553_280, 2_650),
        ("gpt3-6.7b", 32, 4096, 32, 128, 1024, 1.2e-4, 6_658_404_352, 6_660),
        ("gpt3-13b", 40, 5120, 40, 128, 1024, 1.0e-4, 12_853_386_240, 12_850),
        ("gpt3-175b", 96, 12288, 96, 128, 1536, 0.6e-4, 174_604_259_328, 174_600),
    ],
)
def test_gpt3_sizes(
    name: str, layers: int, width: int, heads: int, head_width: int, sequences: int, rate: float, total: int, millions: int
) -> None:
    size = preset(name)
    assert (size.layers, size.width, size.heads, size.width // size.heads) == (layers, width, heads, head_width)
    assert (size.context_length, size.batch_tokens, size.learning_rate) == (2048, sequences * 2048, rate)
    count = config_of(size, GPT2_VOCABULARY).parameters
    assert count == total
    # Table D.1 prints at least three significant digits.
    assert abs(count / 1e6 - millions) <= 0.5 * 10 ** max(0, len(str(millions)) - 3)


# Totals of the published checkpoints with their 32,000 ids. For 6.7B by hand: 32 layers of 4 * 4096^2 + 3 * 4096 * 11008
# + 2 * 4096, a last norm of 4096, and two tables of 32,000 * 4096.
@pytest.mark.parametrize(
    ("name", "total"),
    [("llama-6.7b", 6_738_415_616), ("llama-13b", 13_015_864_320), ("llama-32.5b", 32_528_943_616), ("llama-65.2b", 65_285_660_672)],
)
def test_llama_sizes(name: str, total: int) -> None:
    assert config_of(PRESETS[name], 32_000).parameters == total


# 12 * layers * width^2, in millions (the scaling laws' convention).
@pytest.mark.parametrize(("name", "millions"), [("gpt3-small", 84.9), ("gpt3-xl", 1_208.0), ("gpt3-175b", 173_946.2)])
def test_parameters_of_the_scaling_laws(name: str, millions: float) -> None:
    assert round(config_of(PRESETS[name], GPT2_VOCABULARY).matrix_parameters / 1e6, 1) == millions


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_consistent(name: str) -> None:
    size = PRESETS[name]
    assert size.width % size.heads == 0
    assert size.batch_tokens % size.context_length == 0


def test_the_recipe_changes_what_it_names_of_a_preset_s_architecture() -> None:
    def config(preset: str, **changes: Any) -> ModelConfig:
        return plan_training(TrainSettings(preset=preset, device="cpu", model=ModelSettings(**changes)), 32_000).config

    small, llama = config("gpt3-small"), config("llama-6.7b")
    assert [small.window(layer) for layer in range(4)] == [None, 256, None, 256]
    assert (small.positions, small.norm, small.mlp, small.biases, small.tied_head) == ("learned", "layer_norm", "gelu", True, True)
    assert (llama.positions, llama.norm, llama.mlp, llama.biases, llama.tied_head) == ("rope", "rms_norm", "swiglu", False, False)
    assert llama.window(1) is None
    changed = config("llama-6.7b", attention="alternating", attention_window=512, tied_head=True)
    assert changed == replace(llama, attention="alternating", attention_window=512, tied_head=True)


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no preset 'gpt3-smal'; did you mean gpt3-small\?"):
        preset("gpt3-smal")
