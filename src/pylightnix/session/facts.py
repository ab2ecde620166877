"""What a run's record says of the surroundings: installed distributions, git state. Never part of an identity.

Nothing here fails: a fact that cannot be had is left out, since a finished run must not be lost for it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pylightnix.model.closure import Pinned
from pylightnix.session.git import GitState, find_repository
from pylightnix.store.store import Store


class Facts:
    """Collects the facts, each once in a realize and only if something is built."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._environment: str | None = None
        self._files: dict[str | None, Mapping[str, Any]] = {}
        self._repositories: dict[str | None, Path | None] = {}
        self._projects: dict[Path, GitState] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for state in self._projects.values():
            state.close()

    def __call__(self, pinned: Pinned) -> Mapping[str, Any]:
        """The facts for a run of this derivation; what git has to say is waited for when they are looked into.

        Raises:
            StoreError: the description of the environment cannot be written.
        """
        file = pinned.origin.file
        known = self._files.get(file)
        if known is None:
            known = self._collect(file)
            if type(known) is dict:
                self._files[file] = known
        return known

    def _repository(self, file: str | None) -> Path | None:
        if file not in self._repositories:
            self._repositories[file] = find_repository(file)
        return self._repositories[file]

    def _collect(self, file: str | None) -> Mapping[str, Any]:
        if self._environment is None:
            self._environment = self._store.keeper.environment(describe_environment())
        facts = {"environment": self._environment}
        project = self._repository(file)
        if project is None:
            return facts
        if project not in self._projects:
            self._projects[project] = GitState(project)
        state = self._projects[project]
        return {**facts, **state} if state.is_ready() else ChainMap(facts, state)  # type: ignore[arg-type]


def describe_environment() -> dict[str, Any]:
    """Python, platform and installed distributions, as they are stored once for all runs that had them."""
    system, machine = _machine()
    return {
        "distributions": dict(_distributions(tuple((path, _changed(path)) for path in sys.path))),
        "implementation": sys.implementation.name,
        "machine": machine,
        "python": sys.version.split()[0],
        "system": system,
    }


def _machine() -> tuple[str, str]:
    """The operating system and the kind of processor."""
    if hasattr(os, "uname"):
        found = os.uname()
        return found.sysname, found.machine
    import platform  # slow to import

    return platform.system(), platform.machine()


def _changed(path: str) -> int:
    """When something was last installed there or removed."""
    try:
        return os.stat(path or ".").st_mtime_ns
    except (OSError, ValueError):
        return -1


@functools.lru_cache(maxsize=1)
def _distributions(places: tuple[tuple[str, int], ...]) -> Mapping[str, str]:
    """Versions by normalised name; of two of one name that which is imported, the first on the path.

    Read off the names of the `*.dist-info` directories, which the standard for installed packages fixes as
    `name-version`: parsing their files, as importlib.metadata does, takes a tenth of a second and more.
    """
    found: dict[str, str] = {}
    for place, _ in places:
        with contextlib.suppress(OSError, ValueError):  # an archive, or gone
            for entry in os.listdir(place or "."):
                stem, _, kind = entry.rpartition(".")
                name, dash, version = stem.partition("-")
                if kind in ("dist-info", "egg-info") and dash and entry.isprintable():
                    found.setdefault(name.replace("_", "-").lower(), version.partition("-")[0])
    return found
