"""What determines a model: sizes and architecture, with exact counts of parameters. Needs no torch.

The defaults are GPT-3's (section 2.1): blocks of GPT-2 whose layers are dense and locally banded in turn. The other
choices are those of GPT-1 (norms behind each sub-block), LLaMA (RMSNorm, SwiGLU, RoPE, no biases) and ALiBi.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from curation.errors import UsageError

DEFAULT_WINDOW = 256  # our choice: the paper gives no bandwidth; gpt-neo's default
MLP_RATIO = 4  # GPT-3, section 2.1
# Rows of the token embedding are padded to this multiple, which matrix units prefer. The padding
# enters no count, no loss and no sample.
VOCABULARY_MULTIPLE = 128
SWIGLU_MULTIPLE = 256  # LLaMA, model.py: two thirds of 4 * width, rounded up to this


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Choices beside the sizes; the recipe's section train.model explains each."""

    attention: Literal["alternating", "dense"] = "alternating"
    attention_window: int = DEFAULT_WINDOW  # keys, the position's own included
    positions: Literal["learned", "rope", "alibi"] = "learned"
    norm: Literal["layer_norm", "rms_norm"] = "layer_norm"
    norm_position: Literal["pre", "post"] = "pre"
    mlp: Literal["gelu", "swiglu"] = "gelu"
    biases: bool = True
    query_bias: bool = True
    tied_head: bool = True


@dataclass(frozen=True)
class ModelConfig(Architecture):
    """What determines the shape of a model."""

    vocabulary_size: int
    context_length: int
    layers: int
    width: int
    heads: int

    def __post_init__(self) -> None:
        """Refuse what cannot be built.

        Raises:
            UsageError: the heads do not divide the width, or RoPE has no pairs to rotate.
        """
        if self.width % self.heads:
            raise UsageError(f"a width of {self.width} cannot be shared by {self.heads} heads; choose another preset")
        if self.positions == "rope" and self.head_width % 2:
            raise UsageError(f"train.model.positions: rope rotates pairs, and a head is {self.head_width} wide; choose learned or alibi")

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.width // self.heads

    @property
    def hidden_width(self) -> int:
        """Width inside the MLP."""
        if self.mlp == "gelu":
            return MLP_RATIO * self.width
        return -(-(2 * MLP_RATIO * self.width // 3) // SWIGLU_MULTIPLE) * SWIGLU_MULTIPLE

    @property
    def padded_vocabulary(self) -> int:
        """Rows of the token embedding."""
        return -(-self.vocabulary_size // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE

    def window(self, layer: int) -> int | None:
        """Keys that a position sees in a layer, counted from 0; None: all up to its own.

        Layer 0 is dense, then banded and dense take turns (the paper does not say which comes first). A window as long
        as the context hides nothing.
        """
        banded = self.attention == "alternating" and layer % 2 == 1 and self.attention_window < self.context_length
        return self.attention_window if banded else None

    @property
    def matrix_parameters(self) -> int:
        """Parameters of the blocks' matrices, 12 d^2 a layer in GPT-3: the N of the scaling laws."""
        matrices = 3 if self.mlp == "swiglu" else 2
        return self.layers * (4 * self.width**2 + matrices * self.width * self.hidden_width)

    @property
    def parameters(self) -> int:
        """Exact number of parameters; padding of the vocabulary not counted, nor a tied head twice."""
        norms = 2 * self.layers + (self.norm_position == "pre")
        norm_vectors = 2 if self.norm == "layer_norm" and self.biases else 1
        rows = self._token_tables * self.vocabulary_size + (self.context_length if self.positions == "learned" else 0)
        return self.matrix_parameters + self.layers * self._layer_biases + (norms * norm_vectors + rows) * self.width

    @property
    def stored_parameters(self) -> int:
        """Number of parameters in memory, padding of the vocabulary counted."""
        return self.parameters + self._token_tables * (self.padded_vocabulary - self.vocabulary_size) * self.width

    @property
    def _token_tables(self) -> int:
        return 1 if self.tied_head else 2

    @property
    def _layer_biases(self) -> int:
        """Biases of one layer's matrices: of queries, keys, values and output; of the MLP's input, with its gate, and output."""
        if not self.biases:
            return 0
        attention = (4 if self.query_bias else 3) * self.width
        return attention + (2 if self.mlp == "swiglu" else 1) * self.hidden_width + self.width
