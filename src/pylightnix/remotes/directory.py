"""A directory as a backend, such as one on a stick or a network file system: a file for each name."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from pylightnix.clock import now
from pylightnix.errors import DamageError, RemoteError
from pylightnix.names import printable
from pylightnix.remotes.backend import check_name, check_prefix, is_name
from pylightnix.store import changes
from pylightnix.store.files import NewFile, open_plain
from pylightnix.store.unfinished import is_abandoned, sync_name, unique

_UNFINISHED = ".new-"
"""Begins the name of a file that is being written. No name in a remote begins with a dot."""


class Directory:
    """A directory; made when something is put there.

    Args:
        path: of it.
    """

    lists = True
    writes = True

    def __init__(self, path: str) -> None:
        self.url = printable(path)
        self._root = os.path.abspath(os.path.expanduser(path))
        self._swept = False

    def get(self, name: str, most: int) -> bytes | None:
        with self._telling(name):
            try:
                file = open_plain(self._path(name))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
            with file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise DamageError("it is no regular file", where=f"{self.url}/{name}")
                if status.st_size > most:
                    raise RemoteError(
                        f"{name} has {status.st_size} bytes, and {most} are the most that it may have", where=self.url,
                        hint="somebody else has written it; push it there anew, with --again",
                    )  # fmt: skip
                return file.read(most)

    def put(self, name: str, data: bytes) -> None:
        path = self._path(name)
        above = os.path.dirname(path)
        with self._telling(name):
            new = changes.make_directories(above)
            beside = f"{above}/{_UNFINISHED}{unique()}"
            try:
                with NewFile(beside, 0o644) as file:
                    file.write(data)
                    file.sync()
                changes.replace(beside, path)
                changes.sync_directory(above)
                for made in new:
                    sync_name(made)
            except BaseException:
                with contextlib.suppress(OSError):
                    changes.remove_file(beside)
                raise
            if not self._swept:
                self._swept = True
                self._sweep()

    def has(self, name: str) -> bool:
        with self._telling(name):
            try:
                return stat.S_ISREG(os.lstat(self._path(name)).st_mode)
            except (FileNotFoundError, NotADirectoryError):
                return False

    def names(self, prefix: str) -> Iterator[str]:
        check_prefix(prefix)
        above, _, begin = prefix.rpartition("/")
        with self._telling(prefix):
            yield from self._below(f"{above}/" if above else "", begin)

    def _below(self, above: str, begin: str) -> Iterator[str]:
        """Names in one directory and below; links to others are not followed."""
        if above and not _is_directory(f"{self._root}/{above}".rstrip("/")):
            return
        waiting = [above]
        while waiting:
            here = waiting.pop()
            try:
                found = list(os.scandir(f"{self._root}/{here}"))
            except (FileNotFoundError, NotADirectoryError):
                continue
            for one in found:
                name = f"{here}{one.name}"
                if (here == above and not one.name.startswith(begin)) or not is_name(name):
                    continue
                if one.is_dir(follow_symlinks=False):
                    waiting.append(f"{name}/")
                elif one.is_file(follow_symlinks=False):
                    yield name

    def remove(self, name: str) -> None:
        with self._telling(name), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            changes.remove_file(self._path(name))

    def close(self) -> None:
        """Nothing: no file is open."""

    def _path(self, name: str) -> str:
        return f"{self._root}/{check_name(name)}"

    def _sweep(self) -> None:
        """Remove what nobody writes any more: whoever did so was killed. Of other machines that shows after a day."""
        for here, _, files in os.walk(self._root):
            for one in files:
                if one.startswith(_UNFINISHED):
                    with contextlib.suppress(OSError):
                        since = now() - os.lstat(f"{here}/{one}").st_mtime
                        if is_abandoned(one.removeprefix(_UNFINISHED), since):
                            changes.remove_file(f"{here}/{one}")

    @contextlib.contextmanager
    def _telling(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RemoteError(
                f"{name}: {error.strerror or error}", where=self.url, errno=error.errno,
                hint="look at its rights, and whether there is room; then do it again: it goes on",
            ) from error  # fmt: skip


def _is_directory(path: str) -> bool:
    """Whether a directory is there, and no link to one; OSError where that cannot be seen: it may well be there."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
