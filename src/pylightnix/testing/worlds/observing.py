"""What can be observed of a store and of a realize from outside: executions, decisions, everything that is kept."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pylightnix.model.realization import Realization
from pylightnix.store.store import Store
from pylightnix.testing.worlds.arithmetic import BROKEN, LOG
from pylightnix.testing.worlds.ledger import Execution


class Stored(NamedTuple):
    """A realization as it stands in the store; `files` is None where its artifacts are gone."""

    ref: str
    key: str
    files: Mapping[str, str] | None
    value: Any
    seeds: Mapping[int, int]


def stored(store: Store) -> list[Stored]:
    """Everything that a store keeps."""
    return [_stored(realization) for realization in store.realizations()]


def _stored(realization: Realization[Any]) -> Stored:
    seeds = {run.index: run.seed for run in realization.runs}
    files = texts_in(realization.path) if realization.path.exists() else None
    return Stored(realization.ref, realization.record.key, files, realization.value, seeds)


def texts_in(folder: Path) -> dict[str, str]:
    """All files below a folder that are there to be read, by relative path."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


class Executions:
    """Collects what builders tell of themselves, in a file outside of the store.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        path.touch()

    @contextlib.contextmanager
    def listening(self, broken: str | None) -> Iterator[None]:
        """As long as this lasts, builders write to the file, and those of the function that is broken fail."""
        os.environ[LOG] = str(self._path)
        if broken is not None:
            os.environ[BROKEN] = broken
        try:
            yield
        finally:
            del os.environ[LOG]
            os.environ.pop(BROKEN, None)

    def new(self) -> list[Execution]:
        """Those since the last time, by index of their run: several may have run at a time."""
        lines = self._path.read_text().splitlines()
        found = [Execution(**json.loads(line)) for line in lines[self._read :]]
        self._read = len(lines)
        return sorted(found, key=lambda execution: execution.run)
