"""A directory on another machine as a backend, over ssh: a file for each name.

The protocol knows no fsync, so what was put survives a loss of power there as the server's own file system sees fit.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from typing import Any

from pylightnix.errors import DamageError, RemoteError
from pylightnix.names import printable
from pylightnix.remotes.backend import check_name, check_prefix, is_name
from pylightnix.remotes.ssh import Connection
from pylightnix.remotes.ssh_login import Target
from pylightnix.store.unfinished import is_abandoned, unique

_UNFINISHED = ".new"
"""The directory in which files are written, so that one look finds what a killed writer left."""

_CHUNK = 1 << 18


class Sftp:
    """A directory on another machine; made when something is put there.

    Args:
        url: `sftp://user@host:port/path`; `/~/path` begins in the home directory there.

    Raises:
        RemoteError: it is no such address, or paramiko is not installed.
    """

    lists = True
    writes = True

    def __init__(self, url: str) -> None:
        target = Target.parse(url)
        self.url = target.url
        self._root = target.path
        self._connection = Connection(target)
        self._swept = False

    def get(self, name: str, most: int) -> bytes | None:
        path = self._path(name)
        with self._asking(name) as channel:
            kind = _kind(channel, path)
            if kind in (None, stat.S_IFDIR):
                return None
            if kind != stat.S_IFREG:
                raise DamageError("it is no regular file", where=f"{self.url}/{name}")
            try:
                file = channel.open(path, "rb")
            except FileNotFoundError:
                return None
            with file:
                return self._read(file, name, most)

    def put(self, name: str, data: bytes) -> None:
        path = self._path(name)
        beside = f"{self._root}/{_UNFINISHED}/{_UNFINISHED}-{unique()}"
        with self._asking(name) as channel:
            now = self._write(channel, beside, data)
            try:
                _replace(channel, beside, path)
            except OSError:
                with contextlib.suppress(OSError):
                    channel.remove(beside)
                raise
            if not self._swept:
                self._swept = True
                self._sweep(channel, now)

    def has(self, name: str) -> bool:
        path = self._path(name)
        with self._asking(name) as channel:
            return _kind(channel, path) == stat.S_IFREG

    def names(self, prefix: str) -> Iterator[str]:
        check_prefix(prefix)
        above, _, begin = prefix.rpartition("/")
        waiting = [f"{above}/" if above else ""]
        while waiting:
            here = waiting.pop()
            for last, kind in self._listed(here, prefix):
                name = f"{here}{last}"
                if not last.startswith(begin) or not is_name(name):
                    continue
                if kind == stat.S_IFDIR:
                    waiting.append(f"{name}/")
                elif kind == stat.S_IFREG:
                    yield name
            begin = ""

    def remove(self, name: str) -> None:
        path = self._path(name)
        with self._asking(name) as channel, contextlib.suppress(FileNotFoundError):
            channel.remove(path)

    def close(self) -> None:
        self._connection.close()

    def _path(self, name: str) -> str:
        return f"{self._root}/{check_name(name)}"

    def _listed(self, here: str, prefix: str) -> list[tuple[str, int]]:
        """Names in one directory, and what they are; links are links."""
        with self._asking(prefix) as channel:
            try:
                if here and _kind(channel, f"{self._root}/{here}".rstrip("/")) != stat.S_IFDIR:
                    return []
                found = channel.listdir_attr(f"{self._root}/{here}")
            except FileNotFoundError:
                return []
        return [(one.filename, stat.S_IFMT(one.st_mode or 0)) for one in found]

    def _read(self, file: Any, name: str, most: int) -> bytes:
        size = file.stat().st_size
        if size is None or size > most:
            raise RemoteError(
                f"{name} has {size} bytes, and {most} are the most that it may have", where=self.url,
                hint="somebody else has written it; push it there anew, with --again",
            )  # fmt: skip
        file.prefetch(size)  # asks for all at once: with a limit, the library sleeps between
        parts, came = [], 0
        while came < size and (data := file.read(min(_CHUNK, size - came))):
            parts.append(data)
            came += len(data)
        if came < size:
            raise self._unfinished(f"{name} broke off after {came} of {size} bytes")
        return b"".join(parts)

    def _write(self, channel: Any, path: str, data: bytes) -> float:
        """Write a new file; the time there is given."""
        try:
            try:
                file = channel.open(path, "wbx")
            except FileNotFoundError:
                _make_directories(channel, path.rpartition("/")[0])
                file = channel.open(path, "wbx")
            with file:
                # The library tells what the server says of requests under way only at one that waits for its answer.
                file.set_pipelined(True)
                file.write(data[:-1])
                file.set_pipelined(False)
                file.write(data[-1:])
                status = file.stat()
        except OSError:
            with contextlib.suppress(OSError):
                channel.remove(path)
            raise
        if status.st_size != len(data):
            raise self._unfinished(f"{status.st_size} of {len(data)} bytes were written")
        return float(status.st_mtime or 0)

    def _sweep(self, channel: Any, now: float) -> None:
        """Remove what nobody writes any more, by the clock there: whoever did so was killed."""
        with contextlib.suppress(OSError):
            for one in channel.listdir_attr(f"{self._root}/{_UNFINISHED}"):
                end = one.filename.removeprefix(f"{_UNFINISHED}-")
                if end != one.filename and is_abandoned(end, now - (one.st_mtime or now)):
                    channel.remove(f"{self._root}/{_UNFINISHED}/{one.filename}")

    def _unfinished(self, what: str) -> RemoteError:
        return RemoteError(what, where=self.url, hint="do it again: it goes on", again=True)

    @contextlib.contextmanager
    def _asking(self, name: str) -> Iterator[Any]:
        """A channel; what the server refuses is told."""
        try:
            with self._connection.channel() as channel:
                yield channel
        except OSError as error:
            about = printable(str(error.strerror or error))[:300] or "refused"
            raise RemoteError(
                f"{name}: {about}".removeprefix(": "), where=self.url, errno=error.errno,
                hint="look at its rights, and whether there is room there; then do it again: it goes on",
            ) from error  # fmt: skip


def _kind(channel: Any, path: str) -> int | None:
    """Which kind of thing this is, a link being a link; None if it is not there."""
    try:
        return stat.S_IFMT(channel.lstat(path).st_mode or 0)
    except FileNotFoundError:
        return None


def _replace(channel: Any, old: str, new: str) -> None:
    try:
        channel.posix_rename(old, new)
    except FileNotFoundError:
        _make_directories(channel, new.rpartition("/")[0])
        channel.posix_rename(old, new)


def _make_directories(channel: Any, path: str) -> None:
    """Make a directory and those above it, also where others do so too."""
    missing = []
    while path and not _is_directory(channel, path):
        missing.append(path)
        path = path.rpartition("/")[0]
    for one in reversed(missing):
        try:
            channel.mkdir(one)
        except OSError:
            if not _is_directory(channel, one):
                raise


def _is_directory(channel: Any, path: str) -> bool:
    try:
        return stat.S_ISDIR(channel.stat(path).st_mode or 0)
    except FileNotFoundError:
        return False
