"""How much memory a training takes, how much there is, and what to change where it is not enough."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from curation.errors import PipelineError, UsageError
from trainer.cross_entropy import chunk_tokens
from trainer.model_config import ModelConfig
from trainer.presets import PRESETS

STATE_BYTES = 16  # a parameter: weight, gradient and the two moments of AdamW, float32 each
FLOAT_BYTES = 4
HALF_BYTES = 2
# Numbers that a block keeps for its backward pass, by the width of the model; read off trainer/layers.py and checked against the
# memory of real trainings (tests/trainer/test_memory.py). In float32 whatever the precision: the residual stream before attention
# and MLP, and both normalised. In the precision of matrix products: queries, keys, values and what attention makes of them.
FLOAT_WIDTHS = 4
PRODUCT_WIDTHS = 4
BANDED_WIDTHS = 4  # in a banded layer: keys and values twice more, a block of them beside the block before it
# Of the logits that are there at a time: as float32, and their logarithms; in half precision, their halves and those of the gradient.
LOGIT_BYTES, HALF_LOGIT_BYTES = 8, 12
CONTROL_GROUP_LIMITS = (  # what a container may use, and uses: Linux, control groups 2 and 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


@dataclass(frozen=True)
class MemoryNeed:
    """What a training keeps on one device; ``micro_batch`` counts sequences, ``parts`` the devices that share one model."""

    config: ModelConfig
    micro_batch: int
    precision: torch.dtype
    recompute: bool = False  # activation checkpointing
    parts: int = 1
    device: str = "cpu"  # its type

    @property
    def half(self) -> bool:
        """Whether matrix products are made in half precision."""
        return self.precision != torch.float32

    @property
    def state(self) -> int:
        """Bytes of weights, gradients and moments, and in half precision of the matrices that autocast makes of the weights.

        Where they are shared out, one block is whole, and so are the embeddings, with their gradients.
        """
        config = self.config
        state, embedding = STATE_BYTES * config.stored_parameters, config.padded_vocabulary * config.width
        if self.parts == 1:
            return state + HALF_BYTES * self.half * (config.matrix_parameters + embedding)
        return state // self.parts + 2 * FLOAT_BYTES * (config.matrix_parameters // config.layers + embedding)

    @property
    def activations(self) -> int:
        """Bytes that a forward pass leaves for the backward pass, and the logits with their gradients."""
        config = self.config
        tokens = self.micro_batch * config.context_length
        layers = [self._layer_bytes(config.window(layer) is not None) for layer in range(config.layers)]
        # Recomputed, a block's activations are there with their gradients, one block at a time.
        blocks = config.layers * FLOAT_BYTES * config.width + 2 * max(layers) if self.recompute else sum(layers)
        logits = min(tokens, chunk_tokens(config.padded_vocabulary, self.device)) * config.padded_vocabulary
        # Of the head: its input and the gradients of that and of the weight.
        head = (2 * tokens + config.padded_vocabulary) * config.width
        return tokens * blocks + (HALF_LOGIT_BYTES if self.half else LOGIT_BYTES) * logits + FLOAT_BYTES * head

    def _layer_bytes(self, banded: bool) -> int:
        """Bytes of one token in one block."""
        config = self.config
        inner = (4 if config.mlp == "swiglu" else 2) * config.hidden_width  # before and behind the nonlinearity, and the gate
        products = (PRODUCT_WIDTHS + BANDED_WIDTHS * banded + 2 * self.half) * config.width + inner  # half: the normalised once more
        return FLOAT_BYTES * FLOAT_WIDTHS * config.width + (HALF_BYTES if self.half else FLOAT_BYTES) * products

    @property
    def total(self) -> int:
        """Bytes in all, the program itself not counted."""
        return self.state + self.activations


def check_fits(need: MemoryNeed, available: int) -> None:
    """Make sure that a training fits into the memory of its device.

    Raises:
        UsageError: it does not; says what would.
    """
    if need.total > available:
        advice = next(_remedies(need, available), "no preset is small enough for this device")
        raise UsageError(
            f"the model needs about {readable_size(need.total)} ({readable_size(need.state)} for weights, gradients and moments, "
            f"{readable_size(need.activations)} for activations), and the device has {readable_size(available)} free; {advice}"
        )


def _remedies(need: MemoryNeed, available: int) -> Iterator[str]:
    """Changes after which the training fits, the least first."""
    smaller = [size for size in range(need.micro_batch - 1, 0, -1) if replace(need, micro_batch=size).total <= available]
    if smaller:
        yield f"set train.micro_batch_sequences to {smaller[0]}"
    one = replace(need, micro_batch=1, recompute=True)
    if one.total <= available:
        yield "set train.activation_checkpointing to true and train.micro_batch_sequences to 1"
    parts = next((parts for parts in (2 << power for power in range(12)) if replace(one, parts=parts).total <= available), None)
    fitting = [name for name, sizes in PRESETS.items() if _fits(need, name, sizes.layers, sizes.width, sizes.heads, available)]
    preset = f"choose the smaller preset {fitting[-1]}" if fitting else ""
    share = f"train with train.parallel fsdp on {parts} or more such devices" if parts else ""
    if preset or share:
        yield ", or ".join(filter(None, (preset, share)))


def _fits(need: MemoryNeed, name: str, layers: int, width: int, heads: int, available: int) -> bool:
    if name.startswith("llama"):  # another architecture, which the preset alone does not choose
        return False
    smaller = replace(need, micro_batch=1, config=replace(need.config, layers=layers, width=width, heads=heads))
    return smaller.config.parameters < need.config.parameters and smaller.total <= available


def readable_size(size: int) -> str:
    """A size for people, in units of 10^9 bytes, or of 10^6 where it is small."""
    if size < 1e8:
        return f"{size / 1e6:,.1f} MB"
    return f"{size / 1e9:,.2f} GB" if size < 1e11 else f"{size / 1e9:,.0f} GB"


@contextlib.contextmanager
def exhaustion_told() -> Iterator[None]:
    """Turns running out of memory inside into an error that says what to change.

    Raises:
        PipelineError: there was not enough.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # OutOfMemoryError of CUDA is a RuntimeError
        if isinstance(error, RuntimeError) and not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise PipelineError(
            f"there is not enough memory ({first_line}); lower train.micro_batch_sequences or set train.activation_checkpointing to true, "
            "and train again to go on from the last checkpoint"
        ) from error


def available_bytes(device: torch.device) -> int:
    """Memory of a device that this process could still take."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    limits = [psutil.virtual_memory().available]
    for limit, used in CONTROL_GROUP_LIMITS:
        try:
            limits.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # there is no such group, or no limit ("max")
            continue
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if address_space != resource.RLIM_INFINITY:
        limits.append(address_space - psutil.Process().memory_info().vms)
    return max(0, min(limits))
