"""What processes use at this moment: a locked file for each, with the realizations it holds. It ends with its process.

A process has one such file for each store, `locks/held/<host>@<id>.lock`, from the first realization that a realize
chooses until nobody has any of them in hand any more. Unaware of roots, and of why something was chosen.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pylightnix.errors import CollectionError, StoreError
from pylightnix.hashing import digest_bytes
from pylightnix.names import RealizationRef, printable
from pylightnix.store import changes
from pylightnix.store.claims import host_name
from pylightnix.store.collection.gate import Gate
from pylightnix.store.files import ID, fresh_id, read_small, write_once
from pylightnix.store.layout import Layout
from pylightnix.store.locks import Lock, create, is_free


class Holds:
    """What this process holds in one store.

    Args:
        layout: of the store.
    """

    def __init__(self, layout: Layout) -> None:
        self.gate = Gate(layout.locks)
        self._layout = layout
        self._mutex = threading.RLock()
        self._begin_anew()

    def __reduce__(self) -> tuple[object, ...]:
        return (Holds, (self._layout,))

    def _begin_anew(self) -> None:
        self.process = os.getpid()
        self._file: Lock | None = None
        self._passed: Lock | None = None
        self._inside = 0
        self._held: set[RealizationRef] = set()
        self._users = 0
        self.why = OSError(errno.EIO, os.strerror(errno.EIO))

    def begin(self) -> Holding:
        """Somebody who will hold something."""
        with self._mutex:
            if self.process != os.getpid():  # a forked child: what its parent holds is not its own
                self._begin_anew()
            self._users += 1
        return Holding(self, self._layout)

    def enter(self) -> bool:
        """Pass the gate, with others; False where there is none, see `Gate.enter`."""
        with self._mutex:
            if self._inside == 0 and (self._passed is None or not self._passed.resume(waiting=self.gate.waiting)):
                self._passed = self.gate.enter()
            if self._passed is None:
                return False
            self._inside += 1
            return True

    def leave(self) -> None:
        """Leave it; the file stays at hand for the next time."""
        with self._mutex:
            self._inside -= 1
            if self._inside == 0 and self._passed is not None:
                self._passed.pause()

    def note(self, refs: Iterable[RealizationRef]) -> bool:
        """Hold these too, inside the gate; False if that cannot be written down."""
        with self._mutex:
            new = [ref for ref in dict.fromkeys(refs) if ref not in self._held]
            if not new:
                return True
            try:
                self._write("".join(f"\n{ref}" for ref in new).encode() + b"\n")
            except OSError as error:  # not itself: its frames would keep in hand what is to be given back
                self.why = OSError(error.errno, error.strerror)
                return False
            except StoreError as error:
                self.why = OSError(error.fields.get("errno", errno.EIO), error.what)
                return False
            self._held.update(new)
        return True

    def _write(self, data: bytes) -> None:
        """A line begins anew each time, so what was cut off before spoils none."""
        if self._file is None or not self._file.append(data):  # none yet, or somebody has removed the store
            if not os.path.isdir(self._layout.locks):
                self._layout.ensure(again=True)
            directory = f"{self._layout.locks}/held"
            changes.make_directories(directory)
            self._file = create(f"{directory}/{host_name()}@{fresh_id()}.lock")
            self._file.append(data)

    def end(self, process: int) -> None:
        """One of those who began is ready; when nobody is left, the file goes."""
        with self._mutex:
            if process != os.getpid() or process != self.process:
                return
            self._users -= 1
            if self._users == 0:
                for lock, remove in ((self._file, True), (self._passed, False)):
                    if lock is not None:
                        lock.release(remove=remove)
                self._begin_anew()


class _Looking:
    """Inside the gate, if there is one. Every run needs some, and this costs a third of a generator."""

    __slots__ = ("_enter", "_entered", "_leave")

    def __init__(self, enter: Callable[[], bool], leave: Callable[[], None]) -> None:
        self._enter = enter
        self._leave = leave
        self._entered = False

    def __enter__(self) -> None:
        self._entered = self._enter()

    def __exit__(self, *_: object) -> None:
        if self._entered:
            self._leave()


class Holding:
    """Implements `model.holding.Holding`."""

    def __init__(self, holds: Holds, layout: Layout) -> None:
        self._holds = holds
        self._layout = layout
        self._process = holds.process
        self._added: list[RealizationRef] = []
        self._noted = 0
        self._stays = False
        self._over = False

    def looking(self) -> _Looking:
        """Where what is added cannot be written down, nothing is collected until the end instead."""
        return _Looking(self._holds.enter, self._leave)

    def _leave(self) -> None:
        stays = False
        try:
            if len(self._added) > self._noted:
                stays = not self._stays and not self._holds.note(self._added[self._noted :])
                self._noted = len(self._added)
        finally:
            if stays:
                self._stays = True
                self._holds.gate.stay(self._holds.why)
            else:
                self._holds.leave()

    def add(self, refs: Iterable[RealizationRef]) -> None:
        self._added.extend(refs)

    def release(self) -> None:
        if self._over:
            return
        self._over = True
        note_use(self._layout, self._added)
        if self._stays:
            self._holds.gate.go()
            self._holds.leave()
        self._holds.end(self._process)


def note_use(layout: Layout, refs: Iterable[RealizationRef]) -> None:
    """Note that these are used now: a file below `cache/` whose time says when, for each set of them."""
    data = "\n".join(sorted(set(refs))).encode()
    if not data:
        return
    path = f"{layout.cache}/used/{digest_bytes(data)[:16]}"
    with contextlib.suppress(OSError, StoreError):
        try:
            changes.touch(path)
        except FileNotFoundError:
            changes.make_directories(os.path.dirname(path))
            write_once(layout.tmp, path, data)
        except PermissionError:  # another user has used the same
            changes.remove_file(path)
            write_once(layout.tmp, path, data)


class Held(NamedTuple):
    """What living processes hold.

    Attributes:
        refs: the realizations.
        processes: the numbers of all processes that hold something.
        dead: the files of those that are gone.
    """

    refs: frozenset[str]
    processes: frozenset[int]
    dead: tuple[str, ...]


def held_now(layout: Layout, but: int = 0) -> Held:
    """What is held at this moment. Nobody may be about to hold more: the gate is closed.

    Args:
        layout: of the store.
        but: the number of a process of this machine that does not count.

    Raises:
        CollectionError: that cannot be read.
    """
    refs: set[str] = set()
    processes, dead = set(), []
    for name in _names(layout):
        path = f"{layout.locks}/held/{name}"
        try:
            if is_free(path):
                dead.append(path)
                continue
            if name.startswith(f"{host_name()}@{but}-"):
                continue
            refs.update(read_small(path).decode().split("\n"))
        except FileNotFoundError:
            continue  # given back meanwhile
        except (OSError, StoreError, ValueError) as error:
            raise _unreadable(path, error) from error
        form = ID.fullmatch(name.rpartition("@")[2].removesuffix(".lock"))
        processes.update([int(form[1])] if form else [])
    return Held(frozenset(refs), frozenset(processes), tuple(dead))


def holders_now(layout: Layout) -> frozenset[tuple[str, int]]:
    """The files of those that hold something, with their sizes: if these are the same, so is what is held, or less."""
    found = []
    for name in _names(layout):
        path = f"{layout.locks}/held/{name}"
        try:
            found.append((name, os.lstat(path).st_size))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unreadable(path, error) from error
    return frozenset(found)


def _names(layout: Layout) -> list[str]:
    directory = f"{layout.locks}/held"
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(directory, error) from error


def _unreadable(where: str, error: Exception) -> CollectionError:
    what = error.strerror if isinstance(error, OSError) else error
    return CollectionError(
        f"what others use at this moment cannot be read: {what}", where=printable(where),
        hint="proceeding would make all of it look dead; see to the rights, and collect again",
    )  # fmt: skip
