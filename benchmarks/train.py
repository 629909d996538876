"""Training beside nanoGPT's way of it: tokens a second, banded beside dense layers, and what a small model learns.

    python benchmarks/train.py --text tinyshakespeare.txt.gz --json train.json

With ``--text`` (tiny Shakespeare) nanoGPT's recipe for a CPU is trained: 4 layers, 128 wide, 64 characters of context, 12
sequences a step, 2,000 steps; one to two minutes. Its validation loss is that of the last tenth of the text. Speeds are of
whole steps, forward to update, on random ids; on a CPU, processor time counts. On a machine with CUDA, GPT-3 Small at 2,048
tokens is measured too, compiled and in bfloat16, with the share of the device's peak (989e12 operations a second for H100
and H200) that it makes use of: (6 (N + V C) + 12 C * keys seen, over all layers) * tokens a second / peak (trainer/flops.py).
"""

from __future__ import annotations

import gzip
import importlib.util
import math
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# Threads that wait must sleep, as in the stage: spinning ones are slow on a machine busy with other work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported

import numpy as np
import torch

from benchmarks.measure import in_turns, median
from benchmarks.table import Row, higher_is_better, lower_is_better, parser, report
from curation.recipe_model import ModelSettings
from curation.recipe_train import TrainSettings
from trainer.distribute import build_objective
from trainer.flops import peak_operations, utilisation
from trainer.loop import train
from trainer.model import build_model
from trainer.optimizer import build_optimizer
from trainer.plan import Plan, plan_training
from trainer.presets import GPT2_VOCABULARY
from trainer.processes import Processes
from trainer.step import Stepper
from trainer.token_shards import build_token_file
from trainer.tokenizer import Tokenizer

BYTES = Tokenizer([bytes([value]) for value in range(256)])  # in an ASCII text each character is a token
VALIDATION_SHARE = 0.1  # nanoGPT, data/shakespeare_char/prepare.py
SHAKESPEARE_LOSS = 1.90  # asked for; nanoGPT's README: 1.88
SHAKESPEARE_STEPS = 2000
# nanoGPT's README, "I only have a macbook": preset nano is 4 layers, 4 heads and 128 wide.
SHAKESPEARE = TrainSettings(
    preset="nano",
    context_length=64,
    batch_tokens=12 * 64,
    micro_batch_sequences=12,
    ramp_tokens=0,
    tokens=SHAKESPEARE_STEPS * 12 * 64,
    warmup_tokens=100 * 12 * 64,
    decay_tokens=SHAKESPEARE_STEPS * 12 * 64,
    learning_rate=1e-3,
    beta2=0.99,
    validation_tokens=1 << 20,  # all there is
    sample_tokens=0,
    device="cpu",
)
DENSE, ALTERNATING = ModelSettings(attention="dense"), ModelSettings(attention="alternating")
LONG = TrainSettings(preset="tiny", context_length=2048, batch_tokens=2048, micro_batch_sequences=1, ramp_tokens=0, device="cpu")
SMALL = TrainSettings(preset="gpt3-small", micro_batch_sequences=16, ramp_tokens=0, compile=True, precision="bfloat16", device="cuda")
GELUS = ("tanh", "none")  # GPT-2's and ours; exact, nanoGPT's
# Short turns and many on a CPU, whose speed changes from second to second with what else runs there.
CPU_SECONDS = 0.5
CPU_TURNS = 15
CUDA_STEPS = 5  # of half a million tokens
SMALL_TOKENS_PER_SECOND = 400_000  # asked for, on an H200
SMALL_UTILISATION = 0.5


def main() -> None:
    """Print the table, and write the rows if asked to."""
    options = parser(__doc__)
    options.add_argument("--text", type=Path, metavar="FILE", help="tiny Shakespeare, plain or .gz (default: the loss is not measured)")
    arguments = options.parse_args()
    rows = learning_rows(arguments.text) if arguments.text else []
    rows += speed_rows(arguments.repeats)
    if torch.cuda.is_available():
        rows += cuda_rows(arguments.repeats)
    report(rows, arguments.json)


# --- what it learns -----------------------------------------------------------------------------------


def learning_rows(path: Path) -> list[Row]:
    """The validation loss of nanoGPT's recipe, beside that of characters drawn by their frequency."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("ascii")
    cut = round(len(text) * (1 - VALIDATION_SHARE))
    parts = {"train": text[:cut], "validation": text[cut:]}
    with tempfile.TemporaryDirectory(prefix="train-") as folder:
        for split, part in parts.items():
            write_tokens(Path(folder, "tokens"), split, part)
        Path(folder, "tokens/tokenizer.json").write_bytes(BYTES.to_bytes())
        summary = train(
            SHAKESPEARE,
            0,
            f"{folder}/tokens",
            f"{folder}/model",
            fingerprint="benchmark",
            stop=lambda: None,
            progress=lambda row: None,
        )
    loss, name = summary["validation_loss"], "validation loss, 2,000 steps"
    return [
        lower_is_better(name, "nats/character", loss, "asked for", SHAKESPEARE_LOSS, goal=1.0),
        lower_is_better(name, "nats/character", loss, "frequencies", unigram_loss(**parts)),
        higher_is_better("training, validation and checkpoints included", "tokens/s", summary["tokens_per_second"]),
    ]


def write_tokens(folder: Path, split: str, text: str) -> None:
    """A token file of one document, and its header."""
    content, header = build_token_file(
        [BYTES.encode(text)],
        end_of_text=BYTES.end_of_text,
        vocabulary_size=BYTES.vocabulary_size,
        tokenizer_sha256=BYTES.sha256,
        text_bytes=len(text),
        source="text",
        split=split,
    )
    path = folder / "text" / f"{split}-00000.tokens"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.with_suffix(".json").write_bytes(header.to_bytes())


def unigram_loss(train: str, validation: str) -> float:
    """Nats a character of guessing by the frequencies in the training part, one added to each (Laplace)."""
    counts, kinds = Counter(train), len(set(train + validation))
    return -sum(times * math.log((counts[letter] + 1) / (len(train) + kinds)) for letter, times in Counter(validation).items()) / len(
        validation
    )


# --- how fast -----------------------------------------------------------------------------------------


def speed_rows(repeats: int | None) -> list[Row]:
    """Whole steps on the CPU, ours beside nanoGPT's, and alternating beside dense layers."""
    rows = []
    tiny = TrainSettings(preset="tiny", batch_tokens=8 * 256, micro_batch_sequences=8, ramp_tokens=0, device="cpu")
    for label, settings in (("4 x 128, 12 x 64 tokens", SHAKESPEARE), ("6 x 256, 8 x 256 tokens", tiny)):
        dense = settings.model_copy(update={"model": DENSE})
        plan = plan_training(dense, BYTES.vocabulary_size)
        theirs = {gelu: their_steps(dense, plan, gelu) for gelu in GELUS}
        rates = measured({"ours": our_steps(dense, plan)} | theirs, repeats or CPU_TURNS)
        name = f"steps, dense, {label}"
        rows.append(higher_is_better(name, "tokens/s/core", rates["ours"], "nanoGPT's way", rates["tanh"], goal=1.0))
        rows.append(higher_is_better(name, "tokens/s/core", rates["ours"], "the same, exact GELU", rates["none"]))
    candidates = {}
    for name, model in (("banded", ALTERNATING), ("dense", DENSE)):
        settings = LONG.model_copy(update={"model": model})
        candidates[name] = our_steps(settings, plan_training(settings, BYTES.vocabulary_size))
    rates = measured(candidates, repeats or CPU_TURNS)
    rows.append(
        higher_is_better(
            "steps, alternating, 6 x 256, 2,048 tokens", "tokens/s/core", rates["banded"], "ours, dense", rates["dense"], goal=1.0
        )
    )
    return rows


def cuda_rows(repeats: int | None) -> list[Row]:
    """GPT-3 Small on one GPU: alternating and dense layers, beside nanoGPT's way, and the share of the peak."""
    dense = SMALL.model_copy(update={"model": DENSE})
    plan, dense_plan = plan_training(SMALL, GPT2_VOCABULARY), plan_training(dense, GPT2_VOCABULARY)
    candidates = {"ours": our_steps(SMALL, plan), "dense": our_steps(dense, dense_plan), "nanoGPT": their_steps(dense, dense_plan, "tanh")}
    rates = measured(candidates, repeats)
    device = torch.cuda.get_device_name()
    rows = [
        higher_is_better(f"GPT-3 Small, {device}", "tokens/s", rates["ours"], "asked for", SMALL_TOKENS_PER_SECOND, goal=1.0),
        higher_is_better(f"GPT-3 Small, {device}", "tokens/s", rates["ours"], "ours, dense", rates["dense"], goal=1.0),
        higher_is_better(f"GPT-3 Small, dense, {device}", "tokens/s", rates["dense"], "nanoGPT's way", rates["nanoGPT"], goal=1.0),
    ]
    peak = peak_operations(device)
    if peak:
        for label, chosen, rate in (("", plan, rates["ours"]), (", dense", dense_plan, rates["dense"])):
            share = utilisation(chosen.config, rate, peak)
            rows.append(
                higher_is_better(
                    f"GPT-3 Small{label}: share of {peak / 1e12:.0f} TFLOPS", "MFU", share, "asked for", SMALL_UTILISATION, goal=1.0
                )
            )
    return rows


def measured(candidates: dict[str, Callable[[], float]], repeats: int | None) -> dict[str, float]:
    """The median rate of each, in turns, after one turn to warm up (and compile)."""
    for candidate in candidates.values():
        candidate()
    return {name: median(rates, float) for name, rates in in_turns(candidates, repeats).items()}


def our_steps(settings: TrainSettings, plan: Plan) -> Callable[[], float]:
    """A turn of our steps on random ids; gives tokens a second."""
    model = build_model(plan.config, 0, plan.device)
    objective = build_objective(model, Processes(), plan, recompute=False, compiled=settings.compile)
    stepper = Stepper(objective, build_optimizer(model, settings), settings, plan, Processes())
    batch = random_ids(plan)

    def step() -> None:
        stepper.step(lambda part: batch[part.start : part.stop], len(batch), 1e-4)

    return timed(step, plan)


def their_steps(settings: TrainSettings, plan: Plan, gelu: str) -> Callable[[], float]:
    """A turn of nanoGPT's steps on random ids; gives tokens a second."""
    nanogpt, config, device = load_nanogpt(), plan.config, plan.device
    whole = nanogpt.NanoGPT(config.vocabulary_size, config.context_length, config.layers, config.width, config.heads, gelu).to(device)
    model: Any = torch.compile(whole) if settings.compile else whole
    optimizer = nanogpt.build_optimizer(whole, device.type)
    batch, size = torch.from_numpy(random_ids(plan)), settings.micro_batch_sequences
    parts = [batch[first : first + size] for first in range(0, len(batch), size)]

    def step() -> None:
        for part in parts:
            ids = part.to(device)
            with plan.autocast():
                loss = model(ids[:, :-1], ids[:, 1:].contiguous()) / len(parts)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(whole.parameters(), settings.gradient_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return timed(step, plan)


def timed(step: Callable[[], None], plan: Plan) -> Callable[[], float]:
    """A turn: on a GPU ``CUDA_STEPS`` steps, else as many as take ``CPU_SECONDS`` of processor time; gives tokens a second of it."""
    on_gpu = plan.device.type == "cuda"
    clock = time.monotonic if on_gpu else time.process_time

    def turn() -> float:
        steps, started = 0, clock()
        while steps < CUDA_STEPS if on_gpu else clock() - started < CPU_SECONDS:
            step()
            steps += 1
        if on_gpu:
            torch.cuda.synchronize()
        return steps * plan.schedule.batch_sequences * plan.config.context_length / (clock() - started)

    return turn


def random_ids(plan: Plan) -> np.ndarray:
    """The sequences of one step, int64 of shape (B, T + 1)."""
    shape = (plan.schedule.batch_sequences, plan.config.context_length + 1)
    return np.random.default_rng(0).integers(0, plan.config.vocabulary_size, shape)


def load_nanogpt() -> ModuleType:
    """The peer's file as a module; the package ``benchmarks.peers`` is another."""
    spec = importlib.util.spec_from_file_location("nanogpt", Path(__file__).parent / "peers" / "nanogpt.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
