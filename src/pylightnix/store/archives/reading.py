"""Reads the members of an archive one after the other, as from a stranger. Unaware of what they mean.

What is yielded was not changed on the way only if the reading came to its end: the last member has the hash of all.
"""

from __future__ import annotations

from collections.abc import Iterator

from pylightnix.errors import DamageError
from pylightnix.hashing import content_hasher
from pylightnix.store.archives.compression import Stream
from pylightnix.store.archives.format import BLOCK, END, RECORD, Header, Sum, more_of_header, parse_header
from pylightnix.store.files import LARGEST

_CHUNK = 1 << 20


class Members:
    """The members of an archive. What is not read of one before the next is asked for is read then.

    Args:
        stream: the archive, decompressed.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._sum = Sum()
        self._read = 0
        self._left = 0
        self._hasher = content_hasher()

    def __iter__(self) -> Iterator[Header]:
        """All but the last one, which is compared.

        Raises:
            DamageError: this is no archive, or not all of one, or one that was changed.
        """
        while True:
            header = self._header()
            if header.name == END:
                self._end(header)
                return
            self._left = header.size
            self._hasher = content_hasher(threads=header.size > _CHUNK)
            yield header
            for _ in self.chunks():
                pass
            self._zeros(header.padding)
            self._sum.add(header, self._hasher.hexdigest())

    def chunks(self) -> Iterator[bytes]:
        """What is left of the content of a member, in portions."""
        while self._left:
            data = self._take(min(self._left, _CHUNK))
            self._left -= len(data)
            self._hasher.update(data)
            yield data

    def content(self) -> bytes:
        """All of it, if it is a document."""
        if self._left > LARGEST:
            raise DamageError(f"a document in it has more than {LARGEST} bytes")
        return b"".join(self.chunks())

    def _header(self) -> Header:
        is_first = not self._read
        first = self._take(BLOCK)
        try:
            return parse_header(first + self._take(more_of_header(first)))
        except DamageError as error:
            if is_first:
                raise no_archive() from error
            raise

    def _end(self, header: Header) -> None:
        wanted = self._sum.to_bytes()
        if header.size != len(wanted) or self._take(header.size) != wanted:
            raise DamageError("it was changed, or something is missing: its last member is not that of what was read")
        self._zeros(header.padding + 2 * BLOCK)
        self._zeros(-self._read % RECORD)
        if self._stream.read(1):
            raise DamageError("something stands behind its end")

    def _zeros(self, size: int) -> None:
        if self._take(size).strip(b"\0"):
            raise DamageError("something stands where only zeros may")

    def _take(self, size: int) -> bytes:
        parts, left = [], size
        while left:
            data = self._stream.read(left)
            if not data:
                raise DamageError("it ends early") if self._read else no_archive()
            parts.append(data)
            left -= len(data)
        self._read += size
        return parts[0] if len(parts) == 1 else b"".join(parts)


def no_archive() -> DamageError:
    """The error for what is something else."""
    return DamageError("it is no archive of results", hint="pylightnix export writes one")
