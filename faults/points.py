"""The points of an operation at which it can be disturbed: just before each change of files.

Changes of the store come through `store.changes`; those of builders and executors are heard of by an audit hook.
Unaware of what happens there.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pylightnix.store import changes

_OF_EVENTS = {
    "os.mkdir": "mkdir", "os.rename": "rename", "os.remove": "unlink", "os.rmdir": "rmdir", "os.chmod": "chmod",
    "os.symlink": "symlink", "os.link": "link", "os.truncate": "truncate", "open": "open",
}  # fmt: skip
_SAME = {"fchmod": "chmod"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
Disturb = Callable[[str, tuple[object, ...]], None]
"""Is told of a change, and what it is about."""


class Watch:
    """Counts the changes below a directory.

    Args:
        root: the directory.
        foreign: whether to count what builders and executors change, too; only in a process that ends soon, because
            the hook for that cannot be taken away.
    """

    def __init__(self, root: Path, *, foreign: bool = False) -> None:
        self._root = os.fspath(root)
        self._foreign = foreign
        self._local = threading.local()
        self._seen = 0
        self._at = -1
        self._onward = False
        self._disturb: Disturb = lambda name, about: None

    def count(self, do: Callable[[], object]) -> int:
        """Do something; how many changes that made."""
        self.disturb(-1, self._disturb, do)
        return self._seen

    def disturb(self, at: int, disturb: Disturb, do: Callable[[], object], *, onward: bool = False) -> None:
        """Do something, and disturb it just before its change of this number; with `onward` before all later ones."""
        self._at, self._disturb, self._seen, self._onward = at, disturb, 0, onward
        if self._foreign:
            self._foreign = False  # one hook is enough
            sys.addaudithook(self._hear)
        with changes.observed(self._observe):
            do()

    def _observe(self, name: str, about: tuple[object, ...]) -> None:
        self._local.announced = _SAME.get(name, name)
        self._pass(name, about)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        name = _OF_EVENTS.get(event)
        if name is None or (event == "open" and not _writes(arguments[2])):
            return
        if getattr(self._local, "announced", "") == name:
            self._local.announced = ""
        elif isinstance(arguments[0], (str, os.PathLike)) and os.fspath(arguments[0]).startswith(self._root):
            self._pass(name, arguments)

    def _pass(self, name: str, about: tuple[object, ...]) -> None:
        point = self._seen
        self._seen += 1
        if point == self._at or (self._onward and point > self._at):
            self._disturb(name, about)


def _writes(flags: object) -> bool:
    return isinstance(flags, int) and flags & _WRITING != 0
