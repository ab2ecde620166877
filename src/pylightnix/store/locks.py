"""Locks on files: they end with their holder, however it ends, and no clock ever takes one away. Unaware of uses.

By `flock`, which belongs to an open file: so two threads exclude each other as two processes do, and the system gives
the lock back when the process is gone. Three things have to be added. A forked child has the same open file, and would
keep the lock of a dead parent: it closes its copies. A file can be removed or replaced between opening and locking it:
so the path is looked at again afterwards. And a lock is given back expressly, not by closing the file alone, because a
child that is about to start another program may have a copy for a moment more.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pylightnix.names import printable
from pylightnix.store import changes
from pylightnix.store.files import InTheWayError, fresh_id, kind_of, write_all

if TYPE_CHECKING:
    from filelock import BaseFileLock

_EXTRA = sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
_EXCLUSIVE, _SHARED, _NO_WAIT, _BACK = 2, 1, 4, 8  # of flock, the same on all systems that have it
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
UNSUPPORTED = tuple(
    getattr(errno, name) for name in ("ENOTSUP", "EOPNOTSUPP", "ENOLCK", "ENOSYS") if hasattr(errno, name)
)
"""Error numbers of a file system, or of a system, that has no locks."""


Waiting = Callable[[], contextlib.AbstractContextManager[object]]
"""Gives the time in which a lock is waited for: it is entered where others have the lock, left when that is over."""

_UNSEEN: Waiting = contextlib.nullcontext


class LocksWarning(UserWarning):
    """Locks do not work where a store is: results stay correct, but the same work may be done twice."""


class Lock:
    """A lock that is held, until `release` or until this process ends; `take` is how to get one.

    Attributes:
        path: the file.
    """

    __slots__ = ("_fork", "_handle", "path")

    def __init__(self, path: str, handle: int) -> None:
        self.path = path
        self._handle = handle
        self._fork = _forks

    @property
    def is_ours(self) -> bool:
        """Whether this process holds it: it was not given back, and this is no forked child."""
        return self._handle >= 0 and self._fork == _forks

    def release(self, *, remove: bool = False) -> None:
        """Give the lock back; nothing happens the second time, or in a forked child.

        Args:
            remove: whether to remove the file before; whoever waits for it will notice.
        """
        ours = self.is_ours
        handle, self._handle = self._handle, -1
        if not ours:
            return
        try:
            if remove:
                with contextlib.suppress(OSError):
                    changes.remove_file(self.path)
            with contextlib.suppress(OSError):
                changes.lock(handle, _BACK)
        finally:
            _close(handle)

    def pause(self) -> None:
        """Give the lock back, and keep the file at hand for `resume`, if the system lets us."""
        try:
            changes.lock(self._handle, _BACK)
        except OSError:
            self.release()
        except BaseException:  # interrupted: nobody knows that it is held
            self.release()
            raise

    def resume(self, *, exclusive: bool = False, waiting: Waiting = _UNSEEN) -> bool:
        """Take it again, as `take` would; False, and it is released, if the file was removed or is not ours."""
        if not self.is_ours:
            return False
        try:
            _wait_for(self._handle, _EXCLUSIVE if exclusive else _SHARED, waiting)
            if os.fstat(self._handle).st_nlink:
                return True
        except OSError:
            pass
        self.release()
        return False

    def size(self) -> int:
        """How many bytes the file has."""
        return os.fstat(self._handle).st_size

    def append(self, data: bytes) -> bool:
        """Write to the end of the file, in which nobody else writes; False if it was removed meanwhile."""
        if not os.fstat(self._handle).st_nlink:
            return False
        write_all(self._handle, data)
        return True


class _Elsewhere(Lock):
    """A lock on a system without flock."""

    __slots__ = ("_lock",)

    def __init__(self, path: str, lock: BaseFileLock) -> None:
        super().__init__(path, -1)
        self._lock = lock

    def pause(self) -> None:
        self._lock.release()

    def resume(self, *, exclusive: bool = False, waiting: Waiting = _UNSEEN) -> bool:
        with waiting():
            self._lock.acquire()
        return True

    def size(self) -> int:
        return os.stat(self.path).st_size

    def append(self, data: bytes) -> bool:
        handle = changes.open_new(self.path, os.O_WRONLY | os.O_APPEND, 0o664)
        try:
            write_all(handle, data)
        finally:
            os.close(handle)
        return True

    def release(self, *, remove: bool = False) -> None:
        """Give it back; there an open file cannot be removed, so that comes after."""
        self._lock.release()
        if remove:
            with contextlib.suppress(OSError):
                changes.remove_file(self.path)


def take(
    path: str, *, exclusive: bool = True, wait: bool = True, make: bool = True, waiting: Waiting = _UNSEEN
) -> Lock | None:
    """Take the lock of a file.

    Args:
        path: the file; nothing is read from it or written into it.
        exclusive: for one holder; else for many that are not exclusive (one, on a system without flock).
        wait: until it can be had, interruptibly; else None is given if others have it.
        make: whether to make the file where it is not there.
        waiting: is entered while it is waited for.

    Raises:
        OSError: as the system gives it; FileNotFoundError without `make`; one of `UNSUPPORTED` where no locks are.
    """
    if not hasattr(os, "fork"):
        with waiting():
            return _take_elsewhere(path, wait=wait, make=make)
    operation = (_EXCLUSIVE if exclusive else _SHARED) | (0 if wait else _NO_WAIT)
    while True:
        handle = _open(path, os.O_CREAT if make else 0)
        try:
            _wait_for(handle, operation, waiting)
            same = _is_at(handle, path)
        except BlockingIOError:
            _close(handle)
            return None
        except BaseException:
            _close(handle)
            raise
        if same:
            return Lock(path, handle)
        _close(handle)


def _wait_for(handle: int, operation: int, waiting: Waiting) -> None:
    """`changes.lock`; where somebody wants to see the waiting, there is a try before that does not wait."""
    if waiting is not _UNSEEN and not operation & _NO_WAIT:
        try:
            changes.lock(handle, operation | _NO_WAIT)
        except BlockingIOError:
            pass
        else:
            return
    with waiting():
        changes.lock(handle, operation)


def create(path: str) -> Lock:
    """Make a file and lock it; FileExistsError if it is there. Who sees it in between may remove it as a dead one."""
    if not hasattr(os, "fork"):
        os.close(changes.open_new(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o664))
        return _take_elsewhere(path, wait=True, make=True) or Lock(path, -1)
    while True:
        handle = _open(path, os.O_CREAT | os.O_EXCL)
        try:
            changes.lock(handle, _EXCLUSIVE)
        except BaseException:
            with contextlib.suppress(OSError):
                changes.remove_file(path)
            _close(handle)
            raise
        if os.fstat(handle).st_nlink:
            return Lock(path, handle)
        _close(handle)


def remove_if_free(path: str) -> bool:
    """Remove the file of a lock that nobody holds, and so that nobody can hold it meanwhile; whether it was removed.

    Raises:
        OSError: as the system gives it.
    """
    try:
        lock = take(path, wait=False, make=False)
    except FileNotFoundError:
        return False
    if lock is None:
        return False
    lock.release(remove=True)
    return True


def is_free(path: str) -> bool:
    """Whether nobody holds the lock of a file: it is not there, or its holder is gone."""
    try:
        lock = take(path, exclusive=False, wait=False, make=False)
    except FileNotFoundError:
        return True
    if lock is not None:
        lock.release()
    return lock is not None


@contextlib.contextmanager
def held(path: str, *, exclusive: bool = True, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a file; gives whether it is held, which it may not be without `wait`. Raises as `take`."""
    lock = take(path, exclusive=exclusive, wait=wait)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.release()


def self_test(directory: str) -> str | None:
    """Try whether locks work in a directory; None if they do, else what is wrong. It leaves nothing.

    What cannot be seen from one machine is not tried: whether machines that share a network file system see each
    other's locks.
    """
    path = f"{directory}/{fresh_id()}.test"
    try:
        first = create(path)
    except OSError as error:
        return f"no lock can be taken in {printable(directory)}: {error.strerror or error}"
    try:
        return _try_second(path, first)
    except OSError as error:
        return f"no second lock can be tried in {printable(directory)}: {error.strerror or error}"
    finally:
        first.release()
        with contextlib.suppress(OSError):
            changes.remove_file(path)


def _try_second(path: str, first: Lock) -> str | None:
    second = take(path, wait=False)
    if second is not None:
        second.release()
        return "a lock that somebody has is given to another one too"
    first.release()
    second = take(path, wait=False)
    if second is None:
        return "a lock that was given back cannot be had again"
    second.release()
    return None


def warn_of_locks(where: str, what: str) -> None:
    """Tell that locks do not work in a store."""
    warnings.warn(
        f"{printable(where)}: locks do not work here ({what}); what others make meanwhile may be made twice",
        category=LocksWarning,
        stacklevel=3,
    )


# Every descriptor of a lock, and a gate that no fork passes while one is being opened: the child of a fork closes them.

_forks = 0
_descriptors: set[int] = set()
_gate = threading.RLock()


def _open(path: str, flags: int) -> int:
    try:
        handle = changes.open_noted(path, os.O_RDWR | flags | _EXTRA, 0o664, _gate, _descriptors)
    except OSError as error:
        if flags & os.O_EXCL:
            raise
        if (problem := misplaced(path)) is not None:
            raise problem from error
        if error.errno not in _NOT_WRITABLE:
            raise
        handle = _open_for_reading(path, error)
    if not flags & os.O_EXCL and not stat.S_ISREG(os.fstat(handle).st_mode):
        _close(handle)
        raise misplaced(path) or OSError(errno.EPERM, "this is no regular file", path)
    return handle


def misplaced(path: str) -> InTheWayError | None:
    """What is wrong if in the place of the file of a lock, or of its directory, there is something else."""
    for place, kind in ((os.path.dirname(path), "directory"), (path, "file")):
        found = kind_of(place)
        if found not in ("", kind):
            return InTheWayError(place, f"in the place of a {kind} of locks there is a {found}")
    return None


def _open_for_reading(path: str, error: OSError) -> int:
    """Open what cannot be written: somebody else's file, or one of a read-only store."""
    with _gate:
        try:
            handle = os.open(path, os.O_RDONLY | _EXTRA)
        except OSError:
            raise error from None
        _descriptors.add(handle)
    return handle


def _close(handle: int) -> None:
    with _gate:
        if handle in _descriptors:
            _descriptors.discard(handle)
            os.close(handle)


def _close_in_child() -> None:
    global _forks  # noqa: PLW0603
    _forks += 1
    for handle in _descriptors:
        with contextlib.suppress(OSError):
            os.close(handle)
    _descriptors.clear()
    _gate.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_gate.acquire, after_in_parent=_gate.release, after_in_child=_close_in_child)


def _is_at(handle: int, path: str) -> bool:
    """Whether an open file is still what its path leads to."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False


def _take_elsewhere(path: str, *, wait: bool, make: bool) -> Lock | None:
    from filelock import FileLock, Timeout

    if not make and not os.path.lexists(path):
        raise FileNotFoundError(errno.ENOENT, "no lock", path)
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(blocking=wait)
    except Timeout:
        return None
    return _Elsewhere(path, lock)
