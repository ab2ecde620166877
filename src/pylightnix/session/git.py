"""Asks git for the state of a project, and does not wait for the answer until somebody reads it. Never fails."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

_SECONDS = 5
_PLACES = ("DIR", "WORK_TREE", "INDEX_FILE", "COMMON_DIR", "OBJECT_DIRECTORY", "NAMESPACE", "PREFIX")
"""Variables that a hook of some repository leaves, and that would name it instead of the project's."""

_COMMIT = re.compile(rb"^# branch\.oid ([0-9a-f]{40}|[0-9a-f]{64})$", re.MULTILINE)
_WORDS = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")


def find_repository(file: str | None) -> Path | None:
    """The top directory of the git repository in which a file is, None if there is no such file or repository."""
    if file is None or not os.path.isfile(file):
        return None
    parents = Path(os.path.abspath(file)).parents
    return next((parent for parent in parents if os.path.lexists(parent / ".git")), None)


class GitState(Mapping[str, Any]):
    """`{"git": {"commit": …, "dirty": …}}` of the repository at a directory; empty if there is none, or no git.

    Git is started now and works meanwhile; who looks into this waits for it, for five seconds at most.
    """

    def __init__(self, directory: Path) -> None:
        self._found: dict[str, Any] | None = None
        self._asked = _ask(directory)

    def is_ready(self) -> bool:
        """Whether looking into this does not mean to wait."""
        return self._found is not None or self._asked is None or self._asked.poll() is not None

    def close(self) -> None:
        """End what nobody has looked into."""
        if self._asked is not None and self._found is None:
            self._asked.kill()
            self._answer()

    def _answer(self) -> dict[str, Any]:
        if self._found is None:
            told = _told(self._asked) if self._asked is not None else b""
            commit = _COMMIT.search(told)
            changed = any(not line.startswith(b"#") for line in told.splitlines())
            self._found = {} if commit is None else {"git": {"commit": commit[1].decode(), "dirty": changed}}
        return self._found

    def __getitem__(self, name: str) -> Any:
        return self._answer()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answer())

    def __len__(self) -> int:
        return len(self._answer())


def _ask(directory: Path) -> subprocess.Popen[bytes] | None:
    import subprocess  # takes milliseconds, and a warm realize asks nothing

    places = {f"GIT_{name}" for name in _PLACES}
    environment = {name: value for name, value in os.environ.items() if name not in places}
    try:
        return subprocess.Popen(
            ["git", "-c", "core.fsmonitor=false", "-C", str(directory), *_WORDS],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except (OSError, ValueError):
        return None


def _told(asked: subprocess.Popen[bytes]) -> bytes:
    """What git printed, if it ended well."""
    import subprocess

    try:
        told, _ = asked.communicate(timeout=_SECONDS)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        asked.kill()
        with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
            asked.communicate(timeout=_SECONDS)
        return b""
    return told if asked.returncode == 0 else b""
