"""Examines a store and what reads it: also one that cannot be opened, which is an observation and no error."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from pylightnix.errors import ExecutorError, StoreError
from pylightnix.executors import ProcessExecutor
from pylightnix.executors.sandbox import require_sandbox
from pylightnix.session.facts import describe_environment
from pylightnix.session.location import as_store, locate
from pylightnix.store.examination.observations import Level, Observation
from pylightnix.store.store import Store
from pylightnix.store.trust import TrustWarning

NEEDED = ("pylightnix", "blake3", "click", "cloudpickle", "platformdirs", "rich")
"""Distributions without which not everything works."""


def examine(store: Store | Path | str | None = None) -> tuple[Observation, ...]:
    """Everything that could keep a store from doing its work, and that it is not so.

    Args:
        store: a `Store`, the path of one, or None for the one that is found.
    """
    return (*_versions(), *_isolations(), *_examine(store))


def _examine(store: Store | Path | str | None) -> tuple[Observation, ...]:
    path = store.path if isinstance(store, Store) else Path(store or locate())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrustWarning)  # it is among the observations
            found = as_store(store if isinstance(store, Store) else path)
    except StoreError as error:
        return (Observation("format", Level.WRONG, error.what, error.where or str(path), error.hint),)
    return found.examine()


def _isolations() -> Iterator[Observation]:
    """Which isolations there can be here; one that cannot be had is worth knowing, for nothing falls back to less."""
    for isolation, attempt, what in (
        ("process", lambda: ProcessExecutor().stop(), "builders can have processes of their own"),
        ("sandbox", require_sandbox, "builders can be kept from all that they did not declare"),
    ):
        try:
            attempt()
        except ExecutorError as error:
            yield Observation("isolation", Level.NOTE, f"{isolation}: {error.what}", hint=error.hint)
        else:
            yield Observation("isolation", Level.GOOD, f"{isolation}: {what}")


def _versions() -> Iterator[Observation]:
    environment = describe_environment()
    known = environment["distributions"]
    yield Observation(
        "python", Level.GOOD, f"{environment['implementation']} {environment['python']} on {environment['system']}",
        sys.executable,
    )  # fmt: skip
    there = ", ".join(f"{name} {known[name]}" for name in NEEDED if name in known)
    yield Observation("packages", Level.GOOD, there)
    if lacking := [name for name in NEEDED if name not in known]:
        what = f"not installed, or not known to be: {', '.join(lacking)}"
        yield Observation("packages", Level.NOTE, what, hint="python -m pip install pylightnix")
