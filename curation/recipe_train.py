"""The recipe's section on the model and its training: every value with its unit and its source."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curation.section import Section


class TrainSettings(Section):
    """The model and its training (GPT-3, section 2 and appendix B)."""

    preset: str = Field("gpt3-small", description="model size; see trainer/presets.py")
    context_length: int | None = Field(None, ge=8, description="tokens of a sequence; null: the preset's")
    tokens: int = Field(300_000_000_000, ge=1, description="training tokens")
    batch_tokens: int | None = Field(None, ge=1, description="tokens of a step; null: the preset's")
    micro_batch_sequences: int = Field(8, ge=1, description="sequences of one forward pass; a step accumulates several")
    learning_rate: float | None = Field(None, gt=0, description="peak learning rate; null: the preset's")
    warmup_tokens: int = Field(375_000_000, ge=0, description="tokens of linear warm-up")
    decay_tokens: int = Field(260_000_000_000, ge=1, description="tokens from 0 until the cosine reaches its floor")
    min_learning_rate_ratio: float = Field(0.1, ge=0, le=1, description="floor of the learning rate, relative to its peak")
    weight_decay: float = Field(0.1, ge=0, description="decoupled decay of matrices and embeddings")
    beta1: float = Field(0.9, ge=0, lt=1, description="first AdamW coefficient")
    beta2: float = Field(0.95, ge=0, lt=1, description="second AdamW coefficient")
    epsilon: float = Field(1e-8, gt=0, description="AdamW's epsilon")
    gradient_clip: float = Field(1.0, gt=0, description="largest global gradient norm")
    mixture: dict[str, float] | None = Field(None, description="weight of each source; null: in proportion to its tokens")
    validation_every_tokens: int = Field(100_000_000, ge=1, description="tokens between two measurements of the validation loss")
    validation_tokens: int = Field(1_000_000, ge=1, description="most validation tokens of one measurement")
    checkpoint_every_tokens: int = Field(500_000_000, ge=1, description="tokens between two checkpoints")
    keep_checkpoints: int = Field(2, ge=1, description="how many of the newest checkpoints stay")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:0, ...")
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="type of matrix products; auto: bfloat16 on CUDA only")
    sample_prompt: str = Field("The", description="beginning of the sample generated at the end")
    sample_tokens: int = Field(100, ge=0, description="tokens of that sample")
