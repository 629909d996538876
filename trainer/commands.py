"""The commands ``train ladder``, ``generate`` and ``export``; everything heavy is imported when they run."""

from __future__ import annotations

import argparse
import sys

TOKENS = 100
SAMPLES = 1
SHOWN_TOKENS = 50  # by the command that ``export`` proposes
SEPARATOR = "---"  # between samples


def add_generate_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``generate``."""
    command.add_argument("prompt", metavar="PROMPT", help="beginning of a document, which the model goes on with")
    _add_model_arguments(command)
    command.add_argument("--tokens", type=_count, default=TOKENS, metavar="N", help=f"most tokens of a sample (default: {TOKENS})")
    help_text = "logits are divided by it: below 1 safer, above 1 wilder; 0: always the likeliest (default: 1)"
    command.add_argument("--temperature", type=_temperature, default=1.0, metavar="X", help=help_text)
    command.add_argument("--top-k", type=_count, default=0, metavar="N", help="draw among the N likeliest tokens (default: all)")
    help_text = "draw among the fewest tokens that have this probability together (default: 1, all)"
    command.add_argument("--top-p", type=_probability, default=1.0, metavar="X", help=help_text)
    command.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="seed of the first sample; each next one has the next (default: 0)"
    )
    command.add_argument("--samples", type=_count, default=SAMPLES, metavar="N", help=f"how many (default: {SAMPLES})")


def generate(options: argparse.Namespace) -> int:
    """Print texts that begin with the prompt."""
    import time

    import torch

    from curation.errors import EXIT_DONE
    from trainer.generate import Sampling, generate_text
    from trainer.trained import open_trained

    trained = open_trained(options.run, options.checkpoint, _note)
    trained.model.to("cuda" if torch.cuda.is_available() else "cpu")
    started = time.monotonic()
    for sample in range(options.samples):
        sampling = Sampling(options.temperature, options.top_k, options.top_p, options.seed + sample)
        text = generate_text(trained.model, trained.tokenizer, options.prompt, options.tokens, sampling)
        print(f"{SEPARATOR}\n{text}" if sample else text, flush=True)
    path, seconds = trained.checkpoint.path, time.monotonic() - started
    print(f"generate: {options.samples} of at most {options.tokens:,} tokens from {path}; {seconds:.1f} s", file=sys.stderr)
    return EXIT_DONE


def add_export_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``export``."""
    _add_model_arguments(command)
    command.add_argument("--output", metavar="FOLDER", required=True, help="where the model goes; must not exist yet")


def export(options: argparse.Namespace) -> int:
    """Write the model as Hugging Face's transformers reads it."""
    import json
    import shlex

    from curation.errors import EXIT_DONE
    from trainer.export import export_model
    from trainer.trained import open_trained

    trained = open_trained(options.run, options.checkpoint, _note)
    form = export_model(trained, options.output)
    print(f"export: {form} of {trained.model.config.parameters:,} parameters from {trained.checkpoint.path}")
    print(f"output: {options.output}")
    length = min(SHOWN_TOKENS, trained.model.config.context_length // 2)  # by default it would write beyond a short context, and fail
    pipeline = f'transformers.pipeline("text-generation", {json.dumps(options.output)})("The", max_new_tokens={length})'
    print(f"next: python -c {shlex.quote(f'import transformers; print({pipeline})')}")
    return EXIT_DONE


def add_ladder_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``train ladder``."""
    command.add_argument("--run", metavar="RUN", required=True, help="folder of a run that has tokens")
    command.add_argument("--recipe", metavar="FILE", help="recipe to take settings from (default: RUN/recipe.yaml, else all defaults)")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a value, such as train.device=cuda")
    command.add_argument("--sizes", nargs="+", metavar="PRESET", help="presets to train (default: femto pico nano micro)")
    help_text = "training tokens for each parameter of the blocks (default: 20, Chinchilla's)"
    command.add_argument("--tokens-per-parameter", type=_number, metavar="X", help=help_text)
    command.add_argument("--quiet", action="store_true", help="no progress on stderr")


def ladder(options: argparse.Namespace) -> int:
    """Train small sizes and fit the law of their losses; prints a table."""
    from curation import storage
    from curation.errors import EXIT_DONE, UsageError
    from curation.finished import check_current
    from curation.lock import run_lock
    from curation.progress import Progress
    from curation.recipe_file import load_recipe
    from curation.signals import StopSignals
    from trainer.ladder import LADDER_FOLDER, SIZES, TOKENS_PER_PARAMETER, climb
    from trainer.ladder_page import describe
    from trainer.power_law import GPT3_LAW
    from trainer.run import identity_of, show_rows, token_files

    own_recipe = storage.join(options.run, "recipe.yaml")
    recipe = load_recipe(options.recipe or (own_recipe if storage.exists(own_recipe) else None), options.set)
    ratio = TOKENS_PER_PARAMETER if options.tokens_per_parameter is None else options.tokens_per_parameter
    if not 0 < ratio < float("inf"):
        raise UsageError(f"--tokens-per-parameter {ratio:g} is no number above 0")
    check_current(options.run, "tokenize")
    tokens, show = token_files(options.run), show_rows("ladder", Progress(options.quiet))
    with run_lock(options.run), StopSignals() as signals, signals.deferred():
        rungs, law = climb(
            recipe.train,
            options.run,
            options.sizes or SIZES,
            ratio,
            tokens,
            lambda settings: identity_of(settings, recipe.seed, tokens),
            recipe.seed,
            lambda: signals.requested,
            show,
        )
    print(f"{'size':8} {'parameters':>12} {'tokens':>14} {'PF-days':>10} {'loss':>7} {'fitted':>7}")
    for rung in rungs:
        numbers = f"{rung.parameters:>12,} {rung.tokens:>14,} {rung.compute:>10.3g} {rung.loss:>7.3f} {law.loss(rung.compute):>7.3f}"
        print(f"{rung.preset:8} {numbers}")
    print(f"{describe(law)}; GPT-3: {describe(GPT3_LAW)}")
    print(f"output: {storage.join(options.run, LADDER_FOLDER, 'index.html')}")
    return EXIT_DONE


def _add_model_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--run", metavar="RUN", required=True, help="folder of a run that has trained")
    command.add_argument("--checkpoint", metavar="NAME", help="folder in RUN/model, such as checkpoint-000000600064 (default: the newest)")


def _note(message: str) -> None:
    print(message, file=sys.stderr)


def _count(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is no positive whole number")
    return value


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 63:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 0 to 2^63 - 1")
    return int(text)


def _temperature(text: str) -> float:
    value = _number(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 up")
    return value


def _probability(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0 and up to 1")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
