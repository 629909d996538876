"""Which training a model folder belongs to, and what becomes of it when recipe or tokens have changed.

Three things can happen. An unfinished training goes on, where the change allows it: another batch,
precision or number of processes sees the same sequences in the same order. It is refused where the
tokens are no longer those it was begun on. Everything else is another training: the earlier model is
renamed, never deleted, and comes back with its recipe.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curation import storage
from curation.errors import InputError
from curation.shards import canonical_json, fingerprint_of
from trainer.checkpoint import PREFIX

IDENTITY_FILE = "run.json"
# Settings without effect on the model.
WITHOUT_EFFECT = {"device", "keep_checkpoints", "tokens_per_second", "cost_per_device_hour", "tensorboard"}
# Settings that an unfinished training may go on with another value of: how it computes and reports, not what it sees.
CHANGEABLE = {
    "batch_tokens",
    "micro_batch_sequences",
    "precision",
    "compile",
    "activation_checkpointing",
    "parallel",
    "spike_factor",
    "max_skipped_steps",
    "validation_every_tokens",
    "validation_tokens",
    "checkpoint_every_tokens",
    "sample_prompt",
    "sample_tokens",
}
SHOWN_CHANGES = 3


@dataclass(frozen=True)
class Identity:
    """Everything that a model depends on; ``tokens``: sha256 of each token file by name."""

    version: int  # of the stage
    settings: Mapping[str, Any]
    seed: int
    libraries: Mapping[str, str]
    tokens: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """Equal for trainings that end with the same model."""
        return fingerprint_of(asdict(self) | {"settings": self._without(WITHOUT_EFFECT)})

    @property
    def resumable(self) -> str:
        """Equal for trainings of which one may go on from the other's checkpoint."""
        return fingerprint_of(asdict(self) | {"settings": self._without(WITHOUT_EFFECT | CHANGEABLE)})

    def _without(self, names: set[str]) -> dict[str, Any]:
        return {name: value for name, value in self.settings.items() if name not in names}

    def commit(self, folder: Path) -> None:
        """Write it into the model folder, before anything else."""
        storage.commit_bytes(str(folder / IDENTITY_FILE), canonical_json(asdict(self) | {"fingerprint": self.fingerprint}))


def read_identity(folder: Path) -> Identity | None:
    """The identity of a model folder; None: it has none, or one that is damaged or of an earlier version."""
    try:
        values = json.loads((folder / IDENTITY_FILE).read_bytes())
        identity = Identity(**{name: value for name, value in values.items() if name != "fingerprint"})
        return identity if identity.fingerprint == values["fingerprint"] else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def continued(folder: Path, identity: Identity, finished: bool) -> Path | None:
    """The folder whose checkpoints a training of ``identity`` would take up, as ``make_room`` leaves it; None: it would begin anew."""
    earlier = read_identity(folder)
    if earlier is not None:
        unfinished = not finished and any(folder.glob(f"{PREFIX}*"))
        same = earlier.tokens == identity.tokens and earlier.resumable == identity.resumable
        if earlier.fingerprint == identity.fingerprint or (unfinished and same):
            return folder
    aside = _aside(folder, identity)
    return aside if read_identity(aside) == identity else None


def make_room(folder: Path, identity: Identity, finished: bool, say: Callable[[str], None]) -> None:
    """Leave the model folder as a training of ``identity`` can use it; ``finished``: it holds a complete model.

    Raises:
        InputError: it holds an unfinished training on tokens that have changed since.
    """
    earlier = read_identity(folder)
    if earlier is not None and earlier.fingerprint == identity.fingerprint:
        return
    if earlier is not None and not finished and any(folder.glob(f"{PREFIX}*")):
        changed = _changes("token file ", earlier.tokens, identity.tokens)
        if changed:
            raise InputError(
                f"{folder} holds an unfinished training on other tokens: {_listed(changed)}; "
                f"tokenize as before to go on with it, or move {folder} away to begin anew"
            )
        if earlier.resumable == identity.resumable:
            say(f"going on with another recipe than before: {_listed(_recipe_changes(earlier, identity))}")
            return
    if (folder / IDENTITY_FILE).exists():
        changes = _changes("token file ", earlier.tokens, identity.tokens) + _recipe_changes(earlier, identity) if earlier else []
        aside = _aside(folder, earlier)
        while aside.exists():
            aside = aside.with_name(aside.name + "-again")
        folder.rename(aside)
        why = _listed(changes) or "from what, is not known"
        say(f"recipe or tokens have changed ({why}); the earlier model is now {aside}")
    if not folder.exists() and read_identity(_aside(folder, identity)) == identity:
        _aside(folder, identity).rename(folder)
        say(f"recipe and tokens are those of {_aside(folder, identity)}, which is the model again")


def _aside(folder: Path, identity: Identity | None) -> Path:
    return folder.with_name(f"model-{identity.fingerprint[:12] if identity else 'unknown'}")


def _recipe_changes(earlier: Identity, now: Identity) -> list[str]:
    others = ("seed", earlier.seed, now.seed), ("version of the stage", earlier.version, now.version)
    changes = [f"{name} is {new}, was {old}" for name, old, new in others if old != new]
    return changes + _changes("", earlier.libraries, now.libraries) + _changes("train.", earlier.settings, now.settings)


def _changes(kind: str, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two mappings, a phrase each."""
    phrases = [f"{kind}{name} is gone" for name in earlier if name not in now]
    phrases += [f"{kind}{name} is new" for name in now if name not in earlier]
    return phrases + [
        f"{kind}{name} has changed" if kind.startswith("token") else f"{kind}{name} is {_shown(now[name])}, was {_shown(earlier[name])}"
        for name in earlier
        if name in now and now[name] != earlier[name] and name not in WITHOUT_EFFECT
    ]


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)


def _listed(phrases: list[str]) -> str:
    more = f", and {len(phrases) - SHOWN_CHANGES} more" if len(phrases) > SHOWN_CHANGES else ""
    return ", ".join(phrases[:SHOWN_CHANGES]) + more
