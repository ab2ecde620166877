"""The tree hash, the manifest and the sealing of a directory of artifacts, in one walk. Unaware of the store.

The tree hash is the BLAKE3 hash of the manifest. A single artifact has the hash of a tree in which it is alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from pylightnix.errors import StoreError
from pylightnix.names import printable
from pylightnix.store.filehash import go_on, hash_file
from pylightnix.store.manifests import Entry, ManifestWriter, Sink
from pylightnix.store.sealing import Walk, failed, open_file, special

NEVER = 0o7222
"""Bits that no mode of an artifact has: who may write, and setuid, setgid, sticky."""


class Artifact(NamedTuple):
    """A single artifact: its kind, as in `Entry`, and its own tree hash."""

    kind: str
    digest: str


class Tree(NamedTuple):
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
    manifest = ManifestWriter(sink)
    singles = Singles(artifacts)
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
    manifest = ManifestWriter()
    singles = Singles(artifacts)
    size = files = 0
    for entry in entries:
        line = entry.line()
        manifest.add(line)
        singles.see(entry, line)
        size += entry.size
        files += entry.kind == "file"
    return Tree(manifest.finish(), size, files, singles.finish("manifest"), manifest.length)


class _Open(NamedTuple):
    """A single artifact of which more entries may come."""

    path: str
    kind: str
    inside: bytes
    cut: int
    manifest: ManifestWriter


class Singles:
    """Makes the manifests of single artifacts from the entries of the whole tree."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.wanted = {os.fsencode(path): path for path in paths}
        self._open: list[_Open] = []
        self._found: dict[str, Artifact] = {}

    def see(self, entry: Entry, line: bytes) -> None:
        name = entry.name
        while self._open and not name.startswith(self._open[-1].inside):
            self._close()
        wanted = self.wanted.get(name)
        if wanted is not None:
            self._open.append(_Open(wanted, entry.kind, name + b"/", name.rfind(b"/") + 1, ManifestWriter()))
        for single in self._open:
            single.manifest.add(entry._replace(name=name[single.cut :]).line() if single.cut else line)

    def _close(self) -> None:
        single = self._open.pop()
        self._found[single.path] = Artifact(single.kind, single.manifest.finish())

    def finish(self, root: Path | str) -> Mapping[str, Artifact]:
        while self._open:
            self._close()
        for path in self.wanted.values():
            if path not in self._found:
                raise StoreError(
                    f"there is no artifact {printable(path)!r} in this directory", where=printable(os.fsdecode(root)),
                    hint="what is reached through a link is not in the directory", path=path,
                )  # fmt: skip
        return self._found


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
