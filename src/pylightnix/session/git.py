"""Asks git for the state of a project, and does not wait for the answer until somebody reads it. Never fails."""

from __future__ import annotations

import contextlib
import math
import os
import re
import select
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

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
        self._turn = threading.Lock()
        self._asked = _Asked.start(directory)

    def is_ready(self) -> bool:
        """Whether looking into this does not mean to wait."""
        return self._found is not None or self._asked is None or self._asked.speaks(0)

    def close(self) -> None:
        """End what nobody has looked into."""
        with self._turn:
            if self._asked is not None and self._found is None:
                self._asked.end()
                self._found = {}

    def _answer(self) -> dict[str, Any]:
        with self._turn:  # the thread that settles what others wait for looks into it too
            if self._found is None:
                told = self._asked.answer() if self._asked is not None else b""
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


class _Asked:
    """Git at work. Not by `subprocess`, since importing that takes as long as git does."""

    def __init__(self, process: int, reader: int) -> None:
        self._process = process
        self._reader = reader

    @classmethod
    def start(cls, directory: Path) -> _Asked | None:
        """Ask git; None if there is none."""
        places = {f"GIT_{name}" for name in _PLACES}
        environment = {name: value for name, value in os.environ.items() if name not in places}
        reader, writer = os.pipe()
        try:
            process = os.posix_spawnp(
                "git",
                ["git", "-c", "core.fsmonitor=false", "-C", str(directory), *_WORDS],
                {**environment, "GIT_OPTIONAL_LOCKS": "0"},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, writer, 1),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
            )
        except (OSError, ValueError):
            os.close(reader)
            return None
        finally:
            os.close(writer)
        return cls(process, reader)

    def speaks(self, seconds: float) -> bool:
        """Whether it says something within this time, or has ended."""
        waiting = select.poll()
        waiting.register(self._reader, select.POLLIN)
        return bool(waiting.poll(max(0, math.ceil(seconds * 1000))))

    def answer(self) -> bytes:
        """What it prints, if it ends well, and in time."""
        parts: list[bytes] = []
        end = time.monotonic() + _SECONDS
        while self.speaks(end - time.monotonic()):
            part = os.read(self._reader, 1 << 16)
            if not part:
                return b"".join(parts) if self._reap() == 0 else b""
            parts.append(part)
        self.end()
        return b""

    def end(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            os.kill(self._process, signal.SIGKILL)
        self._reap()

    def _reap(self) -> int:
        """0 if it ended well; so too if somebody else has heard of its end, which is not told again."""
        os.close(self._reader)
        try:
            return os.waitpid(self._process, 0)[1]
        except ChildProcessError:
            return 0
