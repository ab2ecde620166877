"""What a run's record says of the surroundings: installed distributions, git state. Never part of an identity."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pylightnix.model.closure import Pinned
from pylightnix.store.store import Store

_GIT_SECONDS = 5


class Facts:
    """Collects the facts, each once in a realize and only if something is built."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._environment: str | None = None
        self._projects: dict[str, Mapping[str, Any] | None] = {}

    def __call__(self, pinned: Pinned) -> Mapping[str, Any]:
        """The facts for a run of this derivation."""
        if self._environment is None:
            self._environment = self._store.keeper.environment(describe_environment())
        facts: dict[str, Any] = {"environment": self._environment}
        git = self._git(pinned.origin.file)
        return {**facts, "git": git} if git is not None else facts

    def _git(self, file: str | None) -> Mapping[str, Any] | None:
        if file is None or not os.path.isfile(file):
            return None
        directory = os.path.dirname(os.path.abspath(file))
        if directory not in self._projects:
            self._projects[directory] = git_state(Path(directory))
        return self._projects[directory]


@functools.cache
def _distributions() -> tuple[tuple[str, str], ...]:
    from importlib import metadata  # these three are slow to import, and a warm realize needs none of them

    found = {(d.metadata["Name"] or "?", d.version) for d in metadata.distributions()}
    return tuple(sorted(found))


def describe_environment() -> dict[str, Any]:
    """Python, platform and installed distributions, as they are stored once for all runs that had them."""
    import platform

    return {
        "distributions": dict(_distributions()),
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def git_state(directory: Path) -> dict[str, Any] | None:
    """Commit and dirtiness of the repository around a directory; None where there is none, or no git."""
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return None
    status = _git(directory, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit.strip(), "dirty": bool(status) if status is not None else None}


def _git(directory: Path, *words: str) -> str | None:
    import subprocess

    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(directory), *words], capture_output=True, text=True, timeout=_GIT_SECONDS, check=False,
            stdin=subprocess.DEVNULL, env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
