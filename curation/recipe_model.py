"""The recipe's choices about the model's architecture; null leaves a choice to the preset."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curation.section import Section


class ModelSettings(Section):
    """How the model is built, beside its size; null: as the preset has it. GPT-3's presets are as GPT-3, LLaMA's as LLaMA."""

    attention: Literal["alternating", "dense"] | None = Field(
        None, description="alternating: dense and locally banded layers in turn, layer 0 dense (GPT-3, 2.1); dense: all layers dense"
    )
    attention_window: int | None = Field(
        None, ge=1, description="keys that a position of a banded layer sees, its own included; 256 in GPT-3's presets (our choice)"
    )
    positions: Literal["learned", "rope", "alibi"] | None = Field(
        None, description="learned: an embedding (GPT-3); rope: rotated queries and keys (LLaMA); alibi: scores fall with distance"
    )
    norm: Literal["layer_norm", "rms_norm"] | None = Field(None, description="layer_norm (GPT-3) or rms_norm (LLaMA)")
    norm_position: Literal["pre", "post"] | None = Field(
        None, description="pre: what enters a sub-block is normalised (GPT-2 on); post: the sum behind it (GPT-1)"
    )
    mlp: Literal["gelu", "swiglu"] | None = Field(
        None, description="gelu: four times as wide as the model (GPT-3); swiglu: gated, 8/3 times, rounded up to 256 (LLaMA)"
    )
    biases: bool | None = Field(None, description="biases in linear layers and LayerNorm")
    query_bias: bool | None = Field(None, description="a bias of the queries; GPT-Neo has none, so that its export needs false")
    tied_head: bool | None = Field(None, description="the token embedding is the output head too")
