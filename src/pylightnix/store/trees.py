"""The tree hash, the manifest and the sealing of a directory of artifacts, in one walk. Unaware of the store.

The manifest has a line of canonical JSON for each entry, a directory before what is in it, siblings in byte order.
The tree hash is the BLAKE3 hash of the manifest. A single artifact has the hash of a tree in which it is alone.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import ContentHasher, canonical, content_hasher, digest_bytes, kind_tag
from pylightnix.names import printable
from pylightnix.store.filehash import go_on, hash_file
from pylightnix.store.files import open_plain
from pylightnix.store.sealing import Walk, failed, open_file, seal_top, special

__all__ = [
    "EMPTY",
    "EMPTY_MANIFEST",
    "Artifact",
    "Entry",
    "Tree",
    "check_manifest",
    "describe",
    "entries_from",
    "hash_tree",
    "is_empty",
    "list_files",
    "read_manifest",
    "seal_top",
    "tree_of",
]

_HEADER = canonical({"pylightnix": kind_tag("tree")}) + b"\n"
EMPTY_MANIFEST = _HEADER
EMPTY = digest_bytes(_HEADER)
"""The tree hash of a directory with nothing in it. Its manifest, which would say no more, is not written."""

NEVER = 0o7222
"""Bits that no mode of an artifact has: who may write, and setuid, setgid, sticky."""

_HELD = 64 << 10
_LONGEST_LINE = 64 << 20
_HASH = re.compile(r"[0-9a-f]{64}")
_SIZES = range(1 << 63)
_PLAIN = re.compile(
    rb'\{("executable":true,)?"hash":"([0-9a-f]{64})","kind":"file","path":"([^"\\\x00-\x1f]+)","size":(0|[1-9][0-9]{0,18})\}\n'
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


class Artifact(NamedTuple):
    """A single artifact: its kind, as in `Entry`, and its own tree hash."""

    kind: str
    digest: str


@dataclass(frozen=True, slots=True)
class Tree:
    """What a walk found.

    Attributes:
        digest: the tree hash.
        size: bytes in all files.
        files: number of files; links and directories do not count.
        artifacts: those that were asked for, by their path.
        lines: bytes of the manifest.
    """

    digest: str
    size: int
    files: int
    artifacts: Mapping[str, Artifact]
    lines: int = 0


def hash_tree(
    root: Path | str,
    artifacts: Iterable[str] = (),
    sink: Sink | None = None,
    *,
    seal: bool = False,
    writable: list[str] | None = None,
    between: Callable[[], None] = go_on,
) -> Tree:
    """Hash the artifacts in a directory. Memory holds the names in the directories on one path, never content.

    Args:
        root: the directory.
        artifacts: relative paths whose own hashes are wanted; `/` between the parts.
        sink: gets the manifest while it is made.
        seal: make files read-only, and directories but for `root` itself (`seal_top` does that). Who may not read
            `root` may then not read what is in it. A file with another name, in this tree or elsewhere, becomes a copy.
        writable: gets the paths of files and directories, but not of `root`, that somebody may write to, or that are
            setuid, setgid or sticky.
        between: is called between entries, and between reads of a file; what it raises ends it.

    Raises:
        StoreError: something cannot be read or sealed, is neither file, link nor directory, or changes meanwhile; or a
            path in `artifacts` is not there (what is behind a link is not there).
    """
    walk = Walk(root, seal=seal)
    manifest = _Manifest(sink)
    singles = _Singles(artifacts)
    size = files = 0
    with closing(walk.steps()) as steps:
        for kind, path, name in steps:
            if kind == "left":
                if writable is not None and _is_loose(os.stat(name, dir_fd=walk.fd, follow_symlinks=False)):
                    writable.append(os.fsdecode(path))
                continue
            between()
            entry = describe(walk, kind, path, name, writable, between)
            line = entry.line()
            manifest.add(line)
            singles.see(entry, line)
            if kind == "file":
                size += entry.size
                files += 1
    return Tree(manifest.finish(), size, files, singles.finish(root), manifest.length)


def _is_loose(status: os.stat_result) -> bool:
    return status.st_mode & NEVER != 0


def describe(
    walk: Walk, kind: str, path: bytes, name: bytes,
    writable: list[str] | None = None, between: Callable[[], None] = go_on,
) -> Entry:  # fmt: skip
    """The entry of a step; seals the file if the walk seals. `writable` and `between` are as in `hash_tree`."""
    try:
        if kind == "file":
            fd, status = open_file(name, walk.fd, walk.rights)
            try:
                size = status.st_size
                if writable is not None and _is_loose(status):
                    writable.append(os.fsdecode(path))
                return Entry("file", path, hash_file(fd, size, between), size, status.st_mode & 0o100 != 0)
            finally:
                os.close(fd)
        if kind == "link":
            return Entry("link", path, target=os.readlink(name, dir_fd=walk.fd))
        if kind == "special":
            raise special()
    except OSError as error:
        raise failed(walk.where(path), error) from error
    except StoreError as error:
        error.where = printable(os.fsdecode(walk.where(path)))
        raise
    return Entry(kind, path)


def tree_of(entries: Iterable[Entry], artifacts: Iterable[str] = ()) -> Tree:
    """What `hash_tree` would find where these are the entries, in the order of a manifest; reads no files.

    Raises:
        StoreError: a path in `artifacts` is not among them.
    """
    manifest = _Manifest()
    singles = _Singles(artifacts)
    size = files = 0
    for entry in entries:
        line = entry.line()
        manifest.add(line)
        singles.see(entry, line)
        size += entry.size
        files += entry.kind == "file"
    return Tree(manifest.finish(), size, files, singles.finish("manifest"), manifest.length)


class _Manifest:
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


class _Open(NamedTuple):
    """A single artifact of which more entries may come."""

    path: str
    kind: str
    inside: bytes
    cut: int
    manifest: _Manifest


class _Singles:
    """Makes the manifests of single artifacts from the entries of the whole tree."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._wanted = {os.fsencode(path): path for path in paths}
        self._open: list[_Open] = []
        self._found: dict[str, Artifact] = {}

    def see(self, entry: Entry, line: bytes) -> None:
        name = entry.name
        while self._open and not name.startswith(self._open[-1].inside):
            self._close()
        wanted = self._wanted.get(name)
        if wanted is not None:
            self._open.append(_Open(wanted, entry.kind, name + b"/", name.rfind(b"/") + 1, _Manifest()))
        for single in self._open:
            single.manifest.add(entry._replace(name=name[single.cut :]).line() if single.cut else line)

    def _close(self) -> None:
        single = self._open.pop()
        self._found[single.path] = Artifact(single.kind, single.manifest.finish())

    def finish(self, root: Path | str) -> Mapping[str, Artifact]:
        while self._open:
            self._close()
        for path in self._wanted.values():
            if path not in self._found:
                raise StoreError(
                    f"there is no artifact {printable(path)!r} in this directory", where=printable(os.fsdecode(root)),
                    hint="what is reached through a link is not in the directory", path=path,
                )  # fmt: skip
        return self._found


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
    hasher = content_hasher()
    directory: list[bytes] = []
    previous: list[bytes] = []
    with io.BytesIO(source) if isinstance(source, bytes) else open_plain(source) as lines:
        number = 1
        line = lines.readline(_LONGEST_LINE)
        if line != _HEADER:
            raise DamageError(f"not a manifest: it does not begin with {_HEADER.decode().strip()}", where=where)
        hasher.update(line)
        while line := lines.readline(_LONGEST_LINE):
            number += 1
            hasher.update(line)
            entry = _parse(line)
            parts = entry.name.split(b"/") if entry else []
            if entry is None or parts <= previous or parts[:-1] != directory[: len(parts) - 1]:
                raise DamageError("not a line of a manifest, or not at its place", where=f"{where}:{number}")
            previous = parts
            directory = parts if entry.kind == "directory" else parts[:-1]
            yield entry
    if tree is not None and hasher.hexdigest() != tree:
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
    if plain is not None:
        executable, digest, name, size = plain.groups()
        if name.isascii() and not _NO_PART.intersection(name.split(b"/")) and int(size) in _SIZES:
            return Entry("file", name, digest.decode(), int(size), executable is not None)
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


def _raw(document: Mapping[str, str], key: str) -> bytes:
    text = document.get(key)
    return bytes.fromhex(document[f"{key}_hex"]) if text is None else text.encode()


def is_empty(root: Path | str) -> bool:
    """Whether this is a directory, or a link to one, that can be read and has nothing in it."""
    try:
        return not os.listdir(root)
    except OSError:
        return False


def list_files(root: Path | str) -> tuple[str, ...]:
    """The relative paths of all files and links below a directory, in the order of its manifest.

    Raises:
        StoreError: it cannot be read.
    """
    with closing(Walk(root).steps()) as steps:
        return tuple(os.fsdecode(path) for kind, path, _ in steps if kind in ("file", "link"))
