"""Bytes of a known hash, given in slices: however large they are and however slowly they go, memory holds one slice.

Unaware of where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pylightnix.errors import DamageError
from pylightnix.hashing import content_hasher, digest_bytes
from pylightnix.store.closures import not_as_recorded, open_recorded

SLICE = 64 << 10
"""Bytes that are read at once."""


class Content(NamedTuple):
    """What a name stands for.

    Attributes:
        digest: BLAKE3 of all of it.
        size: bytes.
        read: gives all from one byte on, to the byte before another one; what is beyond may be left out.
    """

    digest: str
    size: int
    read: Callable[[int, int], Iterator[bytes]]

    @classmethod
    def of(cls, data: bytes) -> Content:
        """Bytes that are at hand."""

        def read(begin: int, end: int) -> Iterator[bytes]:
            view = memoryview(data)[begin:end]
            return (bytes(view[at : at + SLICE]) for at in range(0, len(view), SLICE))

        return cls(digest_bytes(data), len(data), read)

    def part(self, begin: int, end: int) -> Iterator[bytes]:
        """Some of it; nobody can hold that against the hash.

        Raises:
            DamageError: something is not as it must be. Not all was given then.
        """
        yield from self.read(begin, end)

    def all(self) -> Iterator[bytes]:
        """All of it, of which the last slice is held back until the hash is seen to be right. Raises as `part` does."""
        hasher, held = content_hasher(), b""
        for data in self.read(0, self.size):
            hasher.update(data)
            if held:
                yield held
            held = data
        if hasher.hexdigest() != self.digest:
            raise DamageError(f"the content {self.digest} is another one now", hint="pylightnix verify --repair")
        if held:
            yield held


def file_slices(path: str, begin: int, end: int) -> Iterator[bytes]:
    """What a file has from one byte to another; DamageError if it ends before."""
    with open_recorded(path) as file:
        file.seek(begin)
        while begin < end:
            data = file.read(min(SLICE, end - begin))
            if not data:
                raise not_as_recorded(path)
            begin += len(data)
            yield data
