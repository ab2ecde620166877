"""Slots: who makes a run of which key, as locked files in `locks/`. Unaware of runs, and of how many are wanted.

`locks/<digit>/key.lock` is held for the moment of taking a slot, but for the first of a key; it stays. A slot is
`locks/<digit>/<key>@<host>@<id>@<seconds>.lock`, locked by its holder and removed when it is given back; one that
is not locked belonged to somebody who died. The name says all, so a slot costs no writing, and nobody reads half of it.

Whoever has slots holds one locked file, its presence, and each slot is one more name of that: a name costs a quarter of
a file. Where files have one name only, each slot is a file.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import string
import threading
from collections.abc import Callable, Iterator, Sequence

from pylightnix.clock import iso, now
from pylightnix.model.claiming import Holder, Other
from pylightnix.names import KeyRef
from pylightnix.store import changes
from pylightnix.store.files import ID, fresh_id
from pylightnix.store.layout import writing
from pylightnix.store.locks import (
    UNSUPPORTED,
    Lock,
    create,
    is_free,
    misplaced,
    remove_if_free,
    self_test,
    take,
    warn_of_locks,
)

_SHARD = 1
"""Digits of a key that name its directory: more would be as many directories to make, fewer would be long to list."""

_DIGITS = 11
"""At most, of the moment in the name of a slot."""

_NAME = re.compile(
    rf"(?P<home>[0-9a-f]{{40}}-[A-Za-z0-9_.+-]+)@(?P<host>[A-Za-z0-9.-]+)@{ID.pattern}@(?P<since>[0-9]{{1,{_DIGITS}}})\.lock"
)
_PRESENCE = re.compile(rf"[A-Za-z0-9.-]+@{ID.pattern}\.lock")
_SIGNS = frozenset(f"{string.ascii_letters}{string.digits}.-")
"""What the name of a machine has, where it stands in the name of a lock."""

_threads: dict[str, threading.Thread] = {}
"""Which thread of this process took a slot: what it holds itself, in a realize within a builder, it must not await."""


class HeldSlot:
    """See `Slot`.

    Args:
        others: who had one when this one was taken.
        give_back: what to do when it is given back.
        first: whether nobody has ever had one of this key before.
    """

    __slots__ = ("_give_back", "first", "others")

    def __init__(
        self, others: Sequence[Other], give_back: Callable[[], None] | None = None, *, first: bool = False
    ) -> None:
        self.others = others
        self.first = first
        self._give_back = give_back

    def release(self) -> None:
        """Give it back; any thread may."""
        act, self._give_back = self._give_back, None
        if act is not None:
            try:
                act()
            except BaseException:  # interrupted, and nobody will come back for it
                act()
                raise


class _Presence:
    """A locked file of this process, there as long as it is used; see the head of this module."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._gate = threading.Lock()
        self._lock: Lock | None = None
        self._users = 0

    def path(self) -> str | None:
        """Its path, None if there is none at the moment: nobody uses it, or it was left behind by a fork."""
        lock = self._lock
        return lock.path if lock is not None and lock.is_ours else None

    def enter(self) -> str:
        """Use it: its path."""
        with self._gate:
            if self._lock is None or not self._lock.is_ours:
                self._lock = create(f"{self._directory}/{host_name()}@{fresh_id()}.lock")
                self._users = 0
            self._users += 1
            return self._lock.path

    def leave(self, path: str) -> None:
        """Use it no more; the last one that leaves removes it."""
        with self._gate:
            lock = self._lock
            if lock is None or not lock.is_ours or lock.path != path:
                return
            self._users -= 1
            if not self._users:
                self._lock = None
                lock.release(remove=True)


class _Gates:
    """The locks of shards, each held by one thread for a moment; their files stay at hand until `close`."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._process = os.getpid()
        self._turn = threading.Lock()  # threads that have one and the same file open do not exclude each other by it
        self._locks: dict[str, Lock] = {}

    @contextlib.contextmanager
    def closed(self, shard: str) -> Iterator[None]:
        """Hold the lock of a shard; OSError as it comes."""
        if self._process != os.getpid():  # a forked child: somebody may have had the turn
            self._begin_anew()
        with self._turn:
            lock = self._locks.pop(shard, None)
            if lock is None or not lock.resume(exclusive=True):
                lock = _gate(shard)
            try:
                yield
            finally:
                lock.pause()
                self._locks[shard] = lock

    def close(self) -> None:
        """Close their files."""
        with self._turn:
            while self._locks:
                self._locks.popitem()[1].release()


class Claims:
    """The slots of a store.

    Args:
        directory: its `locks/`.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._presence = _Presence(directory)
        self._gates = _Gates()
        self._problem: str | None = None
        self._tested = False

    def claim(self, home: KeyRef, begin: Callable[[], bool] | None = None) -> HeldSlot:
        """Take a slot of a key. Where locks do not work there is a warning, once, and a slot that excludes nobody.

        Args:
            home: the key.
            begin: makes what is there from the first slot of the key on, and says whether that was not there.

        Raises:
            StoreError: the store cannot be written.
        """
        self._test()
        if self._problem is None:
            try:
                with writing(f"{self._directory}/{home[:_SHARD]}"):
                    return self._take(home, begin)
            except Exception as error:
                cause = error.__cause__
                if not isinstance(cause, OSError) or cause.errno not in UNSUPPORTED:
                    raise
                self._give_up(cause.strerror or str(cause))
        return HeldSlot(())

    def presence(self) -> str | None:
        """An empty file of this process that is there while it has slots, None without one."""
        return self._presence.path()

    def _test(self) -> None:
        if not self._tested:
            self._tested = True
            with writing(self._directory):
                changes.make_directories(self._directory)
            problem = self_test(self._directory)
            if problem is not None and os.access(self._directory, os.W_OK):
                self._give_up(problem)

    def _give_up(self, problem: str) -> None:
        self._problem = problem
        warn_of_locks(self._directory, problem)

    def _take(self, home: KeyRef, begin: Callable[[], bool] | None) -> HeldSlot:
        shard = f"{self._directory}/{home[:_SHARD]}"
        name = f"{home}@{host_name()}@{fresh_id()}@{_since()}.lock"
        try:
            others: list[Other] = []
            give_back = self._be_first(shard, name, begin) if begin is not None else None
            first = give_back is not None
            if give_back is None:
                with self._gates.closed(shard):
                    others = list(_others(shard, f"{home}@"))
                    give_back = self._occupy(f"{shard}/{name}")
        except BaseException:
            self._let_go()
            raise
        _threads[name] = threading.current_thread()

        def end() -> None:
            _threads.pop(name, None)
            give_back()
            self._let_go()

        return HeldSlot(others, end, first=first)

    def _be_first(self, shard: str, name: str, begin: Callable[[], bool]) -> Callable[[], None] | None:
        """Take the first slot that there ever was of a key; None if there was one.

        Whoever is not the first looks at the slots after he has found so, and sees that of the first, which was there
        before. So the first need not look at anything.
        """
        try:
            give_back = self._occupy(f"{shard}/{name}")
        except FileNotFoundError:
            changes.make_directories(shard)
            give_back = self._occupy(f"{shard}/{name}")
        try:
            if begin():
                return give_back
        except BaseException:
            give_back()
            raise
        give_back()
        return None

    def _let_go(self) -> None:
        """Keep no file at hand where nothing is held."""
        if self._presence.path() is None:
            self._gates.close()

    def _occupy(self, path: str) -> Callable[[], None]:
        """Make the file of a slot, locked; returns how it is given back."""
        present = self._presence.enter()
        try:
            changes.link(present, path)
        except FileNotFoundError:
            self._presence.leave(present)
            raise
        except OSError:  # no second names here, or no more of them
            self._presence.leave(present)
            return functools.partial(create(path).release, remove=True)
        except BaseException:
            self._presence.leave(present)
            raise
        process = os.getpid()
        entered = [present]

        def give_back() -> None:
            if os.getpid() == process:  # a forked child has no slots
                with contextlib.suppress(OSError):
                    changes.remove_file(path)
                if entered:  # the second time there is nothing to leave
                    self._presence.leave(entered.pop())

        return give_back

    def count_dead(self) -> int:
        """How many slots of the dead there are; removes none."""
        shards = [f"{self._directory}/{name}" for name in _listed(self._directory) if len(name) == _SHARD]
        paths = [f"{shard}/{name}" for shard in shards for name in _listed(shard) if _NAME.fullmatch(name)]
        paths += [f"{self._directory}/{name}" for name in _listed(self._directory) if _PRESENCE.fullmatch(name)]
        return sum(map(_is_left, paths))

    def sweep(self) -> int:
        """Remove the slots of the dead; how many there were."""
        swept = 0
        for shard in sorted(_listed(self._directory)):
            path = f"{self._directory}/{shard}"
            if _PRESENCE.fullmatch(shard):
                with contextlib.suppress(OSError):
                    remove_if_free(path)
            elif len(shard) == _SHARD and _listed(path) != ["key.lock"]:
                gate = _gate(path)
                try:
                    before = len(_listed(path))
                    list(_others(path, ""))
                    swept += before - len(_listed(path))
                finally:
                    gate.release()
        return swept


def _gate(shard: str) -> Lock:
    """The lock of a shard, for a moment; OSError if a link leads there."""
    path = f"{shard}/key.lock"
    if os.path.islink(shard) and (problem := misplaced(path)) is not None:
        raise problem
    while True:
        try:
            lock = take(path)
        except FileNotFoundError:
            changes.make_directories(shard)
        else:
            assert lock is not None, "BUG: a lock that was waited for"
            return lock


def _others(shard: str, prefix: str) -> Iterator[Other]:
    """The slots of others in a shard whose names begin so; those of the dead are removed."""
    for name in os.listdir(shard):
        if not name.startswith(prefix) or _threads.get(name) is threading.current_thread():
            continue
        form = _NAME.fullmatch(name)
        if form is None:
            continue
        path = f"{shard}/{name}"
        if is_free(path):
            with contextlib.suppress(OSError):
                changes.remove_file(path)
        else:
            since = iso(int(form["since"]))
            holder = Holder(form["host"], int(form[3]), KeyRef(form["home"]).name, since)
            yield Other(name, holder, functools.partial(is_free, path))


def slots_of(directory: str, home: KeyRef, process: int) -> list[bool]:
    """Of each slot of a key that a process of this number has taken, on any machine, whether it is held. Looks only."""
    shard = f"{directory}/{home[:_SHARD]}"
    forms = [form for name in _listed(shard) if name.startswith(f"{home}@") and (form := _NAME.fullmatch(name))]
    return [not _is_left(f"{shard}/{form.string}") for form in forms if int(form[3]) == process]


def _is_left(path: str) -> bool:
    """Whether nobody holds a slot; not known where locks do not work."""
    try:
        return is_free(path)
    except OSError:
        return False


def _since() -> int:
    """This moment in seconds since 1970, or the nearest that the name of a slot can have: a clock may be wrong."""
    return min(max(int(now()), 0), int("9" * _DIGITS))


@functools.cache
def host_name() -> str:
    """This machine, as it stands in the names of locks."""
    return "".join([sign if sign in _SIGNS else "-" for sign in _node()])[:40] or "unknown"


def _node() -> str:
    if hasattr(os, "uname"):
        return os.uname().nodename
    import platform  # slow to import

    return platform.node()


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
