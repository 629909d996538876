"""benchmarks/train.py: the peer computes what our model does, and the baseline is the entropy that it claims to be."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from benchmarks.train import SHAKESPEARE, load_nanogpt, random_ids, unigram_loss
from trainer.model import build_model
from trainer.plan import plan_training


def test_the_peer_is_the_same_model() -> None:
    plan = plan_training(SHAKESPEARE, 257)
    config = replace(plan.config, layers=2, width=32)
    ours = build_model(config, 0)
    peer = load_nanogpt().NanoGPT(config.vocabulary_size, config.context_length, config.layers, config.width, config.heads, "tanh")
    assert sum(parameter.numel() for parameter in peer.parameters()) == config.parameters
    names = {
        "token_embedding": "wte",
        "position_embedding": "wpe",
        "final_norm": "ln_f",
        "attention_norm": "ln_1",
        "mlp_norm": "ln_2",
        "attention.input": "attn.c_attn",
        "attention.output": "attn.c_proj",
        "mlp.input": "c_fc",
        "mlp.output": "c_proj",
    }
    renamed = {}
    for name, tensor in ours.state_dict().items():
        for our, their in names.items():
            name = name.replace(our + ".", their + ".")
        renamed[name] = tensor
    renamed["wte.weight"] = renamed["lm_head.weight"] = renamed["wte.weight"][:257]
    peer.load_state_dict(renamed)
    ids = torch.from_numpy(random_ids(plan))
    torch.testing.assert_close(peer(ids[:, :-1], ids[:, 1:].contiguous()), ours.loss(ids), rtol=1e-5, atol=1e-5)


def test_random_ids_fill_a_step() -> None:
    assert random_ids(plan_training(SHAKESPEARE, 257)).shape == (12, 65)


def test_unigram_loss_by_hand() -> None:
    # Counts 3 and 1, one added to each of two kinds: 4/6 and 2/6; the validation part has one of each.
    assert unigram_loss("aaab", "ab") == pytest.approx(-(math.log(4 / 6) + math.log(2 / 6)) / 2)
