"""Write a model as Hugging Face's transformers reads it: safetensors, config.json and tokenizer files; no pickle.

Which of its classes computes the same follows from the architecture; where none does, the error says what to train with.
"""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from curation.errors import InputError, PipelineError, UsageError
from curation.shards import canonical_json
from curation.storage import TEMPORARY_MARK, is_remote, local_path
from trainer.checkpoint import MODEL_FILE, write_tensors
from trainer.export_forms import FORMS
from trainer.export_tokenizer import tokenizer_files
from trainer.model_config import ModelConfig
from trainer.trained import Trained

# What each class has, by the keys of the recipe's section train.model.
REQUIRED: dict[str, dict[str, object]] = {
    "GPT2LMHeadModel": {"attention": "dense", "positions": "learned", "norm": "layer_norm", "norm_position": "pre", "mlp": "gelu"},
    "GPTNeoForCausalLM": {
        "attention": "alternating",
        "query_bias": False,
        "positions": "learned",
        "norm": "layer_norm",
        "norm_position": "pre",
        "mlp": "gelu",
    },
    "LlamaForCausalLM": {
        "attention": "dense",
        "positions": "rope",
        "norm": "rms_norm",
        "norm_position": "pre",
        "mlp": "swiglu",
        "biases": False,
    },
}


def export_model(trained: Trained, output: str) -> str:
    """Write the model to a new folder; returns the name of the class that reads it.

    Raises:
        UsageError: the folder exists, or is not local.
        InputError: no class of transformers computes what this model does.
        PipelineError: the disk is full or cannot be written to.
    """
    if is_remote(output):
        raise UsageError(f"models are exported to local folders, and {output} is none; export to a disk and copy the folder")
    folder = local_path(output)
    if folder.exists():
        raise UsageError(f"{folder} exists; name a folder that does not, or remove it")
    config = trained.model.config
    form = choose_form(config)
    values, tensors = FORMS[form](config, trained.model.state_dict())
    identity = {"architectures": [form], "dtype": "float32", "vocab_size": config.vocabulary_size}
    ends = dict.fromkeys(("bos_token_id", "eos_token_id"), trained.tokenizer.end_of_text)
    files = {"config.json": canonical_json(values | identity | ends | {"tie_word_embeddings": config.tied_head})}
    files |= tokenizer_files(trained.tokenizer, config.context_length)
    temporary = folder.with_name(f".{folder.name}{TEMPORARY_MARK}{uuid.uuid4().hex}")
    try:
        temporary.mkdir(parents=True)
        write_tensors(temporary / MODEL_FILE, tensors, {"format": "pt"})
        for name, content in files.items():
            Path(temporary, name).write_bytes(content)
        os.replace(temporary, folder)
    except OSError as error:
        raise PipelineError(f"cannot write {folder}: {error.strerror or error}; free space, or name another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return form


def choose_form(config: ModelConfig) -> str:
    """The class of transformers that computes what this model does.

    Raises:
        InputError: there is none; the message names the nearest, and what to train with for it.
    """
    banded = any(config.window(layer) for layer in range(config.layers))
    has = {name: getattr(config, name) for name in ("positions", "norm", "norm_position", "mlp", "biases")} | {
        "attention": "alternating" if banded else "dense",
        "query_bias": config.biases and config.query_bias,
    }
    differing = {form: {name: value for name, value in required.items() if has[name] != value} for form, required in REQUIRED.items()}
    nearest = min(differing, key=lambda form: (len(differing[form]), "attention" in differing[form]))
    if differing[nearest]:
        wanted = " ".join(f"--set train.model.{name}={str(value).lower()}" for name, value in differing[nearest].items())
        raise InputError(f"transformers has no class for this architecture; the nearest is {nearest}: train with {wanted}")
    return nearest
