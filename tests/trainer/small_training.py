"""A training of a few steps of a very small model on two sources, for the tests of the loop and of several processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from curation.recipe_train import TrainSettings
from trainer.loop import train
from trainer.metrics import read_metrics
from trainer.token_shards import build_token_file
from trainer.tokenizer import Tokenizer

SETTINGS = TrainSettings(
    preset="pico",
    context_length=16,
    tokens=16 * 8 * 12,  # 12 steps of 8 sequences of 16 tokens
    batch_tokens=16 * 8,
    micro_batch_sequences=3,  # 3 + 3 + 2: parts of unequal size
    learning_rate=0.01,
    warmup_tokens=256,
    decay_tokens=16 * 8 * 12,
    validation_every_tokens=16 * 8 * 5,
    validation_tokens=16 * 6,
    checkpoint_every_tokens=16 * 8 * 4,
    sample_tokens=5,
    device="cpu",
)
TOKENIZER = Tokenizer([bytes([value]) for value in range(256)])
PHRASES = {"web": "the quick brown fox jumps over the lazy dog. ", "books": "call me Ishmael; some years ago, never mind. "}


def write_tokens(folder: Path) -> Path:
    """Shards of both sources and the tokenizer; returns the folder."""
    for source, phrase in PHRASES.items():
        for split, copies in (("train", 12), ("validation", 3)):
            write_shard(folder, source, split, phrase * copies)
    (folder / "tokenizer.json").write_bytes(TOKENIZER.to_bytes())
    return folder


def write_shard(folder: Path, source: str, split: str, text: str) -> None:
    content, header = build_token_file(
        [TOKENIZER.encode(text)],
        end_of_text=TOKENIZER.end_of_text,
        vocabulary_size=TOKENIZER.vocabulary_size,
        tokenizer_sha256=TOKENIZER.sha256,
        text_bytes=len(text),
        source=source,
        split=split,
    )
    path = folder / source / f"{split}-00000.tokens"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.with_suffix(".json").write_bytes(header.to_bytes())


def never() -> int | None:
    return None


def stop_after(steps: int, exit_code: int = 143) -> Callable[[], int | None]:
    asked = iter(range(10**6))
    return lambda: exit_code if next(asked) >= steps else None


def silent(row: Mapping[str, Any]) -> None:
    del row


def run(tokens_folder: Path, model_folder: Path, settings: TrainSettings = SETTINGS, **options: Any) -> dict[str, Any]:
    arguments = {"fingerprint": "f", "stop": never, "progress": silent, **options}
    return train(settings, 1, str(tokens_folder), str(model_folder), **arguments)


def final_bytes(model_folder: Path) -> list[bytes]:
    (newest,) = sorted(model_folder.glob("checkpoint-*"))[-1:]
    return [(newest / name).read_bytes() for name in ("model.safetensors", "optimizer.safetensors")]


def untimed(model_folder: Path) -> list[dict[str, Any]]:
    timed = {"elapsed_seconds", "tokens_per_second"}
    return [{name: value for name, value in row.items() if name not in timed} for row in read_metrics(model_folder / "metrics.jsonl")]
