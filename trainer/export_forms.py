"""Weights and configuration in the forms of three classes of transformers: the same function, other names and shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional as F

from trainer.layers import NORM_EPSILON, ROPE_BASE
from trainer.model_config import ModelConfig

Tensors = dict[str, torch.Tensor]
Form = tuple[dict[str, Any], Tensors]  # content of config.json, and the weights by name


def to_gpt2(config: ModelConfig, tensors: Mapping[str, torch.Tensor]) -> Form:
    """GPT2LMHeadModel: all layers dense; matrices lie the other way round."""
    values = {
        "model_type": "gpt2",
        "n_positions": config.context_length,
        "n_embd": config.width,
        "n_layer": config.layers,
        "n_head": config.heads,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": NORM_EPSILON,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    }
    made = _embeddings(config, tensors)
    for layer in range(config.layers):
        ours, theirs = f"blocks.{layer}", f"transformer.h.{layer}"
        made |= _norms(tensors, ours, theirs)
        for part, name in (
            ("attention.input", "attn.c_attn"),
            ("attention.output", "attn.c_proj"),
            ("mlp.input", "mlp.c_fc"),
            ("mlp.output", "mlp.c_proj"),
        ):
            made[f"{theirs}.{name}.weight"] = tensors[f"{ours}.{part}.weight"].T
            made[f"{theirs}.{name}.bias"] = _bias(tensors, f"{ours}.{part}")
    return values, made


def to_gpt_neo(config: ModelConfig, tensors: Mapping[str, torch.Tensor]) -> Form:
    """GPTNeoForCausalLM: dense ("global") and banded ("local") layers in turn; its window counts the position's own key.

    It does not scale scores and has no biases of queries, keys and values. So the scale goes into the
    queries' matrix. A bias of keys adds the same to all scores of a query, which softmax ignores. A bias
    of values adds itself to every mean of values, and so goes, by the output matrix, into its bias.
    """
    pairs, odd = divmod(config.layers, 2)
    values = {
        "model_type": "gpt_neo",
        "max_position_embeddings": config.context_length,
        "hidden_size": config.width,
        "num_layers": config.layers,
        "num_heads": config.heads,
        "attention_types": [[["global", "local"], pairs]] + [[["global"], 1]] * odd,
        "window_size": config.attention_window,
        "intermediate_size": config.hidden_width,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": NORM_EPSILON,
    }
    made = _embeddings(config, tensors)
    for layer in range(config.layers):
        ours, theirs = f"blocks.{layer}", f"transformer.h.{layer}"
        made |= _norms(tensors, ours, theirs)
        queries, keys, heads_values = tensors[f"{ours}.attention.input.weight"].chunk(3)
        output = tensors[f"{ours}.attention.output.weight"]
        value_bias = _bias(tensors, f"{ours}.attention.input").chunk(3)[2]
        made |= {
            f"{theirs}.attn.attention.q_proj.weight": queries / math.sqrt(config.head_width),
            f"{theirs}.attn.attention.k_proj.weight": keys,
            f"{theirs}.attn.attention.v_proj.weight": heads_values,
            f"{theirs}.attn.attention.out_proj.weight": output,
            f"{theirs}.attn.attention.out_proj.bias": _bias(tensors, f"{ours}.attention.output") + output @ value_bias,
        }
        for part, name in (("mlp.input", "mlp.c_fc"), ("mlp.output", "mlp.c_proj")):
            made[f"{theirs}.{name}.weight"] = tensors[f"{ours}.{part}.weight"]
            made[f"{theirs}.{name}.bias"] = _bias(tensors, f"{ours}.{part}")
    return values, made


def to_llama(config: ModelConfig, tensors: Mapping[str, torch.Tensor]) -> Form:
    """LlamaForCausalLM: RMSNorm, SwiGLU and RoPE, without biases."""
    values = {
        "model_type": "llama",
        "max_position_embeddings": config.context_length,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.heads,
        "intermediate_size": config.hidden_width,
        "hidden_act": "silu",
        "rms_norm_eps": NORM_EPSILON,
        "rope_theta": ROPE_BASE,
    }
    made = {"model.embed_tokens.weight": tensors["token_embedding.weight"][: config.vocabulary_size]}
    made["model.norm.weight"] = tensors["final_norm.weight"]
    made |= _head(config, tensors)
    for layer in range(config.layers):
        ours, theirs = f"blocks.{layer}", f"model.layers.{layer}"
        queries, keys, heads_values = tensors[f"{ours}.attention.input.weight"].chunk(3)
        gate, value = tensors[f"{ours}.mlp.input.weight"].chunk(2)
        made |= {
            f"{theirs}.input_layernorm.weight": tensors[f"{ours}.attention_norm.weight"],
            f"{theirs}.self_attn.q_proj.weight": queries,
            f"{theirs}.self_attn.k_proj.weight": keys,
            f"{theirs}.self_attn.v_proj.weight": heads_values,
            f"{theirs}.self_attn.o_proj.weight": tensors[f"{ours}.attention.output.weight"],
            f"{theirs}.post_attention_layernorm.weight": tensors[f"{ours}.mlp_norm.weight"],
            f"{theirs}.mlp.gate_proj.weight": gate,
            f"{theirs}.mlp.up_proj.weight": value,
            f"{theirs}.mlp.down_proj.weight": tensors[f"{ours}.mlp.output.weight"],
        }
    return values, made


FORMS: dict[str, Callable[[ModelConfig, Mapping[str, torch.Tensor]], Form]] = {
    "GPT2LMHeadModel": to_gpt2,
    "GPTNeoForCausalLM": to_gpt_neo,
    "LlamaForCausalLM": to_llama,
}


def _embeddings(config: ModelConfig, tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """What GPT-2 and GPT-Neo have around their blocks; rows that pad the vocabulary are left out."""
    made = {
        "transformer.wte.weight": tensors["token_embedding.weight"][: config.vocabulary_size],
        "transformer.wpe.weight": tensors["position_embedding.weight"],
        "transformer.ln_f.weight": tensors["final_norm.weight"],
        "transformer.ln_f.bias": _bias(tensors, "final_norm"),
    }
    return made | _head(config, tensors)


def _head(config: ModelConfig, tensors: Mapping[str, torch.Tensor]) -> Tensors:
    return {} if config.tied_head else {"lm_head.weight": tensors["head.weight"][: config.vocabulary_size]}


def _norms(tensors: Mapping[str, torch.Tensor], ours: str, theirs: str) -> Tensors:
    made = {}
    for part, name in (("attention_norm", "ln_1"), ("mlp_norm", "ln_2")):
        made[f"{theirs}.{name}.weight"] = tensors[f"{ours}.{part}.weight"]
        made[f"{theirs}.{name}.bias"] = _bias(tensors, f"{ours}.{part}")
    return made


def _bias(tensors: Mapping[str, torch.Tensor], name: str) -> torch.Tensor:
    """The bias of a layer as long as its output: zeros where the model has none, and for the queries where they have none."""
    length = len(tensors[f"{name}.weight"])
    bias = tensors.get(f"{name}.bias", torch.zeros(0))
    return F.pad(bias, (length - len(bias), 0))
