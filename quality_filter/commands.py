"""The commands ``filter train`` and ``filter inspect``; everything heavy is imported when they run."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from curation.options import positive

if TYPE_CHECKING:
    from curation.recipe import Recipe

FILES = "WARC, WET, ARC, JSONL, Parquet or text files"


def add_train_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``filter train``."""
    command.add_argument("--positives", nargs="+", action="extend", required=True, metavar="PATH", help=f"curated texts: {FILES}")
    help_text = f"raw documents: {FILES}, or RUN/crawl"
    command.add_argument("--negatives", nargs="+", action="extend", required=True, metavar="PATH", help=help_text)
    command.add_argument("--output", metavar="FOLDER", required=True, help="where the model and its card go")
    command.add_argument("--limit", type=positive, metavar="N", help="read only the first N pages or documents of each class")
    command.add_argument("--workers", type=positive, default=os.cpu_count() or 1, metavar="N", help="processes (default: all cores)")
    command.add_argument("--quiet", action="store_true", help="no progress on stderr")
    _add_recipe_arguments(command)


def train(options: argparse.Namespace) -> int:
    """Train a classifier into a folder of its own."""
    from curation.errors import EXIT_DONE, EXIT_FAILED
    from curation.progress import Progress
    from curation.runner import RunContext
    from quality_filter.train_command import train_to_folder

    context = RunContext(options.output, options.workers, Progress(options.quiet))
    results, card = train_to_folder(options.positives, options.negatives, options.output, _recipe(options), context, options.limit)
    failures = [failure for result in results for failure in result.failures]
    for result in results:
        print(f"{result.stage}: {result.counts.entered:,} in, {result.counts.kept:,} kept; {result.seconds:.1f} s")
    for failure in failures:
        print(f"error: {failure['error']}", file=sys.stderr)
    training, held_out = card["training"], card["held_out"]
    print(f"classifier: {training['positives']:,} positives, {training['negatives']:,} negatives, held out by {card['held_out_by']}")
    print(f"  AUC {held_out['auc']:.4f} (length alone {held_out['auc_of_length']:.4f}), F1 {held_out['f1']:.4f}")
    print(f"  expected calibration error {card['calibration']['expected_calibration_error']:.4f}")
    print(f"output: {options.output}\nnext: python cli.py filter --run RUN --set filter.model={options.output}")
    return EXIT_FAILED if failures else EXIT_DONE


def add_inspect_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``filter inspect``."""
    command.add_argument("document", metavar="DOCUMENT", help="address or id of a document of the run, or a text file")
    command.add_argument("--run", metavar="RUN", help="folder of a run that has filtered, or an fsspec URL")
    command.add_argument("--model", metavar="PATH", help="folder of a model, or a fastText file (default: the run's own)")
    _add_recipe_arguments(command)


def inspect(options: argparse.Namespace) -> int:
    """Print a document's score, what the keep rule makes of it, every rule's value, and the n-grams that decided."""
    from curation.errors import EXIT_DONE
    from quality_filter.inspect import inspect_lines

    print("\n".join(inspect_lines(options.document, options.run, options.model, _recipe(options))))
    return EXIT_DONE


def _add_recipe_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--recipe", metavar="FILE", help="recipe to take settings from (default: RUN/recipe.yaml, else all defaults)")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a value, such as filter.dimension=4")


def _recipe(options: argparse.Namespace) -> Recipe:
    """The recipe that is named, else the one that the run was begun with, else all defaults; with the values of --set."""
    from curation import storage
    from curation.recipe_file import load_recipe

    own = storage.join(options.run, "recipe.yaml") if getattr(options, "run", None) else None
    return load_recipe(options.recipe or (own if own and storage.exists(own) else None), options.set)
