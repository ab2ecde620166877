"""Manifests: a line of canonical JSON for each entry of a tree, a directory before what is in it, in byte order.

The hash of a manifest is the hash of the tree. Unaware of directories, and of how a tree is walked.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from pylightnix.errors import DamageError
from pylightnix.hashing import ContentHasher, canonical, content_hasher, digest_bytes, kind_tag
from pylightnix.names import printable
from pylightnix.store.filehash import hash_file
from pylightnix.store.files import open_plain

_HEADER = canonical({"pylightnix": kind_tag("tree")}) + b"\n"
EMPTY_MANIFEST = _HEADER
EMPTY = digest_bytes(_HEADER)
"""The tree hash of a directory with nothing in it. Its manifest, which would say no more, is not written."""

_HELD = 64 << 10
_LONGEST_LINE = 64 << 20
_HASH = re.compile(r"[0-9a-f]{64}")
_SIZES = range(1 << 63)
_PLAIN = re.compile(
    rb'\{("executable":true,)?"hash":"([0-9a-f]{64})","kind":"file","path":"((?:[^"\\/\x00-\x1f]+/)*)([^"\\/\x00-\x1f]+)","size":(0|[1-9][0-9]{0,18})\}\n'
)
_NO_PART = frozenset({b"", b".", b".."})


class Entry(NamedTuple):
    """A line of a manifest.

    Attributes:
        kind: "file", "directory" or "link".
        name: the relative path as the file system has it, `/` between the parts.
        hash: of a file's bytes.
        size: of a file, bytes.
        executable: whether a file's owner may execute it.
        target: what a link says.
    """

    kind: str
    name: bytes
    hash: str = ""
    size: int = 0
    executable: bool = False
    target: bytes = b""

    @property
    def path(self) -> str:
        """The relative path as Python names files."""
        return os.fsdecode(self.name)

    def line(self) -> bytes:
        """The line, canonical JSON; names that are not UTF-8 stand under "path_hex" and "target_hex"."""
        path = _text(b"path", self.name)
        if self.kind == "file":
            flag = b'"executable":true,' if self.executable else b""
            return b'{%b"hash":"%b","kind":"file",%b,"size":%d}\n' % (flag, self.hash.encode(), path, self.size)
        if self.kind == "link":
            return b'{"kind":"link",%b,%b}\n' % (path, _text(b"target", self.target))
        return b'{"kind":"directory",%b}\n' % path


def _text(key: bytes, raw: bytes) -> bytes:
    try:
        return b'"%b":%b' % (key, canonical(raw.decode()))
    except UnicodeDecodeError:
        return b'"%b_hex":"%b"' % (key, raw.hex().encode())


class Sink(Protocol):
    """Takes a manifest in portions."""

    def write(self, data: bytes, /) -> object: ...


class ManifestWriter:
    """Hashes lines, and hands them on, in portions."""

    def __init__(self, sink: Sink | None = None) -> None:
        self.length = 0
        self._sink = sink
        self._lines = [_HEADER]
        self._size = 0
        self._hasher: ContentHasher | None = None

    def add(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size > _HELD:
            self._hasher = self._hasher or content_hasher()
            self._hasher.update(self._take())

    def _take(self) -> bytes:
        data = b"".join(self._lines)
        self.length += len(data)
        self._lines.clear()
        self._size = 0
        if self._sink is not None:
            self._sink.write(data)
        return data

    def finish(self) -> str:
        data = self._take()
        if self._hasher is None:
            return digest_bytes(data)
        self._hasher.update(data)
        return self._hasher.hexdigest()


def read_manifest(source: Path | str | bytes, tree: str | None = None) -> Iterator[Entry]:
    """The entries of a manifest, checked one by one: form, names, order, and that each one's directory came before.

    Args:
        source: the file, or its bytes.
        tree: the tree hash that it must have; checked when the last entry was read. Nothing is read for `EMPTY`.

    Raises:
        DamageError: it is not the manifest of a tree, or not of this one.
        OSError: the file cannot be read.
    """
    if tree == EMPTY:
        return
    where = "manifest" if isinstance(source, bytes) else printable(os.fsdecode(source))
    hasher = content_hasher() if tree is not None else None
    directory: list[bytes] = []
    previous: list[bytes] = []
    above = last = b""  # of the line before, if it was of a file with a plain name: what it stands in, and its name
    with io.BytesIO(source) if isinstance(source, bytes) else open_plain(source) as lines:
        number = 1
        line = lines.readline(_LONGEST_LINE)
        if line != _HEADER:
            raise DamageError(f"not a manifest: it does not begin with {_HEADER.decode().strip()}", where=where)
        if hasher is not None:
            hasher.update(line)
        while line := lines.readline(_LONGEST_LINE):
            number += 1
            if hasher is not None:
                hasher.update(line)
            plain = _PLAIN.fullmatch(line)
            if plain is not None and last and plain[3] == above and plain[4] > last and (entry := _plain(plain)):
                previous[-1] = last = plain[4]
                yield entry
                continue
            entry = _parse(line)
            parts = entry.name.split(b"/") if entry else []
            if entry is None or parts <= previous or parts[:-1] != directory[: len(parts) - 1]:
                raise DamageError("not a line of a manifest, or not at its place", where=f"{where}:{number}")
            previous = parts
            directory = parts if entry.kind == "directory" else parts[:-1]
            above, last = (plain[3], plain[4]) if plain is not None else (b"", b"")
            yield entry
    if hasher is not None and hasher.hexdigest() != tree:
        raise DamageError("the manifest is of another tree", where=where, tree=tree)


def entries_from(path: Path | str, line: int) -> Iterator[Entry]:
    """The entries of a manifest that was read before, from the line that begins at this byte on.

    Raises:
        DamageError: something there is not a line of a manifest.
        OSError: the file cannot be read.
    """
    where = printable(os.fsdecode(path))
    with open_plain(path) as lines:
        lines.seek(line)
        while text := lines.readline(_LONGEST_LINE):
            entry = _parse(text)
            if entry is None:
                raise DamageError("not a line of a manifest", where=where)
            yield entry


def check_manifest(path: Path | str, tree: str) -> None:
    """See that a file is the manifest of a tree, by its bytes alone; they say nothing yet of the form of its lines.

    Raises:
        DamageError: it is not.
        OSError: it cannot be read.
    """
    with open_plain(path) as file:
        if hash_file(file.fileno(), os.fstat(file.fileno()).st_size) != tree:
            raise DamageError("the manifest is of another tree", where=printable(os.fsdecode(path)), tree=tree)


def _parse(line: bytes) -> Entry | None:
    """The entry of which this is the line, None if there is none.

    Nearly all are of files with plain names, and those are read by their form, which is exact.
    """
    plain = _PLAIN.fullmatch(line)
    if plain is not None and not _NO_PART.intersection(plain[3].split(b"/")[:-1]) and (entry := _plain(plain)):
        return entry
    try:
        document = json.loads(line.decode())
        kind, name = document["kind"], _raw(document, "path")
        if kind == "file":
            entry = Entry(kind, name, document["hash"], document["size"], "executable" in document)
        else:
            entry = Entry(kind, name, target=_raw(document, "target") if kind == "link" else b"")
        sound = (
            entry.line() == line
            and (kind != "file" or (entry.size in _SIZES and _HASH.fullmatch(entry.hash) is not None))
            and not _NO_PART.intersection(name.split(b"/"))
            and b"\0" not in name + entry.target
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return entry if sound else None


def _plain(plain: re.Match[bytes]) -> Entry | None:
    """The entry of a file with a plain name, in a directory of which the name was looked at; else None."""
    executable, digest, above, last, size = plain.groups()
    name, bytes_ = above + last, int(size)
    if name.isascii() and last not in _NO_PART and bytes_ in _SIZES:
        return Entry("file", name, digest.decode(), bytes_, executable is not None)
    return None


def _raw(document: Mapping[str, str], key: str) -> bytes:
    text = document.get(key)
    return bytes.fromhex(document[f"{key}_hex"]) if text is None else text.encode()
