"""Walks and seals a tree by descriptors: never through a link, never what has a name elsewhere too. Unaware of hashes.

Sealed means read-only. Nobody may read an artifact who may not read the top directory of its tree, which was made
under the umask.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Literal

from pylightnix.errors import StoreError
from pylightnix.names import printable
from pylightnix.store import changes
from pylightnix.store.files import DIRECTORY, NO_LINK, write_all

_FILE = os.O_RDONLY | NO_LINK | getattr(os, "O_NONBLOCK", 0)
_OWNER = 0o700
_NO_MODES = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_CHUNK = 1 << 20

Kind = Literal["file", "directory", "link", "special", "left"]
"""What a step of a walk is about; "left" is a directory again, after all that was in it."""


class Walk:
    """One way through a tree, depth first, siblings in byte order of their names.

    A step is (kind, relative path, name in the directory `fd`), as bytes. Only the current directory is open, and the
    way up is its "..", so depth costs no descriptors and no path is too long for the system.

    Args:
        root: the top directory.
        seal: whether to seal directories as they are left, all but the top one, and files by `open_file`.
        unlock: the rights to directories that their owner, us, gets where they are missing; `seal` gives all.

    Raises:
        StoreError: while iterating, if a directory cannot be read or is moved.
    """

    def __init__(self, root: Path | str, *, seal: bool = False, unlock: int = 0) -> None:
        self.fd = -1
        self.rights: int | None = None
        self._root = os.fsencode(root)
        self._seal = seal
        self._unlock = _OWNER if seal else unlock
        self._prefix = b""
        self._above: list[tuple[bytes, os.stat_result, Iterator[tuple[bytes, Kind]]]] = []

    def where(self, path: bytes) -> bytes:
        """A relative path as one that people can use."""
        return os.path.join(self._root, path)

    def steps(self) -> Generator[tuple[Kind, bytes, bytes], None, None]:
        """Go; the generator must be closed if it is not exhausted."""
        name = b""
        try:
            self.fd, self._status = open_directory(self._root, None, self._unlock)
            if self._seal:
                self.rights = reading_rights(self._status)
            entries = iter(_list(self.fd))
            while True:
                for name, kind in entries:
                    yield kind, self._prefix + name, name
                    if kind == "directory":
                        entries = self._enter(name, entries)
                        break
                else:
                    name = b""
                    if not self._above:
                        return
                    name, entries = self._leave()
                    yield "left", self._prefix + name, name
        except OSError as error:
            raise failed(self.where(self._prefix + name), error) from error
        finally:
            if self.fd >= 0:
                os.close(self.fd)

    def let_change(self) -> bool:
        """Give us all rights to the current directory; whether one was missing."""
        mode = stat.S_IMODE(os.fstat(self.fd).st_mode)
        if mode & _OWNER == _OWNER:
            return False
        changes.set_mode_of(self.fd, mode | _OWNER)
        return True

    def _enter(self, name: bytes, entries: Iterator[tuple[bytes, Kind]]) -> Iterator[tuple[bytes, Kind]]:
        fd, status = open_directory(name, self.fd, self._unlock)
        self._above.append((name, self._status, entries))
        os.close(self.fd)
        self.fd, self._status = fd, status
        inner = _list(fd)
        self._prefix += name + b"/"
        return iter(inner)

    def _leave(self) -> tuple[bytes, Iterator[tuple[bytes, Kind]]]:
        if self.rights is not None:
            _change_mode(self.fd, self._status, self.rights)
        name, status, entries = self._above.pop()
        fd, found = open_directory(b"..", self.fd)
        os.close(self.fd)
        self.fd, self._status = fd, status
        if not os.path.samestat(found, status):
            raise StoreError("the directory was moved while it was read", where=printable(os.fsdecode(self._root)))
        self._prefix = self._prefix[: -len(name) - 1]
        return name, entries


def _list(fd: int) -> list[tuple[bytes, Kind]]:
    with os.scandir(fd) as entries:
        return sorted([(os.fsencode(entry.name), _kind(entry)) for entry in entries])


def _kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_file(follow_symlinks=False):
        return "file"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    return "link" if entry.is_symlink() else "special"


def failed(path: bytes | str | os.PathLike[str], error: OSError) -> StoreError:
    """The error for a place in a tree where the system refused something."""
    what = "this is no directory, or a link to one" if error.errno == errno.ENOTDIR else error.strerror
    return StoreError(what or str(error), where=printable(os.fsdecode(path)), errno=error.errno)


def reading_rights(top: os.stat_result) -> int:
    """The rights that sealed artifacts may have at most; its owner can always read them."""
    return top.st_mode & 0o555 | 0o500


def seal_top(path: Path | str) -> None:
    """Seal a tree's top directory. The last thing to do to it: an ordinary user cannot move it afterwards.

    Raises:
        StoreError: it is no directory, or not ours.
    """
    try:
        fd, status = open_directory(path)
        try:
            _change_mode(fd, status, reading_rights(status))
        finally:
            os.close(fd)
    except OSError as error:
        raise failed(path, error) from error


def let_move(path: Path | str) -> None:
    """Give us the rights without which the system moves no directory into another one. OSError as it comes."""
    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode) and not mode & stat.S_IWUSR:
        changes.set_mode(path, stat.S_IMODE(mode) | stat.S_IRWXU)


def _change_mode(fd: int, status: os.stat_result, mode: int) -> None:
    if stat.S_IMODE(status.st_mode) != mode:
        try:
            changes.set_mode_of(fd, mode)
        except OSError as error:
            if error.errno not in _NO_MODES:
                raise


def open_directory(name: bytes | str | Path, above: int | None = None, unlock: int = 0) -> tuple[int, os.stat_result]:
    """Open a directory that is no link; OSError if it is something else.

    Args:
        name: its path, or its name in the directory `above`.
        above: a descriptor.
        unlock: the rights that its owner, us, must have: gets all if one of these is missing.
    """
    fd = _open(name, DIRECTORY, above, bool(unlock))
    try:
        status = os.fstat(fd)
        if status.st_mode & unlock != unlock:
            changes.set_mode_of(fd, stat.S_IMODE(status.st_mode) | _OWNER)
            status = os.fstat(fd)
    except BaseException:
        os.close(fd)
        raise
    return fd, status


def open_file(name: bytes, above: int, rights: int | None) -> tuple[int, os.stat_result]:
    """Open a regular file for reading; the status tells whether it was executable.

    Args:
        name: its name in the directory `above`.
        above: a descriptor.
        rights: what sealed artifacts may have at most: the file is sealed, and copied first if it has another name
            somewhere; None changes nothing.

    Raises:
        StoreError: it is something that is not kept: a fifo, socket or device.
        OSError: the system refused.
    """
    fd = _open(name, _FILE, above, rights is not None)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise special()
        if rights is not None:
            if status.st_nlink > 1:
                fd = _make_ours(name, above, fd, status)
            mode = 0o555 if status.st_mode & stat.S_IXUSR else 0o444
            _change_mode(fd, status, mode & rights)
    except BaseException:
        os.close(fd)
        raise
    return fd, status


def is_sealed(status: os.stat_result, rights: int, *, executable: bool) -> bool:
    """Whether `open_file` would leave a file as it is, where these are the rights; and it is executable, or is not."""
    mode = (0o555 if executable else 0o444) & rights
    return status.st_mode == stat.S_IFREG | mode and status.st_nlink == 1


def special() -> StoreError:
    """The error for what is neither file nor directory nor link."""
    return StoreError(
        "a fifo, socket or device is no artifact", hint="the builder must remove it, or make it outside of build.out"
    )


def _open(name: bytes | str | Path, flags: int, above: int | None, unlock: bool) -> int:
    try:
        return os.open(name, flags, dir_fd=above)
    except PermissionError:
        if not unlock:
            raise
        let_owner_read(name, above, _OWNER)
        return os.open(name, flags, dir_fd=above)


def let_owner_read(name: bytes | str | Path, above: int | None, directories: int) -> None:
    """Give the owner the right to open something, unless that changed a file that others know by another name.

    Args:
        name: its path, or its name in the directory `above`.
        above: a descriptor.
        directories: the rights that the owner gets if it is a directory.

    Raises:
        OSError: the system refused, or it must not be changed.
    """
    status = os.stat(name, dir_fd=above, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode) and (status.st_nlink > 1 or not stat.S_ISREG(status.st_mode)):
        raise PermissionError(errno.EACCES, "cannot be read, and must not be changed: it has a name elsewhere too")
    mode = stat.S_IMODE(status.st_mode) | (directories if stat.S_ISDIR(status.st_mode) else stat.S_IRUSR)
    if not hasattr(os, "O_PATH"):
        changes.set_mode(name, mode, above=above, follow=False)
        return
    fd = os.open(name, os.O_PATH | NO_LINK, dir_fd=above)  # fchmod refuses it, its name in /proc does not
    try:
        if os.path.samestat(os.fstat(fd), status):
            changes.set_mode(f"/proc/self/fd/{fd}", mode)
    finally:
        os.close(fd)


def _make_ours(name: bytes, above: int, fd: int, status: os.stat_result) -> int:
    """Put a copy in the place of a file that has other names too; returns its descriptor and closes the other one."""
    unique = f".{os.urandom(12).hex()}"
    copy = changes.open_new(unique, os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_LINK, 0o600, above=above)
    try:
        copy_content(fd, copy)
        changes.set_mode_of(copy, status.st_mode & 0o777)
        os.lseek(copy, 0, os.SEEK_SET)
        changes.replace(unique, name, above=above)
    except BaseException:
        os.close(copy)
        with contextlib.suppress(OSError):
            changes.remove_file(unique, above=above)
        raise
    os.close(fd)
    return copy


def copy_content(source: int, target: int) -> None:
    """Copy what is in one open file into another one, which is empty; OSError as it comes."""
    if hasattr(os, "copy_file_range"):
        # Shares the blocks where the file system can. Where it stops, or cannot, the loop below goes on.
        with contextlib.suppress(OSError):
            while changes.copy_range(source, target, 1 << 30):
                pass
    while data := os.read(source, _CHUNK):
        write_all(target, data)
