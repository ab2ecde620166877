"""Where in a store the content of blobs is. Unaware of what they are part of, and of whether it is still there.

One blob may be in several places, as what two results have in common; each is noted, since each may be collected.
Kept in memory alone, and only of what somebody has asked for.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from pylightnix.remotes.pieces import Blob
from pylightnix.store.closures import Place


class InNotes(NamedTuple):
    """A piece of what is known of a realization."""

    place: Place
    number: int


class InRecord(NamedTuple):
    """In a file beside a record, from a byte on."""

    place: Place
    name: str
    offset: int


class InFile(NamedTuple):
    """In a file of a tree, from a byte on."""

    tree: str
    path: str
    offset: int


class InPack(NamedTuple):
    """In small files of a tree: that of this line of the manifest, from a byte on, and the next ones."""

    tree: str
    line: int
    offset: int


Where = InNotes | InRecord | InFile | InPack


class Whereabouts:
    """Is told where things are, and tells. Safe to use from several threads."""

    def __init__(self) -> None:
        self._size: dict[str, int] = {}
        self._where: dict[str, tuple[Where, ...]] = {}
        self._mutex = threading.Lock()

    def note(self, blob: Blob, where: Where) -> None:
        """This blob is there, too."""
        with self._mutex:
            known = self._where.get(blob.digest, ())
            if where not in known:
                self._where[blob.digest] = (*known, where)
                self._size[blob.digest] = blob.size

    def of(self, digest: str) -> tuple[int, tuple[Where, ...]]:
        """The size of a blob, and where it was, the latest place first; nowhere if nobody was told of it."""
        with self._mutex:
            return self._size.get(digest, 0), self._where.get(digest, ())[::-1]
