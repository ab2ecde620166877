"""The gate between those who choose realizations and those who collect them. Unaware of what is kept, and why.

Who chooses passes it shared with others, and says before it leaves what it keeps. Who collects closes it, for each
realization anew, around {look what is kept; move it away}. So nothing that somebody has just seen can be moved away
unseen. The file of the gate has a byte for each root that was set: if there are no more than at the last look, that
look still holds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator

from pylightnix.errors import CollectionError, StoreError
from pylightnix.names import printable
from pylightnix.store import changes
from pylightnix.store.awaiting import Awaited
from pylightnix.store.collection.spare import spared
from pylightnix.store.layout import FULL, writing
from pylightnix.store.locks import UNSUPPORTED, Lock, take

_NOBODY_COLLECTS = (errno.ENOENT, errno.EROFS, errno.EACCES, errno.EPERM, *UNSUPPORTED)
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


_kept_open: dict[str, tuple[int, OSError]] = {}
"""Gates in which this process stays since it cannot note what it holds: its number, and why it cannot."""


class Gate:
    """The gate of one store.

    Args:
        directory: its `locks/`.
    """

    def __init__(self, directory: str) -> None:
        self.path = f"{directory}/collect.lock"
        self._directory = directory
        self._at_hand = False
        self._lock: Lock | None = None
        self.waiting = Awaited(self.path, directory)
        """Who waits long before it is told for whom, once."""

    def enter(self) -> Lock | None:
        """Pass it, shared with others, until the lock is given back.

        Returns:
            None where there is no store yet, or one that can neither be written nor locked: nobody collects there.

        Raises:
            StoreError: the system refuses for another reason.
        """
        with writing(self.path):
            try:
                return take(self.path, exclusive=False, waiting=self.waiting)
            except OSError as error:
                if error.errno not in _NOBODY_COLLECTS:
                    raise
                return None

    def opens(self, seconds: float = 1.0) -> bool:
        """Whether somebody could pass within so many seconds; also where that cannot be told."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError):
                lock = take(self.path, exclusive=False, wait=False, make=False)
                if lock is None and time.monotonic() < end:
                    time.sleep(0.02)
                    continue
                if lock is None:
                    return False
                lock.release()
            return True

    def stay(self, why: OSError) -> None:
        """Whoever has passed stays inside until `go`: this process can close it no more, and is told why."""
        _kept_open[self.path] = os.getpid(), why

    def go(self) -> None:
        """Nobody stays inside any more."""
        _kept_open.pop(self.path, None)

    def turn(self) -> None:
        """Note that a root will be set; to be called inside, before it is."""
        handle = changes.open_new(self.path, _APPEND, 0o666)
        try:
            changes.write(handle, b".")
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def at_hand(self) -> Iterator[None]:
        """Who closes it many times inside of this opens its file only once; for one thread."""
        self._at_hand = True
        try:
            yield
        finally:
            self._at_hand = False
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    @contextlib.contextmanager
    def closed(self) -> Iterator[int]:
        """Let nobody pass; gives how many roots were set so far.

        Raises:
            CollectionError: locks do not work here.
            StoreError: the disk is too full for the file of the gate.
            OSError: that file cannot be made for another reason, or this process stays inside.
        """
        process, why = _kept_open.get(self.path, (0, None))
        if why is not None and process == os.getpid():
            raise OSError(why.errno, why.strerror) from why
        lock = self._lock
        if lock is None or not lock.resume(exclusive=True, waiting=self.waiting):
            lock = self._take()
        self._lock = None
        try:
            yield lock.size()
        finally:
            if self._at_hand:
                lock.pause()
                self._lock = lock
            else:
                lock.release()

    def _take(self) -> Lock:
        spare = spared(os.path.dirname(self._directory))
        while True:
            try:
                lock = self._make_and_take()
            except OSError as error:
                if error.errno in UNSUPPORTED:
                    raise _no_locks(self._directory, error.strerror or str(error)) from error
                if error.errno not in FULL:
                    raise
                if next(spare, None) is None:
                    raise _no_room(self.path, error) from error
            else:
                assert lock is not None, "BUG: a lock that was waited for"
                return lock

    def _make_and_take(self) -> Lock | None:
        try:
            return take(self.path, waiting=self.waiting)
        except FileNotFoundError:
            changes.make_directories(self._directory)
            return take(self.path, waiting=self.waiting)

    def test(self) -> None:
        """See that it closes.

        Raises:
            CollectionError: it does not.
        """
        with self.closed():
            second = take(self.path, exclusive=False, wait=False)
            if second is not None:
                second.release()
                raise _no_locks(self._directory, "a lock that somebody has is given to another one too")


def _no_room(path: str, error: OSError) -> StoreError:
    return StoreError(
        f"the disk is too full for the file of a lock: {error.strerror}", where=printable(path), errno=error.errno,
        hint="nothing was collected; remove any one file from this disk, and collect again",
    )  # fmt: skip


def _no_locks(directory: str, what: str) -> CollectionError:
    return CollectionError(
        f"locks do not work here ({what}), so what others use at this moment cannot be told",
        where=printable(directory), hint="put the store on a file system that has locks",
    )  # fmt: skip
