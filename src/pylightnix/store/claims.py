"""Slots: who makes a run of which key, as locked files in `locks/`. Unaware of runs, and of how many are wanted.

`locks/<two digits>/key.lock` is held for the moment of taking a slot; it stays. A slot is
`locks/<two digits>/<key>@<host>@<id>.lock`, locked by its holder and removed when it is given back; one that is not
locked belonged to somebody who died. The name says all, so a slot costs no writing, and nobody reads half of it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pylightnix.model.claiming import Holder, Other
from pylightnix.names import KeyRef
from pylightnix.store import changes
from pylightnix.store.files import ID, fresh_id
from pylightnix.store.layout import writing
from pylightnix.store.locks import UNSUPPORTED, Lock, create, is_free, self_test, take, warn_of_locks

_SHARD = 2
_NAME = re.compile(rf"(?P<home>[0-9a-f]{{40}}-[A-Za-z0-9_.+-]+)@(?P<host>[A-Za-z0-9.-]+)@{ID.pattern}\.lock")
_threads: dict[str, int] = {}
"""Which thread of this process took a slot: what it holds itself, in a realize within a builder, it must not await."""


class HeldSlot:
    """See `Slot`."""

    __slots__ = ("_lock", "_name", "others")

    def __init__(self, others: Sequence[Other], name: str = "", lock: Lock | None = None) -> None:
        self.others = others
        self._name = name
        self._lock = lock

    def release(self) -> None:
        """Give it back; any thread may."""
        lock, self._lock = self._lock, None
        if lock is not None:
            _threads.pop(self._name, None)
            lock.release(remove=True)


class Claims:
    """The slots of a store.

    Args:
        directory: its `locks/`, which is there.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._problem: str | None = None
        self._tested = False

    def claim(self, home: KeyRef) -> HeldSlot:
        """Take a slot of a key. Where locks do not work there is a warning, once, and a slot that excludes nobody.

        Raises:
            StoreError: the store cannot be written.
        """
        self._test()
        if self._problem is None:
            try:
                with writing(self._directory):
                    return self._take(home)
            except Exception as error:
                cause = error.__cause__
                if not isinstance(cause, OSError) or cause.errno not in UNSUPPORTED:
                    raise
                self._give_up(cause.strerror or str(cause))
        return HeldSlot(())

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

    def _take(self, home: KeyRef) -> HeldSlot:
        shard = f"{self._directory}/{home[:_SHARD]}"
        name = f"{home}@{_host()}@{fresh_id()}.lock"
        gate = _gate(shard)
        try:
            others = list(_others(shard, f"{home}@"))
            lock = create(f"{shard}/{name}")
        finally:
            gate.release()
        _threads[name] = threading.get_ident()
        return HeldSlot(others, name, lock)

    def sweep(self) -> int:
        """Remove the slots of the dead; how many there were."""
        swept = 0
        for shard in sorted(_listed(self._directory)):
            if len(shard) == _SHARD and _listed(f"{self._directory}/{shard}") != ["key.lock"]:
                gate = _gate(f"{self._directory}/{shard}")
                try:
                    before = len(_listed(f"{self._directory}/{shard}"))
                    list(_others(f"{self._directory}/{shard}", ""))
                    swept += before - len(_listed(f"{self._directory}/{shard}"))
                finally:
                    gate.release()
        return swept


def _gate(shard: str) -> Lock:
    """The lock of a shard, for a moment."""
    path = f"{shard}/key.lock"
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
        if not name.startswith(prefix) or _threads.get(name) == threading.get_ident():
            continue
        form = _NAME.fullmatch(name)
        if form is None:
            continue
        path = f"{shard}/{name}"
        if is_free(path):
            with contextlib.suppress(OSError):
                changes.remove_file(path)
        else:
            holder = Holder(form["host"], int(form[3]), KeyRef(form["home"]).name, _since(path))
            yield Other(name, holder, functools.partial(is_free, path))


def _since(path: str) -> str:
    try:
        return datetime.fromtimestamp(int(os.lstat(path).st_mtime), UTC).isoformat()
    except OSError:
        return ""


@functools.cache
def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", platform.node())[:40] or "unknown"


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
