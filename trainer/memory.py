"""How much memory a training takes, and how much there is."""

from __future__ import annotations

import resource
from pathlib import Path

import torch

from trainer.model_config import ModelConfig

STATE_BYTES = 16  # a parameter: weight, gradient and the two moments of AdamW, float32 each
CONTROL_GROUP_LIMITS = (  # what a container may use, and uses: Linux, control groups 2 and 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def state_bytes(config: ModelConfig) -> int:
    """Bytes of weights, gradients and moments, padding of the vocabulary included."""
    return STATE_BYTES * config.stored_parameters


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
