"""What a run's record says of the surroundings: installed distributions, git state. Never part of an identity.

Nothing here fails: a fact that cannot be had is left out, since a finished run must not be lost for it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pylightnix.model.closure import Pinned
from pylightnix.store.store import Store

_GIT_SECONDS = 5
_GIT_PLACES = ("DIR", "WORK_TREE", "INDEX_FILE", "COMMON_DIR", "OBJECT_DIRECTORY", "NAMESPACE", "PREFIX")
"""Variables that a hook of some repository leaves, and that would name it instead of the project's."""

_COMMIT = re.compile(rb"^# branch\.oid ([0-9a-f]{40}|[0-9a-f]{64})$", re.MULTILINE)


class Facts:
    """Collects the facts, each once in a realize and only if something is built."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._environment: str | None = None
        self._files: dict[str | None, Mapping[str, Any]] = {}
        self._projects: dict[Path | None, dict[str, Any] | None] = {None: None}

    def __call__(self, pinned: Pinned) -> Mapping[str, Any]:
        """The facts for a run of this derivation.

        Raises:
            StoreError: the description of the environment cannot be written.
        """
        file = pinned.origin.file
        known = self._files.get(file)
        if known is None:
            known = self._files[file] = self._collect(file)
        return known

    def _collect(self, file: str | None) -> Mapping[str, Any]:
        if self._environment is None:
            self._environment = self._store.keeper.environment(describe_environment())
        project = find_repository(file)
        if project not in self._projects and project is not None:
            self._projects[project] = git_state(project)
        git = self._projects[project]
        return {"environment": self._environment} if git is None else {"environment": self._environment, "git": git}


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


def find_repository(file: str | None) -> Path | None:
    """The top directory of the git repository in which a file is, None if there is no such file or repository."""
    if file is None or not os.path.isfile(file):
        return None
    parents = Path(os.path.abspath(file)).parents
    return next((parent for parent in parents if os.path.lexists(parent / ".git")), None)


def git_state(directory: Path) -> dict[str, Any] | None:
    """Commit and dirtiness of the repository at a directory; None if there is none that git reads, or no git."""
    told = _git(directory, "status", "--porcelain=v2", "--branch", "--untracked-files=no") or b""
    commit = _COMMIT.search(told)
    changed = any(not line.startswith(b"#") for line in told.splitlines())
    return None if commit is None else {"commit": commit[1].decode(), "dirty": changed}


def _git(directory: Path, *words: str) -> bytes | None:
    import subprocess

    places = {f"GIT_{name}" for name in _GIT_PLACES}
    environment = {name: value for name, value in os.environ.items() if name not in places}
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", str(directory), *words],
            capture_output=True, timeout=_GIT_SECONDS, check=False, stdin=subprocess.DEVNULL,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
