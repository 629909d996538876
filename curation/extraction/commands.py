"""The commands ``extraction train`` and ``extraction blocks``; everything heavy is imported when they run."""

from __future__ import annotations

import argparse


def add_blocks_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``extraction blocks``."""
    command.add_argument("page", metavar="FILE", help="an HTML file; `explain` tells of the pages of a run")
    balances = ("precision", "balanced", "recall")
    command.add_argument("--balance", choices=balances, default="balanced", help="what is kept (default: balanced)")
    command.add_argument(
        "--html", metavar="FILE", help="also write the page with its blocks painted to this file, kept ones green, others red"
    )


def blocks(options: argparse.Namespace) -> int:
    """Print every block of a page with its probability, and paint them if asked."""
    from pathlib import Path

    from curation.errors import EXIT_DONE, UsageError
    from curation.extraction.paint import painted_page
    from curation.extraction.show import block_lines, judge_file

    if options.html and Path(options.html).resolve() == Path(options.page).resolve():
        raise UsageError(f"--html {options.html} is the page itself, which it would replace; name another file")
    judgement = judge_file(options.page, options.balance)
    print("\n".join(block_lines(judgement, whole=True)))
    if options.html:
        Path(options.html).write_text(painted_page(judgement, options.page), encoding="utf-8")
        print(f"output: {options.html}")
    return EXIT_DONE


def add_train_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``extraction train``."""
    command.add_argument("--wcxb", required=True, metavar="ARCHIVE", help="pages with their main text: wcxb-dev.tar.xz")
    command.add_argument("--segments", required=True, metavar="ARCHIVE", help="pages with snippets of it: segments-dev.tar.xz")
    command.add_argument("--output", required=True, metavar="FOLDER", help="where model.npz and its card, model.md, go")
    command.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the training (default: 1)")


def train(options: argparse.Namespace) -> int:
    """Measure in folds, train on all pages, write the model and its card."""
    import hashlib
    from datetime import UTC, datetime
    from pathlib import Path

    from curation.errors import EXIT_DONE
    from curation.extraction.blocks.decide import RECALL_WEIGHTS
    from curation.extraction.blocks.model import save_model
    from curation.extraction.training.card import model_card
    from curation.extraction.training.evaluate import cross_validate, kept_texts, scores_by_type
    from curation.extraction.training.fit import fit
    from curation.extraction.training.pages import read_pages

    archives = [Path(options.wcxb), Path(options.segments)]
    pages = read_pages(*archives)
    likely = cross_validate(pages, options.seed)
    texts = {balance: kept_texts(pages, likely, balance) for balance in RECALL_WEIGHTS}
    model = fit(pages, options.seed)
    digests = {archive.name: hashlib.sha256(archive.read_bytes()).hexdigest() for archive in archives}
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    save_model(model, output / "model.npz")
    card = model_card(pages, texts, model, digests, options.seed, datetime.now(UTC).date())
    (output / "model.md").write_text(card, encoding="utf-8")
    print(f"extraction: {len(pages):,} pages, {len(model.roots)} trees")
    for balance, found in texts.items():
        scores = scores_by_type(pages, found)["all"]
        print(f"  {balance}: F1 {scores.f1:.4f}, precision {scores.precision:.4f}, recall {scores.recall:.4f}")
    print(f"output: {output}")
    return EXIT_DONE
