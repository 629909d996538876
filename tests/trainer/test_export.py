"""trainer/export*.py: transformers computes from the exported files what our model computes, and reads text alike."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

from cli import main
from curation.errors import InputError, UsageError
from curation.recipe_model import ModelSettings
from tests.shared_data import shared
from tests.trainer.small_training import SETTINGS, TOKENIZER, run, write_tokens
from trainer.export import choose_form, export_model
from trainer.export_tokenizer import merges_of, tokenizer_files
from trainer.model_config import ModelConfig
from trainer.tokenizer import Tokenizer, load_gpt2_tokenizer, train_tokenizer
from trainer.trained import Trained, open_trained

transformers = pytest.importorskip("transformers", reason="the extra dev brings it")

NEO = {"attention": "alternating", "attention_window": 5, "query_bias": False}
LLAMA = {"attention": "dense", "positions": "rope", "norm": "rms_norm", "mlp": "swiglu", "biases": False}
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2LMHeadModel", {"attention": "dense"}),
    "gpt2-short-context": ("GPT2LMHeadModel", {"attention": "alternating"}),  # no window hides anything of 16 positions
    "gpt2-no-biases-own-head": ("GPT2LMHeadModel", {"attention": "dense", "biases": False, "tied_head": False}),
    "gpt-neo": ("GPTNeoForCausalLM", NEO),
    "llama": ("LlamaForCausalLM", LLAMA | {"tied_head": False}),
    "llama-tied": ("LlamaForCausalLM", LLAMA),
}


@pytest.fixture(scope="module")
def tokens_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokens(tmp_path_factory.mktemp("tokens"))


def trained(tokens_folder: Path, folder: Path, architecture: dict[str, Any]) -> Trained:
    """A model after twelve steps, so that none of its parameters is as it began."""
    run(tokens_folder, folder / "model", SETTINGS.model_copy(update={"model": ModelSettings(**architecture)}))
    return open_trained(str(folder), None, pytest.fail)


@pytest.mark.parametrize("name", FORMS)
def test_transformers_computes_the_same(tokens_folder: Path, tmp_path: Path, name: str) -> None:
    form, architecture = FORMS[name]
    ours = trained(tokens_folder, tmp_path, architecture)
    assert export_model(ours, str(tmp_path / "exported")) == form
    theirs, report = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "exported", output_loading_info=True)
    assert type(theirs).__name__ == form
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert theirs.get_output_embeddings().weight.shape[0] == 257  # no padding
    ids = torch.randint(257, (3, 16), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(theirs(ids).logits, ours.model(ids), rtol=1e-5, atol=1e-5)
    assert sorted(path.name for path in (tmp_path / "exported").iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_the_band_is_seen_in_the_logits(tokens_folder: Path, tmp_path: Path) -> None:
    """Else the equality above would say nothing about windows: another window gives other logits."""
    ours = trained(tokens_folder, tmp_path, NEO)
    export_model(ours, str(tmp_path / "exported"))
    config = json.loads((tmp_path / "exported/config.json").read_bytes())
    (tmp_path / "exported/config.json").write_text(json.dumps(config | {"window_size": 6}))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "exported")
    ids = torch.randint(257, (3, 16), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (theirs(ids).logits - ours.model(ids)).abs().max() > 1e-4


TEXTS = [
    "Hello, world! It's 2,024 o'clock; they'll see.",
    " \n\n\t leading   spaces  ",
    "naïve 東京 🙂 \u0000\u200b",
    "x" * 300,
    "don'T WE'LL 'twas",
    "",
]


def assert_same_ids(tokenizer: Tokenizer, folder: Path, texts: list[str]) -> None:
    for name, content in tokenizer_files(tokenizer, 64).items():
        (folder / name).write_bytes(content)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    assert len(theirs) == tokenizer.vocabulary_size and theirs.eos_token_id == tokenizer.end_of_text
    for text in texts:
        ids = tokenizer.encode(text).tolist()
        assert theirs(text)["input_ids"] == ids
        assert theirs.decode(ids) == text


def test_trained_tokenizer_reads_alike(tmp_path: Path) -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    tokenizer = train_tokenizer([text] * 2, 600)
    assert_same_ids(tokenizer, tmp_path, [*TEXTS, text])


def test_gpt2_tokenizer_reads_alike_and_its_merges_are_the_published_ones(tmp_path: Path) -> None:
    folder = shared("data", "bpe")
    tokenizer = load_gpt2_tokenizer(str(folder / "vocab.bpe"), str(folder / "encoder.json"))
    assert_same_ids(tokenizer, tmp_path, [*TEXTS, Path(__file__).read_text(encoding="utf-8")])
    published = (folder / "vocab.bpe").read_text(encoding="utf-8").split("\n")[1:-1]
    written = json.loads((tmp_path / "tokenizer.json").read_bytes())["model"]["merges"]
    assert [" ".join(pair) for pair in written] == published
    # Merging is by rank alone, here and there: no merge of the file is missed.
    assert len(merges_of(tokenizer)) == 50_000


def test_tokens_without_merges_are_refused() -> None:
    with pytest.raises(InputError, match="token 256, b'abc', is joined of no two earlier ones"):
        merges_of(Tokenizer([*TOKENIZER.tokens, b"abc"]))


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({}, r"the nearest is GPTNeoForCausalLM: train with --set train\.model\.query_bias=false$"),
        ({"attention": "dense", "positions": "alibi"}, r"GPT2LMHeadModel: train with --set train\.model\.positions=learned$"),
        (LLAMA | {"attention": "alternating"}, r"LlamaForCausalLM: train with --set train\.model\.attention=dense$"),
        ({"attention": "dense", "norm_position": "post"}, r"GPT2LMHeadModel: train with --set train\.model\.norm_position=pre$"),
    ],
)
def test_an_architecture_without_a_class_says_what_to_train_with(architecture: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_form(ModelConfig(257, 512, 4, 16, 2, **architecture))


def test_the_commands(tokens_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = trained(tokens_folder, tmp_path, {"attention": "dense"})
    first, second = sorted((tmp_path / "model").glob("checkpoint-*"))
    generate = ["generate", "the qu", "--run", str(tmp_path), "--tokens", "9"]
    assert main([*generate, "--temperature", "0", "--samples", "2"]) == 0
    one, other = capsys.readouterr().out.split("---\n")
    assert one == other and one.startswith("the qu") and len(one.encode()) == len("the qu") + 9 + 1  # a byte a token
    assert main([*generate, "--seed", "3", "--samples", "2"]) == 0
    assert main([*generate, "--seed", "4"]) == 0
    assert main([*generate, "--seed", "3", "--checkpoint", first.name, "--top-k", "5", "--top-p", "0.9"]) == 0
    output, errors = capsys.readouterr()
    samples = output.split("---\n")  # the seeds 3 and 4; the second and the next command's first stand together
    assert samples[1][: len(samples[1]) // 2] != samples[0]
    assert f"tokens from {second};" in errors and f"tokens from {first};" in errors

    assert main(["export", "--run", str(tmp_path), "--output", str(tmp_path / "exported")]) == 0
    output = capsys.readouterr().out
    *_, command = shlex.split(output.splitlines()[-1])
    assert f'"{tmp_path / "exported"}")("The", max_new_tokens=8)' in command  # half of the context
    exec(command)  # writes to stdout
    assert "The" in capsys.readouterr().out
    assert f"GPT2LMHeadModel of {ours.model.config.parameters:,} parameters from {second}" in output
    assert main(["export", "--run", str(tmp_path), "--output", str(tmp_path / "exported")]) == 2
    assert "exists; name a folder that does not" in capsys.readouterr().err


def test_what_cannot_be_opened_says_what_to_do(tokens_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no model; train first: python cli\.py train --run"):
        open_trained(str(tmp_path), None, pytest.fail)
    trained(tokens_folder, tmp_path, {})
    first, second = sorted((tmp_path / "model").glob("checkpoint-*"))
    with pytest.raises(InputError, match=rf"there is no checkpoint .*; there are: {first.name}, {second.name}"):
        open_trained(str(tmp_path), "checkpoint-7", pytest.fail)
    weights = second / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    notes: list[str] = []
    assert open_trained(str(tmp_path), None, notes.append).checkpoint.path == first
    assert len(notes) == 1 and "is damaged and not used" in notes[0]
    with pytest.raises(InputError, match=rf"{second.name} is damaged .*leave it out for the newest"):
        open_trained(str(tmp_path), second.name, pytest.fail)
    tokenizer = tmp_path / "model/tokenizer.json"
    own = tokenizer.read_bytes()
    tokenizer.write_bytes(Tokenizer([bytes([value]) for value in reversed(range(256))]).to_bytes())  # as many ids, which mean others
    with pytest.raises(InputError, match=r"tokenizer\.json is not the tokenizer that .*config\.json names"):
        open_trained(str(tmp_path), None, notes.append)
    tokenizer.write_bytes(own)
    config = tmp_path / "model/config.json"
    values = json.loads(config.read_bytes())
    config.write_text(json.dumps(values | {"width": 32}))
    with pytest.raises(InputError, match=r"does not fit .*config\.json"):
        open_trained(str(tmp_path), None, notes.append)
    config.write_text(json.dumps({"layers": 2}))  # of an earlier version
    with pytest.raises(InputError, match="no configuration of a model of this version"):
        open_trained(str(tmp_path), None, notes.append)
    with pytest.raises(UsageError, match="models are read from local folders"):
        open_trained("s3://bucket/run", None, notes.append)


@pytest.mark.parametrize(
    "arguments",
    [["--tokens", "0"], ["--temperature", "-1"], ["--temperature", "nan"], ["--top-p", "0"], ["--top-p", "x"], ["--seed", "-1"]],
)
def test_numbers_out_of_range_are_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "The", "--run", "nowhere", *arguments]) == 2
    assert arguments[1] in capsys.readouterr().err
