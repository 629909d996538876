"""The recipe's section on the model and its training: every value with its unit and its source."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curation.recipe_model import ModelSettings
from curation.section import Section


class TrainSettings(Section):
    """The model and its training (GPT-3, section 2 and appendix B)."""

    preset: str = Field("gpt3-small", description="model size; see trainer/presets.py")
    context_length: int | None = Field(None, ge=8, description="tokens of a sequence; null: the preset's")
    tokens: int = Field(300_000_000_000, ge=1, description="training tokens; schedules that are null shrink and grow with them")
    batch_tokens: int | None = Field(None, ge=1, description="tokens of a step; null: the preset's")
    ramp_start_tokens: int = Field(32_768, ge=1, description="tokens of the first step; a larger batch grows from here (GPT-3: 32k)")
    ramp_tokens: int | None = Field(
        None, ge=0, description="tokens until the batch is full; 0: at once; null: 4, 8 or 12 of 300 billion, by size of the model"
    )
    micro_batch_sequences: int = Field(8, ge=1, description="sequences of one forward pass; a step accumulates several")
    learning_rate: float | None = Field(None, gt=0, description="peak learning rate; null: the preset's")
    warmup_tokens: int | None = Field(None, ge=0, description="tokens of linear warm-up; null: 375 million of 300 billion")
    decay_tokens: int | None = Field(
        None, ge=1, description="tokens from 0 until the cosine reaches its floor; null: 260 billion of 300 billion"
    )
    min_learning_rate_ratio: float = Field(0.1, ge=0, le=1, description="floor of the learning rate, relative to its peak")
    weight_decay: float = Field(0.1, ge=0, description="decoupled decay of matrices and embeddings")
    beta1: float = Field(0.9, ge=0, lt=1, description="first AdamW coefficient")
    beta2: float = Field(0.95, ge=0, lt=1, description="second AdamW coefficient")
    epsilon: float = Field(1e-8, gt=0, description="AdamW's epsilon")
    gradient_clip: float = Field(1.0, gt=0, description="largest global gradient norm")
    spike_factor: float | None = Field(
        10.0, gt=1, description="a step is skipped whose gradient norm is so many times the median of late; null: none is (our choice)"
    )
    max_skipped_steps: int = Field(
        20, ge=0, description="steps skipped in a row, for spikes or what is not finite, that end the run beyond"
    )
    mixture: dict[str, float] | None = Field(None, description="weight of each source; null: in proportion to its tokens")
    validation_every_tokens: int | None = Field(
        None, ge=1, description="tokens between two measurements of the validation loss; null: a twentieth of the run, 100 million at most"
    )
    validation_tokens: int | None = Field(
        None, ge=1, description="most validation tokens of one measurement; null: a hundredth of the run, 1 million at most"
    )
    checkpoint_every_tokens: int | None = Field(
        None, ge=1, description="tokens between two checkpoints; null: a twentieth of the run, 500 million at most"
    )
    keep_checkpoints: int = Field(2, ge=1, description="how many of the newest checkpoints stay")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:0, ...; under torchrun, cuda is a GPU for each process")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="type of matrix products; auto: bfloat16 on CUDA only; float16 scales the loss"
    )
    compile: bool = Field(False, description="compile the model with torch.compile: minutes at the start, faster steps on a GPU")
    activation_checkpointing: bool = Field(
        False, description="compute each block again in the backward pass: less memory, a third more work"
    )
    parallel: Literal["auto", "ddp", "fsdp"] = Field(
        "auto",
        description="under torchrun: ddp, the whole model in each process; fsdp, a part in each; auto: ddp where half of a device holds it",
    )
    tokens_per_second: float | None = Field(None, gt=0, description="speed of the run, for the prediction; null: measured on this machine")
    cost_per_device_hour: float | None = Field(None, ge=0, description="price of one device for an hour, for the prediction, any currency")
    tensorboard: bool = Field(False, description="write losses and rates for TensorBoard too (extra: tensorboard)")
    sample_prompt: str = Field("The", description="beginning of the sample generated at the end")
    sample_tokens: int = Field(100, ge=0, description="tokens of that sample")
    model: ModelSettings = ModelSettings()
