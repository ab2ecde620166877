"""Content cut into pieces, each a blob that is named by its hash: many small files share one, a large one has several.

Unaware of what the content is. A blob is at most `PIECE` bytes, so it is sent and fetched in one request, memory is
bounded whatever the size of a file, and a transfer that broke off goes on with the next piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pylightnix.errors import DamageError

PIECE = 8 << 20
"""Bytes of a piece that is sent; one that is fetched may have `LARGEST_PIECE`."""

LARGEST_PIECE = 64 << 20

PACKED = 1 << 20
"""Files of fewer bytes stand one after the other in packs."""

_HASH = re.compile(r"([0-9a-f]{64})(\.zst)?")


class Blob(NamedTuple):
    """Some content in a remote.

    Attributes:
        digest: BLAKE3 of the content.
        compressed: whether it is stored as a zstd frame, under a name of its own.
        size: bytes of the content.
    """

    digest: str
    compressed: bool
    size: int

    @property
    def label(self) -> str:
        """The last part of its name."""
        return f"{self.digest}.zst" if self.compressed else self.digest

    @property
    def name(self) -> str:
        """Its name in a remote."""
        return f"blobs/{self.digest[:2]}/{self.label}"

    def row(self) -> list[Any]:
        """What stands for it in a document."""
        return [self.label, self.size]

    @classmethod
    def parse(cls, row: object) -> Blob:
        """What a row means; DamageError if it means nothing."""
        if isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) and type(row[1]) is int:
            form = _HASH.fullmatch(row[0])
            if form is not None and 0 <= row[1] <= LARGEST_PIECE:
                return cls(form[1], form[2] is not None, row[1])
        raise DamageError(f"this is no blob: {row!r}"[:200])


def parse_blobs(rows: object) -> tuple[Blob, ...]:
    """The blobs of a list of rows; DamageError if it is none."""
    if not isinstance(rows, list):
        raise DamageError("there is no list of blobs where one must be")
    return tuple(map(Blob.parse, rows))


class Cutter:
    """Cuts what is added to it into pieces, and has each one sent as soon as it is full.

    Args:
        send: is given a piece; what it returns stands for it.
    """

    def __init__(self, send: Callable[[bytes], Any]) -> None:
        self._send = send
        self._parts: list[bytes] = []
        self._size = 0
        self._sent: list[Any] = []

    def add(self, data: bytes) -> None:
        """More content."""
        while data:
            now, data = data[: PIECE - self._size], data[PIECE - self._size :]
            self._parts.append(now)
            self._size += len(now)
            if self._size == PIECE:
                self._cut()

    def finish(self) -> list[Any]:
        """What stands for all pieces, in their order."""
        if self._size:
            self._cut()
        return self._sent

    def _cut(self) -> None:
        self._sent.append(self._send(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)))
        self._parts, self._size = [], 0


class Taker:
    """Gives what was cut again, in portions of any size.

    Args:
        pieces: the content, in order.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._rest = memoryview(b"")

    def take(self, size: int) -> Iterator[memoryview]:
        """The next bytes; DamageError if there are not so many."""
        while size:
            if not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    raise DamageError("there is less content than files")
                self._rest = memoryview(piece)
            now, self._rest = self._rest[:size], self._rest[size:]
            size -= len(now)
            yield now

    def whole(self, size: int) -> bytes | memoryview:
        """The next bytes at once; DamageError if there are not so many."""
        if size > len(self._rest):
            return b"".join(self.take(size))
        now, self._rest = self._rest[:size], self._rest[size:]
        return now

    def end(self) -> None:
        """See that nothing is left; DamageError if something is."""
        if len(self._rest) or next(self._pieces, None):
            raise DamageError("there is more content than files")
