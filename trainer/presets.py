"""Model sizes: the eight of GPT-3, the four of LLaMA, and small ones for one machine.

GPT-3, table 2.1, prints 24 heads for XL and a width of 5140 for 13B. Neither agrees with the
table's own head size (128) or with the parameters of table D.1; 16 heads and 5120 do both.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from curation.errors import UsageError
from trainer.model_config import Architecture

GPT3 = Architecture()
LLAMA = Architecture(
    attention="dense", positions="rope", norm="rms_norm", mlp="swiglu", biases=False, tied_head=False
)  # LLaMA, section 2.2; its code has no biases and a head of its own

GPT3_CONTEXT = 2048  # GPT-3, section 2.1; LLaMA's too
GPT2_VOCABULARY = 50257


@dataclass(frozen=True)
class Preset:
    """A model size with its architecture, batch and peak learning rate (GPT-3, table 2.1; LLaMA, table 2)."""

    layers: int
    width: int
    heads: int
    context_length: int  # tokens
    batch_tokens: int
    learning_rate: float
    architecture: Architecture = GPT3


def _gpt3(layers: int, width: int, heads: int, batch_sequences: int, learning_rate: float) -> Preset:
    """A row of table 2.1. Its "0.5M" tokens are 256 sequences, and so on in powers of two; "3.2M" are 1536."""
    return Preset(layers, width, heads, GPT3_CONTEXT, batch_sequences * GPT3_CONTEXT, learning_rate)


def _llama(layers: int, width: int, heads: int, learning_rate: float) -> Preset:
    """A row of LLaMA's table 2; its "4M" tokens are 2048 sequences."""
    return Preset(layers, width, heads, GPT3_CONTEXT, 2048 * GPT3_CONTEXT, learning_rate, LLAMA)


PRESETS = {
    # Ours, for tests and demonstrations: seconds and minutes on two processors.
    "femto": Preset(2, 32, 1, 64, 1024, 5e-3),
    "pico": Preset(2, 64, 2, 64, 1024, 3e-3),
    "nano": Preset(4, 128, 4, 128, 4096, 3e-3),
    "micro": Preset(5, 192, 6, 256, 8192, 2e-3),
    "tiny": Preset(6, 256, 8, 256, 16_384, 1e-3),
    "mini": Preset(8, 512, 8, 512, 65_536, 8e-4),
    "gpt3-small": _gpt3(12, 768, 12, 256, 6.0e-4),
    "gpt3-medium": _gpt3(24, 1024, 16, 256, 3.0e-4),
    "gpt3-large": _gpt3(24, 1536, 16, 256, 2.5e-4),
    "gpt3-xl": _gpt3(24, 2048, 16, 512, 2.0e-4),
    "gpt3-2.7b": _gpt3(32, 2560, 32, 512, 1.6e-4),
    "gpt3-6.7b": _gpt3(32, 4096, 32, 1024, 1.2e-4),
    "gpt3-13b": _gpt3(40, 5120, 40, 1024, 1.0e-4),
    "gpt3-175b": _gpt3(96, 12288, 96, 1536, 0.6e-4),
    "llama-6.7b": _llama(32, 4096, 32, 3.0e-4),
    "llama-13b": _llama(40, 5120, 40, 3.0e-4),
    "llama-32.5b": _llama(60, 6656, 52, 1.5e-4),
    "llama-65.2b": _llama(80, 8192, 64, 1.5e-4),
}


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"train.preset: there is no preset {name!r}; {hint}choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
