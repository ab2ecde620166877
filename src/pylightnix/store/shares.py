"""What runs of all calls take of a machine, as locked files in `locks/shares/`. Unaware of what a machine has.

`<scope>@<host>@<id>.lock` says, in JSON, what a run takes; it is locked by whoever waits for the run, and removed after
it. One that is not locked belonged to somebody who died. `shares.lock` is held around {see what others take, make one's
own}. Where locks do not work, each call counts for itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pylightnix.clock import iso, now
from pylightnix.model.claiming import Holder
from pylightnix.model.sharing import SLACK, Demand
from pylightnix.store import changes
from pylightnix.store.claims import host_name
from pylightnix.store.files import fresh_id, read_small
from pylightnix.store.layout import Layout
from pylightnix.store.locks import Lock, create, held, is_free, remove_if_free

_GATE = "shares.lock"
_DEVICES = "gpus"


class _Mine(NamedTuple):
    """What a share of this process is not waited for by."""

    thread: threading.Thread
    stacked: bool


_mine: dict[str, _Mine] = {}


class Taken(NamedTuple):
    """What a run of another call takes."""

    name: str
    amounts: Mapping[str, float]
    devices: Sequence[int]
    holder: Holder


class HeldShare:
    """See `Share`."""

    __slots__ = ("_give_back", "devices")

    def __init__(self, devices: tuple[int, ...] | None = None, give_back: Callable[[], None] | None = None) -> None:
        self.devices = devices
        self._give_back = give_back

    def release(self) -> None:
        """Give it back; any thread may."""
        act, self._give_back = self._give_back, None
        if act is not None:
            act()


class Shares:
    """The shares of one call; see `model.sharing`.

    Args:
        layout: of the store.
        scope: tells which part of which machine it is about; part of a file's name.
        making: keys of runs that this process is part of.
    """

    def __init__(self, layout: Layout, scope: str, making: Collection[str]) -> None:
        self._layout = layout
        self._directory = f"{layout.locks}/shares"
        self._prefix = f"{scope}@"
        self._making = making
        self._own: set[str] = set()
        self._seen: Sequence[Taken] | None = None

    def lacking(self, demand: Demand, free: Mapping[str, float]) -> Sequence[Holder]:
        """Those of other calls who have what a run lacks."""
        if self._seen is None:
            self.look()
        return _lacking(self._seen or (), demand, free)

    def forget(self) -> None:
        """Look anew when it is asked for."""
        self._seen = None

    def look(self) -> bool:
        """Look anew; whether that gives something else."""
        before, self._seen = self._seen, ()
        with contextlib.suppress(OSError):
            self._seen = list(self._others())
        return before != self._seen

    def take(self, demand: Demand, free: Mapping[str, float], run: str, *, stacked: bool) -> HeldShare | None:
        """Take what a run needs."""
        self._layout.ensure()  # what has directories, and is not a store yet, nobody can open
        try:
            changes.make_directories(self._directory)
            with held(f"{self._directory}/{_GATE}"):
                self._seen = list(self._others())
                if _lacking(self._seen, demand, free):
                    return None
                return self._make(demand, free, run, stacked=stacked)
        except OSError:  # whether locks work is told where the run takes its slot
            return HeldShare()

    def _make(self, demand: Demand, free: Mapping[str, float], run: str, *, stacked: bool) -> HeldShare:
        devices = self._devices(demand, free)
        name = f"{self._prefix}{host_name()}@{fresh_id()}.lock"
        told = {"run": run, "takes": dict(demand), "devices": devices, "process": os.getpid(), "since": iso(now())}
        _mine[name] = _Mine(threading.current_thread(), stacked)
        self._own.add(name)
        try:
            lock = create(f"{self._directory}/{name}")
            lock.append(json.dumps(told).encode())
        except BaseException:
            self._forget(name)
            raise
        return HeldShare(devices, lambda: self._give_back(name, lock))

    def _give_back(self, name: str, lock: Lock) -> None:
        lock.release(remove=True)
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._own.discard(name)
        _mine.pop(name, None)

    def _devices(self, demand: Demand, free: Mapping[str, float]) -> tuple[int, ...] | None:
        """The first that nobody has, if it takes whole ones."""
        wanted = dict(demand).get(_DEVICES)
        if wanted is None or wanted != int(wanted):
            return None
        own = [taken for name in self._own if (taken := self._read(name)) is not None]
        used = {device for taken in (*own, *(self._seen or ())) for device in taken.devices}
        there = int(free[_DEVICES] + sum(taken.amounts.get(_DEVICES, 0) for taken in own) + SLACK)
        unused = [device for device in range(there) if device not in used]
        return tuple(unused[: int(wanted)]) if len(unused) >= wanted else None

    def _others(self) -> Iterator[Taken]:
        """What runs of other calls take; what the dead have left is removed."""
        if not os.path.isdir(self._directory):
            return
        for name in sorted(os.listdir(self._directory)):
            if not name.startswith(self._prefix) or name in self._own or self._is_no_matter(_mine.get(name)):
                continue
            path = f"{self._directory}/{name}"
            if is_free(path):
                remove_if_free(path)
            elif (taken := self._read(name)) is not None:
                yield taken

    @staticmethod
    def _is_no_matter(mine: _Mine | None) -> bool:
        """Whether it is of the run that this is part of, or of one that runs when this does not."""
        return mine is not None and (mine.stacked or mine.thread is threading.current_thread())

    def _read(self, name: str) -> Taken | None:
        """What a share says; None if it says nothing yet, or is of a run that this process is part of."""
        try:
            told: Any = json.loads(read_small(f"{self._directory}/{name}"))
            if told["run"] in self._making:
                return None
            amounts = {str(what): float(amount) for what, amount in told["takes"].items()}
            holder = Holder(name.split("@")[1], int(told["process"]), str(told["run"]).partition("-")[2], told["since"])
            return Taken(name, amounts, [int(device) for device in told["devices"] or ()], holder)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            return None


def sweep_shares(directory: str) -> int:
    """Remove what the dead have left in the `locks/` of a store; how many there were."""
    count = 0
    with contextlib.suppress(OSError):
        for name in os.listdir(f"{directory}/shares"):
            if name != _GATE:
                with contextlib.suppress(OSError):
                    count += remove_if_free(f"{directory}/shares/{name}")
    return count


def _lacking(others: Sequence[Taken], demand: Demand, free: Mapping[str, float]) -> Sequence[Holder]:
    lacking = []
    for name, amount in demand:
        having = [other for other in others if other.amounts.get(name)]
        if having and amount + sum(other.amounts[name] for other in having) > free[name] + SLACK * max(1, free[name]):
            lacking += [other.holder for other in having]
    return list(dict.fromkeys(lacking))
