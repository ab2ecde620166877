"""The form of an archive: names and headers of its members, its first and its last one. Opens no files.

An archive is a tar whose every byte follows from what is in it. A reader makes each header anew and compares, so no
archive has a second form, and nothing in a header has a meaning besides name and size.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable
from typing import Any, NamedTuple

from pylightnix.errors import DamageError
from pylightnix.hashing import DIGITS, canonical, content_hasher
from pylightnix.model.selection import Selection
from pylightnix.names import RealizationRef
from pylightnix.store.collection.roots import parse_selection, selection_document
from pylightnix.store.files import parse_document

HEAD = "pylightnix.json"
END = "end.json"
KIND = "archive/1"
END_KIND = "archive-end/1"

BLOCK = 512
RECORD = 20 * BLOCK
"""The size of an archive is a multiple of this, filled up with zeros; more than two blocks of them are its end."""

LONGEST_NAME = 400
LARGEST_SIZE = 1 << 33
"""What a size in a plain header may be."""

_SHORT = 100
"""Bytes of a name that stands in a plain header."""

_PAX = b"x"
_RECORDS = re.compile(rb"(?:[0-9]{1,3} path=([^\n]{1,400})\n)?(?:[0-9]{1,3} size=([0-9]{1,18})\n)?")
_OCTAL = re.compile(rb"[0-7]{11}\0")

REALIZATION = re.compile(
    rf"realizations/([0-9a-f]{{{DIGITS}}}-[A-Za-z0-9_][A-Za-z0-9_.+-]{{0,119}})/([0-9a-f]{{{DIGITS}}})/(.+)"
)
"""The name of a member that belongs to a realization: its key, its digits, and what it is."""


class Header(NamedTuple):
    """Name and size of a member."""

    name: str
    size: int

    def to_bytes(self) -> bytes:
        """Its header as it stands in an archive."""
        if self.size > LARGEST_SIZE - 1 or not self.name.isascii():
            return _made(self.name, self.size)
        name = self.name.encode()
        if len(name) <= _SHORT:
            return _filled(_PLAIN, name, self.size)
        record = _record(b"path", name)
        more = record.ljust(-(-len(record) // BLOCK) * BLOCK, b"\0")
        return (
            _filled(_LONG, _LONG[:_SHORT].rstrip(b"\0"), len(record)) + more + _filled(_PLAIN, name[:_SHORT], self.size)
        )

    @property
    def padding(self) -> int:
        """Zeros behind its content."""
        return -self.size % BLOCK


def _made(name: str, size: int) -> bytes:
    """A header as the standard library makes it: what ours must be to the byte. Slow, with many small files."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o444, 0
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


_PLAIN = _made("", 0)
_LONG = _made("n" * (_SHORT + 1), 0)[:BLOCK]


def _filled(block: bytes, name: bytes, size: int) -> bytes:
    """A block with another name and size, and the sum that follows."""
    begin = b"%b%b%011o\0%b" % (name.ljust(_SHORT, b"\0"), block[_SHORT:124], size, block[136:148])
    return b"%b%06o\0 %b" % (begin, sum(begin) + sum(block[156:]) + 8 * ord(" "), block[156:])


def _record(key: bytes, value: bytes) -> bytes:
    """A record of a long header: it begins with its own length."""
    size, known = len(key) + len(value) + 3, 0
    while known != (found := size + len(str(known or size))):
        known = found
    return b"%d %b=%b\n" % (known, key, value)


def more_of_header(block: bytes) -> int:
    """How many bytes follow the first block of a header, before the content.

    Raises:
        DamageError: this is no header.
    """
    if block[156:157] != _PAX:
        return 0
    return -(-_number(block) // BLOCK) * BLOCK + BLOCK


def parse_header(data: bytes) -> Header:
    """A header, of which these must be all bytes.

    Raises:
        DamageError: they are not.
    """
    try:
        records: tuple[bytes | None, ...] = (None, None)
        if data[156:157] == _PAX:
            form = _RECORDS.fullmatch(data[BLOCK : BLOCK + _number(data)])
            if form is None:
                raise DamageError("a header of it is none of an archive")
            records = form.groups()
        last = data[-BLOCK:]
        name = (last[:100].rstrip(b"\0") if records[0] is None else records[0]).decode()
        header = Header(name, _number(last, LARGEST_SIZE) if records[1] is None else int(records[1]))
        if header.to_bytes() == data:
            return header
    except ValueError:
        pass
    raise DamageError("a header of it is none of an archive")


def _number(block: bytes, most: int = 2 * BLOCK) -> int:
    text = block[124:136]
    if _OCTAL.fullmatch(text) is None or int(text[:11], 8) > most:
        raise DamageError("a header of it is none of an archive")
    return int(text[:11], 8)


class Head(NamedTuple):
    """The first member.

    Attributes:
        selection: what the archive is of.
        absent: realizations that were chosen, and that it was made without.
    """

    selection: Selection
    absent: frozenset[RealizationRef]

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical({"absent": sorted(self.absent), "pylightnix": KIND, **selection_document(self.selection)})

    @classmethod
    def parse(cls, data: bytes) -> Head:
        """DamageError if it is none."""
        document = parse_document(HEAD, data, KIND)
        try:
            absent: Iterable[Any] = document["absent"]
            return cls(parse_selection(document), frozenset(map(RealizationRef.parse, absent)))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise DamageError(f"not the beginning of an archive: {error!r}", where=HEAD) from error


class Sum:
    """The hash of all members, which the last one has: over a line of canonical JSON for each."""

    def __init__(self) -> None:
        self._hasher = content_hasher()
        self._members = 0

    def add(self, header: Header, digest: str) -> None:
        """One more member, of which the content has this hash."""
        self._hasher.update(canonical({"hash": digest, "name": header.name, "size": header.size}) + b"\n")
        self._members += 1

    def to_bytes(self) -> bytes:
        """The last member."""
        return canonical({"hash": self._hasher.hexdigest(), "members": self._members, "pylightnix": END_KIND})
