"""The command line: parse, load the recipe, call one stage, print what came of it.

    python cli.py crawl FILES... --run RUN
    python cli.py run recipes/commoncrawl.yaml FILES... --run RUN

Results go to stdout, progress to stderr, counts and exit state to RUN/summary.json.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from curation.errors import EXIT_DONE, EXIT_FAILED, PipelineError, UsageError
from curation.options import positive
from curation.signals import StopSignals
from curation.standard_streams import prepare_standard_streams

if TYPE_CHECKING:  # imports that cost time stay out of --help
    from curation.cascade import PageJudge
    from curation.recipe import Recipe
    from curation.runner import RunContext, StageResult
    from curation.shards import Shard
    from curation.stage import Stage

VERSION = "0.1.0"
STAGES = ("crawl", "filter", "dedup", "decontaminate", "tokenize", "train", "report")
FEW_KEPT = "; a lower filter.alpha keeps more of a small corpus (recipes/demo.yaml has 3)"
COMMANDS = {
    "crawl": "WARC, WET and ARC files to documents",
    "filter": "train the quality classifier, score every document, keep the good ones",
    "dedup": "remove exact and near duplicates",
    "decontaminate": "cut out what benchmarks hold, and report it per benchmark",
    "tokenize": "documents to shards of tokens",
    "train": "train a GPT on the tokens",
    "report": "one HTML page about the run",
    "run": "all stages of a recipe",
}
# Tools stand beside the stages: they make what a stage needs, or look at what it made. Each lies in the module
# ``PACKAGE.commands`` as the functions ``add_WORD_arguments(parser)`` and ``WORD(options) -> exit code``, WORD the last of its name.
TOOLS = {
    "explain": "tell the life of one document, by URL or id",
    "verify": "check every committed output against its manifest",
    "links": "Reddit submission dumps to the links that readers shared",
    "lookup": "links to their places in Common Crawl's files, by its index",
    "fetch": "fetch linked pages from their servers into WARC files",
    "extraction blocks": "tell which blocks of a page are kept as main text, and how likely each is",
    "extraction train": "train the block extractor anew, and measure it in folds",
    "filter train": "train a quality classifier into a folder of its own",
    "filter inspect": "tell why a document, or a text file, scores as it does, and what every rule makes of it",
    "dedup clusters": "list the largest clusters of duplicates, with samples",
    "dedup merge": "add to an index of earlier runs what others hold",
    "contamination report": "print the overlap with benchmarks, and compare scores on dirty and clean items",
    "train ladder": "train small sizes on the run's tokens, and fit how the loss falls with compute",
    "generate": "let the model of a run go on with a text",
    "export": "write the model of a run as Hugging Face's transformers reads it",
}
# Packages by the first word, where they have another name.
TOOL_PACKAGES = {
    "explain": "curation",
    "verify": "curation",
    "filter": "quality_filter",
    "links": "curation.links",
    "lookup": "curation.links",
    "fetch": "curation.fetching",
    "extraction": "curation.extraction",
    "train": "trainer",
    "generate": "trainer",
    "export": "trainer",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    prepare_standard_streams()
    parser = build_parser()
    try:
        with StopSignals() as signals:
            options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
            if options.command is None:
                parser.print_help()
                return EXIT_DONE
            if options.command in TOOLS:
                module, word = _tool_module(options.command)
                return int(getattr(module, word)(options))
            if getattr(options, "list_snapshots", False):
                from curation.commands import list_snapshots

                return list_snapshots(options)
            return execute(options, signals)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        print(f"error: {error}; run `make setup` and use .venv/bin/python, or pip install the project", file=sys.stderr)
        return EXIT_FAILED
    except BrokenPipeError:  # the reader of our output has gone, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:  # a full disk, a folder that cannot be written to
        print(f"error: {error}; see that the place can be read and written, then run again", file=sys.stderr)
        return EXIT_FAILED


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others, and whose commands may have two words."""

    def parse_args(self, args: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]
        """Parse the arguments, the two words of a tool's name as one."""
        name = " ".join(args[:2])
        return super().parse_args([name, *args[2:]] if name in TOOLS else args)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(prog="crawl2gpt", description="From Common Crawl to a GPT, as one auditable pipeline.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == "run":
            command.add_argument("recipe", metavar="RECIPE.yaml", help="the recipe to run")
        if name in ("crawl", "run"):
            command.add_argument("inputs", nargs="*", metavar="FILES", help="WARC, WET or ARC files: paths, globs, folders, URLs")
            _add_input_options(command)
        if name == "run":
            command.add_argument("--run", metavar="RUN", help="folder of the run (default: runs/NAME of the recipe)")
        elif name == "crawl":
            command.add_argument("--run", metavar="RUN", help="folder of the run, or an fsspec URL")
            command.add_argument("--list-snapshots", action="store_true", help="print Common Crawl's snapshots, newest first, and end")
        else:
            command.add_argument("--run", metavar="RUN", required=True, help="folder of the run, or an fsspec URL")
        _add_stage_options(command, name)
    for name, summary in TOOLS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        module, word = _tool_module(name)
        getattr(module, f"add_{word}_arguments")(command)
    return parser


def _add_input_options(command: argparse.ArgumentParser) -> None:
    """Files of Common Crawl; each option sets the value of the recipe that has its name."""
    command.add_argument("--snapshot", metavar="ID", help="read files of this snapshot of Common Crawl, such as CC-MAIN-2024-22")
    command.add_argument("--paths", nargs="+", action="extend", metavar="LIST", help="read the files in these lists, such as warc.paths.gz")
    command.add_argument("--places", nargs="+", action="extend", metavar="TABLE", help="read just the records in tables of `lookup`")
    command.add_argument("--files", metavar="A:B", help="only these files of the lists: a Python slice, or one number; the first is 0")
    command.add_argument("--sample", type=positive, metavar="N", help="only N of these files, drawn at random by the recipe's seed")
    command.add_argument("--kind", choices=("warc", "wet"), help="which files of a snapshot: warc, pages; wet, their plain text")


def _tool_module(name: str) -> tuple[ModuleType, str]:
    """The module of a tool and the word that its functions are named by."""
    package, word = name.split()[0], name.split()[-1]
    return importlib.import_module(f"{TOOL_PACKAGES.get(package, package)}.commands"), word


def _add_stage_options(command: argparse.ArgumentParser, name: str) -> None:
    if name != "run":
        command.add_argument("--recipe", metavar="FILE", help="recipe to take settings from (default: RUN/recipe.yaml, else all defaults)")
    if name not in ("crawl", "run", "train", "report"):
        help_text = "documents to read instead of the stage before: Parquet, JSONL, text, or another run's stage folder"
        command.add_argument("--input", nargs="+", action="extend", metavar="PATH", help=help_text)
    if name in ("dedup", "run"):
        help_text = "index of earlier runs: dedup removes what it holds, and adds what stays"
        command.add_argument("--against", metavar="INDEX", help=help_text)
    if name not in ("train", "report"):
        command.add_argument("--limit", type=positive, metavar="N", help="read only the first N pages or documents")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a value, such as filter.alpha=9")
    command.add_argument("--workers", type=positive, default=os.cpu_count() or 1, metavar="N", help="processes (default: all cores)")
    command.add_argument("--dry-run", action="store_true", help="check recipe and inputs, say what would be done, write nothing")
    command.add_argument("--quiet", action="store_true", help="no progress on stderr")


# --- stages -----------------------------------------------------------------------------------------


def execute(options: argparse.Namespace, signals: StopSignals) -> int:
    """Run one stage, or all of them for the command ``run``."""
    from curation.engine.fork_client import start_server

    if options.command not in ("train", "report") and not options.dry_run:
        start_server()  # it loads what workers need while this process loads its own
    from curation import storage
    from curation.lock import run_lock
    from curation.progress import Progress
    from curation.recipe_file import load_recipe, recipe_yaml
    from curation.runner import RunContext

    if options.command == "crawl" and options.run is None:
        raise UsageError("the following arguments are required: --run; see crawl2gpt crawl --help")
    if options.command == "run" and options.run is None:
        options.run = os.path.join("runs", os.path.splitext(os.path.basename(options.recipe))[0])
    own_recipe = storage.join(options.run, "recipe.yaml")
    if options.recipe is None and storage.exists(own_recipe):
        options.recipe = own_recipe  # what the run was begun with
    recipe = load_recipe(options.recipe, options.set + _input_overrides(options))
    if _names_inputs(options):  # then the command line says all of them, and those of the recipe are set aside
        places = {"snapshot": options.snapshot, "paths": options.paths or [], "places": options.places or []}
        recipe = recipe.model_copy(update={"inputs": options.inputs, "crawl": recipe.crawl.model_copy(update=places)})
    if getattr(options, "against", None):
        recipe = recipe.model_copy(update={"dedup": recipe.dedup.model_copy(update={"against": options.against})})
    stages = recipe.stages if options.command == "run" else [options.command]
    if "train" in stages and os.environ.get("RANK", "0") != "0":  # of torchrun's processes, the first one alone writes and prints
        from trainer.run import follow_train

        return EXIT_DONE if options.dry_run else follow_train(options.command, recipe.train, recipe.seed, options.run, signals)
    _check_inputs(options, recipe, stages)
    if options.dry_run:
        return _dry_run(options, recipe, stages)
    context = RunContext(options.run, options.workers, Progress(options.quiet))
    with run_lock(options.run):
        storage.remove_temporary_files(options.run)  # of a run that was killed
        try:
            storage.commit_bytes(storage.join(options.run, "recipe.yaml"), recipe_yaml(recipe))
            return _run_stages(options, recipe, stages, context, signals)
        finally:
            storage.remove_temporary_files(options.run)  # of workers that were stopped while they wrote


def _run_stages(options: argparse.Namespace, recipe: Recipe, stages: Sequence[str], context: RunContext, signals: StopSignals) -> int:
    from curation.outcome import outcome_line
    from curation.summary import append_metrics, write_summary

    results: list[StageResult] = []
    details: dict[str, Any] = {}
    exit_code, message = EXIT_DONE, None
    try:
        for stage in stages:
            for result in _run_one(stage, options, recipe, context, signals, details):
                results.append(result)
                append_metrics(options.run, result)
                print(outcome_line(result), flush=True)
                for failure in result.failures:
                    print(f"error: {result.stage}: {failure['error']}", file=sys.stderr)
        if any(result.failures for result in results):
            exit_code = EXIT_FAILED
    except BaseException as error:
        exit_code = error.exit_code if isinstance(error, PipelineError) else EXIT_FAILED
        message = str(error) or type(error).__name__
        raise
    finally:
        write_summary(options.run, options.command, exit_code, message, results, details)
    _print_end(options, stages, results)
    return exit_code


def _run_one(
    name: str, options: argparse.Namespace, recipe: Recipe, context: RunContext, signals: StopSignals, details: dict[str, Any]
) -> Iterator[StageResult]:
    """Run one stage and what it needs imported; yields the result of each as soon as it is there."""
    from curation.finished import check_current

    if name == "crawl":
        from curation.crawl import run_crawl

        yield run_crawl(recipe.crawl, recipe.inputs, context, options.limit, recipe.seed, _judge_of_pages(recipe), recipe.links)
    elif name == "train":
        from trainer.run import run_train

        check_current(context.folder, "tokenize")
        yield run_train(recipe.train, recipe.seed, context, signals, details)
    elif name == "report":
        from curation.report import run_report

        yield run_report(recipe.report, context)
    else:
        yield from _run_documents_stage(name, options, recipe, context)


def _judge_of_pages(recipe: Recipe) -> PageJudge | None:
    """What the crawl's cascade asks about pages: the filter's own scores and keep rule."""
    if recipe.crawl.cascade.model is None:
        return None
    from quality_filter.forecast import FilterForecast
    from quality_filter.scorer import QualityScorer

    settings = recipe.filter
    scorer = QualityScorer(recipe.crawl.cascade.model, settings.positive_label, settings.min_words, settings.max_words)
    return FilterForecast(scorer, settings, recipe.seed)


def _run_documents_stage(name: str, options: argparse.Namespace, recipe: Recipe, context: RunContext) -> Iterator[StageResult]:
    """Import what the stage reads beside or instead of the stage before it, then run the stage."""
    from curation.finished import committed_manifests, committed_shards, limit_shards
    from curation.import_document import ImportSettings
    from curation.importing import run_import
    from curation.runner import run_stage
    from curation.workers import shared_workers

    places, files = _inputs_of(name, options, recipe, context)
    shards = [shard for place in places for shard in committed_shards(*place)]
    with shared_workers(context) as context:
        if files:
            yield run_import(f"{name}/input", files, ImportSettings(), context, options.limit)
            shards += committed_shards(context.folder, f"{name}/input")
        if options.command != "run":  # there, the limit is the crawl's
            shards = limit_shards(shards, options.limit)
        if name == "filter" and recipe.filter.positives:
            settings = ImportSettings(recipe.filter.positive_source, normalise=True)
            yield run_import("filter/positives", recipe.filter.positives, settings, context)
            shards += committed_shards(context.folder, "filter/positives")
        with _index_lock(name, recipe):
            yield run_stage(_stage(name, recipe, shards), shards, context)
    if name == "filter":
        from quality_filter.stage import count_raw_documents

        kept, judged = count_raw_documents(manifest.statistics for manifest in committed_manifests(context.folder, name))
        context.progress.say(f"note: of {judged:,} raw documents the filter kept {kept:,}" + ("" if kept else FEW_KEPT))
    if name == "tokenize":
        from trainer.run import check_tokens

        check_tokens(context.folder, recipe.train if options.command == "run" and "train" in recipe.stages else None)


def _index_lock(name: str, recipe: Recipe) -> contextlib.AbstractContextManager[None]:
    """Hold the index of earlier runs while dedup reads it and adds to it."""
    if name != "dedup" or recipe.dedup.against is None:
        return contextlib.nullcontext()
    from dedup.commands import index_lock

    return index_lock(recipe.dedup.against)


def _inputs_of(name: str, options: argparse.Namespace, recipe: Recipe, context: RunContext) -> tuple[list[tuple[str, str]], list[str]]:
    """The finished stages (run, stage) that a stage reads, and the files to import."""
    from curation.finished import check_current, finished_stage_of

    paths: list[str] = getattr(options, "input", None) or []
    if not paths:
        before = next(stage for stage in STAGES[STAGES.index(name) - 1 :: -1] if stage in recipe.stages or stage == "crawl")
        check_current(context.folder, before)
        return [(context.folder, before)], []
    places = {path: finished_stage_of(path) for path in paths}
    return [place for place in dict.fromkeys(places.values()) if place], [path for path, place in places.items() if place is None]


def _stage(name: str, recipe: Recipe, shards: list[Shard]) -> Stage:
    """The stage object of a name; only here do all stage packages meet."""
    if name == "filter":
        from quality_filter.stage import FilterStage

        return FilterStage(recipe.filter, recipe.seed)
    if name == "dedup":
        from dedup.index import open_index
        from dedup.stage import DedupStage

        index = open_index(recipe.dedup, recipe.seed, shards) if recipe.dedup.against else None
        return DedupStage(recipe.dedup, recipe.seed, index)
    if name == "decontaminate":
        from contamination.stage import DecontaminateStage

        return DecontaminateStage(recipe.decontaminate, recipe.seed)
    from trainer.tokenize_stage import TokenizeStage

    return TokenizeStage(recipe.tokenize, recipe.seed)


# --- what is said before and after ------------------------------------------------------------------


def _names_inputs(options: argparse.Namespace) -> bool:
    return any(getattr(options, name, None) for name in ("inputs", "snapshot", "paths", "places"))


def _input_overrides(options: argparse.Namespace) -> list[str]:
    """What the options say of a crawl's inputs, in the form of ``--set``."""
    values = {name: getattr(options, name, None) for name in ("snapshot", "paths", "places", "files", "sample", "kind")}
    return [f"crawl.{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items() if value is not None]


def _check_inputs(options: argparse.Namespace, recipe: Recipe, stages: Sequence[str]) -> None:
    """Find out before anything is written what could not work."""
    if "crawl" in stages and not (recipe.inputs or recipe.crawl.snapshot or recipe.crawl.paths or recipe.crawl.places):
        raise UsageError("no input files; name WARC, WET or ARC files, a --snapshot, --paths or --places, or set inputs in the recipe")
    if "crawl" in stages and (recipe.crawl.files or recipe.crawl.sample) and not (recipe.crawl.snapshot or recipe.crawl.paths):
        raise UsageError("--files and --sample choose from a list; give it with --snapshot or --paths")
    if "filter" in stages and not recipe.filter.positives and recipe.filter.model is None:
        raise UsageError("the filter has nothing to learn from; --set filter.positives=[FILES of curated text], or filter.model=FILE")
    if "dedup" in stages:
        from dedup.presets import resolve

        resolve(recipe.dedup)
    if "decontaminate" in stages:
        from contamination.presets import check_settings

        check_settings(recipe.decontaminate)
    if "decontaminate" in stages and not recipe.decontaminate.benchmarks and not options.quiet:
        print("note: decontaminate.benchmarks is empty, so no overlap can be found", file=sys.stderr)


def _dry_run(options: argparse.Namespace, recipe: Recipe, stages: Sequence[str]) -> int:
    from curation import input_rows, storage
    from curation.finished import finished_stage_of, read_stage_file
    from curation.recipe_file import recipe_yaml

    print(recipe_yaml(recipe).decode(), end="")
    imports = [path for path in getattr(options, "input", None) or [] if finished_stage_of(path) is None]
    for stage, paths, suffixes in (
        ("filter", recipe.filter.positives if "filter" in stages else [], input_rows.SUFFIXES),
        (stages[0], imports, input_rows.SUFFIXES),
    ):
        if paths:
            files = storage.expand_paths(paths, suffixes)
            print(f"# {stage} would read {len(files)} files, {sum(storage.file_size(path) for path in files):,} bytes")
    if "crawl" in stages:
        from curation.crawl_inputs import expected_reading

        print(f"# crawl would read {expected_reading(recipe.inputs, recipe.crawl, recipe.seed)}")
    for stage in stages:
        finished = stage not in ("train", "report") and read_stage_file(options.run, stage)
        state = "has a finished output, which is made again if anything has changed" if finished else "would run"
        print(f"# {stage} {state}")
    if "train" in stages:
        from trainer.run import say_forecast

        say_forecast(recipe.train, recipe.seed, options.run, recipe.tokenize.vocabulary_size)
    return EXIT_DONE


def _print_end(options: argparse.Namespace, stages: Sequence[str], results: list[StageResult]) -> None:
    from curation import storage
    from curation.outcome import funnel_lines

    run, last = options.run, stages[-1]
    if len(stages) > 1:
        print("\n" + "\n".join(funnel_lines(results)))
    if len(stages) > 1 and "train" in stages:
        print(f"\nsample: {storage.join(run, 'model', 'sample.txt')}")
    if last == "report":
        print(f"report: {storage.join(run, 'report', 'index.html')}")
        return
    print(f"output: {storage.join(run, {'train': 'model', 'tokenize': 'tokens'}.get(last, last))}")
    print(f"next: python cli.py {STAGES[STAGES.index(last) + 1]} --run {run}")


if __name__ == "__main__":
    sys.exit(main())
