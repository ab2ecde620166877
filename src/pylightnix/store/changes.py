"""Every change of a store's files, one function for each call of the system; nothing else in the store changes files.

So there is one place where each change can be seen: a test can record it, refuse it with an error of the system, or
kill the process just before it. Unaware of what the files mean.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from collections.abc import Callable, Iterator

with contextlib.suppress(ImportError):  # a system without it has no `lock` either
    import fcntl

Path = str | bytes | os.PathLike[str]
Observer = Callable[[str, tuple[object, ...]], None]
"""Is told the name of each change and its paths, just before it is made; what it raises is raised there."""

_CLONE = 0x40049409
"""FICLONE of Linux."""

_observer: Observer | None = None


@contextlib.contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Let somebody see each change of this process before it is made; for tests of what happens under fault."""
    global _observer  # noqa: PLW0603
    before, _observer = _observer, observer
    try:
        yield
    finally:
        _observer = before


_DIRECTORY = 0o775
"""Less the umask: whoever is in the group may be meant to write into a store, but never everybody."""


def make_directory(path: Path, mode: int = _DIRECTORY) -> None:
    """`os.mkdir`."""
    if _observer is not None:
        _observer("mkdir", (path,))
    os.mkdir(path, mode)


def make_directories(path: str, mode: int = _DIRECTORY) -> list[str]:
    """Make a directory and those above it, where they are not there yet; which were made, the topmost first."""
    made: list[str] = []
    try:
        make_directory(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return made
    except FileNotFoundError:
        made = make_directories(os.path.dirname(path), mode)
        try:
            make_directory(path, mode)
        except FileExistsError:
            return made
    return [*made, path]


def move(source: Path, target: Path) -> None:
    """`os.rename`, onto a name that is free; FileExistsError, or another OSError, where a full directory has it."""
    if _observer is not None:
        _observer("rename", (source, target))
    os.rename(source, target)


def replace(source: Path, target: Path, *, above: int | None = None) -> None:
    """`os.replace`: put a file under a name that another file may have; `above` is where both names stand."""
    if _observer is not None:
        _observer("rename", (source, target))
    os.replace(source, target, src_dir_fd=above, dst_dir_fd=above)


def remove_file(path: Path, *, above: int | None = None) -> None:
    """`os.unlink`; `above` is the descriptor of the directory in which the name stands."""
    if _observer is not None:
        _observer("unlink", (path,))
    os.unlink(path, dir_fd=above)


def remove_directory(path: Path, *, above: int | None = None) -> None:
    """`os.rmdir`; `above` is the descriptor of the directory in which the name stands."""
    if _observer is not None:
        _observer("rmdir", (path,))
    os.rmdir(path, dir_fd=above)


def set_mode(path: Path, mode: int, *, above: int | None = None, follow: bool = True) -> None:
    """`os.chmod`; `above` is the descriptor of the directory in which the name stands."""
    if _observer is not None:
        _observer("chmod", (path,))
    os.chmod(path, mode, dir_fd=above, follow_symlinks=follow)


def set_mode_of(handle: int, mode: int) -> None:
    """`os.fchmod` of what is open."""
    if _observer is not None:
        _observer("fchmod", (handle,))
    os.fchmod(handle, mode)


def open_new(path: Path, flags: int, mode: int, *, above: int | None = None) -> int:
    """`os.open` of a file that is made, or written to; returns the descriptor. `above` is where the name stands."""
    if _observer is not None:
        _observer("open", (path,))
    return os.open(path, flags, mode, dir_fd=above)


def shorten(handle: int, size: int) -> None:
    """`os.ftruncate`."""
    if _observer is not None:
        _observer("ftruncate", (handle,))
    os.ftruncate(handle, size)


def open_noted(
    path: Path, flags: int, mode: int, gate: contextlib.AbstractContextManager[object], noted: set[int]
) -> int:
    """As `open_new`, and the descriptor is noted before anybody can pass the gate."""
    if _observer is not None:
        _observer("open", (path,))
    with gate:
        handle = os.open(path, flags, mode)
        noted.add(handle)
    return handle


def write(handle: int, data: bytes | memoryview) -> int:
    """`os.write`: how many bytes were written."""
    if _observer is not None:
        _observer("write", (handle,))
    return os.write(handle, data)


def copy_range(source: int, target: int, most: int) -> int:
    """`os.copy_file_range`, where it is to be had: how many bytes were copied."""
    if _observer is not None:
        _observer("copy", (source, target))
    return os.copy_file_range(source, target, most)


def touch(path: Path) -> None:
    """`os.utime`: let the time of a file be now."""
    if _observer is not None:
        _observer("utime", (path,))
    os.utime(path)


def link_symbolically(target: Path, path: Path) -> None:
    """`os.symlink`: make a link at `path` that leads to `target`."""
    if _observer is not None:
        _observer("symlink", (target, path))
    os.symlink(target, path)


def link(source: Path, path: Path) -> None:
    """`os.link`: give a file one more name; FileExistsError if somebody has it."""
    if _observer is not None:
        _observer("link", (source, path))
    os.link(source, path)


def sync_file(handle: int) -> None:
    """`fsync`: the content of an open file outlasts a loss of power; its name may not, see `sync_directory`."""
    if _observer is not None:
        _observer("fsync", (handle,))
    os.fsync(handle)


def sync_directory(path: Path) -> None:
    """`fsync` of a directory: the names in it outlast a loss of power. Nothing where that is not to be had."""
    if _observer is not None:
        _observer("fsync", (path,))
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def sync_all(path: Path) -> None:
    """`syncfs`: what was changed so far in the file system that has this directory outlasts a loss of power.

    Where there is no such call, `os.sync`, which does so for every file system.
    """
    if _observer is not None:
        _observer("syncfs", (path,))
    call = _syncfs()
    if call is None:
        os.sync()
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        problem = call(handle)
        if problem:
            raise OSError(problem, os.strerror(problem), path)
    finally:
        os.close(handle)


@functools.cache
def _syncfs() -> Callable[[int], int] | None:
    """The system's call, which gives an error number; Python does not have it."""
    import ctypes  # takes milliseconds, and a warm realize writes nothing

    try:
        found = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError, TypeError):
        return None
    return lambda handle: ctypes.get_errno() if found(handle) else 0


def clone(source: int, target: int) -> None:
    """Let an empty file have the blocks of another one, both open; OSError where the file system cannot."""
    if _observer is not None:
        _observer("clone", (source, target))
    fcntl.ioctl(target, _CLONE, source)


def lock(handle: int, operation: int) -> None:
    """`flock`: take a lock of an open file, or give it back; BlockingIOError if that would mean to wait."""
    if _observer is not None:
        _observer("flock", (handle, operation))
    fcntl.flock(handle, operation)
