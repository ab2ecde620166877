"""What this store has sent to a remote, remembered so that it need not ask again. May be deleted at any time.

A remote that is made anew has another identity, and so another memory.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable

from pylightnix.errors import DamageError
from pylightnix.names import RealizationRef
from pylightnix.store import changes
from pylightnix.store.files import read_small, write_once
from pylightnix.store.layout import Layout

_LINE = re.compile(rb"[0-9a-f]{40} [0-9a-f]{40}")
_MOST = 1_000_000


class Memory:
    """The realizations that a remote is known to have, each with what was known of it then.

    Args:
        layout: of the store, in whose cache such files are.
        identity: of the remote.
    """

    def __init__(self, layout: Layout, identity: str) -> None:
        self._tmp = layout.tmp
        self._path = f"{layout.cache}/remotes/{identity}"
        self._known: dict[str, str] = {}
        with contextlib.suppress(OSError, DamageError):
            lines = read_small(self._path).splitlines()
            self._known = dict(line.decode().split(" ") for line in lines if _LINE.fullmatch(line))
        self._before = dict(self._known)

    def knows(self, ref: RealizationRef, print_: str) -> bool:
        """Whether the remote has all of it that has this fingerprint."""
        return self._known.get(ref.digits) == print_

    def note(self, ref: RealizationRef, print_: str) -> None:
        """Remember that it has."""
        self._known[ref.digits] = print_

    def forget(self, refs: Iterable[RealizationRef]) -> None:
        """Ask again for these."""
        for ref in refs:
            self._known.pop(ref.digits, None)

    def keep(self) -> None:
        """Write it down, where the store can be written; whoever else does so at the same time may win."""
        if self._known == self._before:
            return
        with contextlib.suppress(OSError):
            changes.make_directories(os.path.dirname(self._path))
            lines = [f"{digits} {known}\n" for digits, known in list(self._known.items())[-_MOST:]]
            write_once(self._tmp, self._path, "".join(lines).encode())
            self._before = dict(self._known)
