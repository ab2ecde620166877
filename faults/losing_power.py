"""Power is lost at each change, or once the operation has returned: what is left must be a sound store.

Unaware of other faults, and of how a disk forgets.
"""

from __future__ import annotations

import os
from pathlib import Path

from faults.children import Child
from faults.disk import SYNCING, Disk, Moment, Outcome, lay_out, outcomes
from faults.kinds import Row
from faults.stand import Stand, spread
from pylightnix.store import changes
from pylightnix.store.collection import debris

PATIENCE = 3600.0
"""Seconds for all moments of an operation, of which each has many outcomes; those that hang are noticed one by one."""

BY_CHANCE = 3
"""Outcomes of each moment that are chosen by chance, beside those that always are tried."""


def lose_power(stand: Stand, most: int | None = None, *, forgetful: bool = False, ordered: bool = True) -> Row:
    """Every moment, or so many; the one after the return always.

    Args:
        stand: of the operation.
        most: how many moments; all, if None.
        forgetful: whether the disk does as if the store did not sync.
        ordered: whether it keeps the order of changes of names.
    """
    how = stand.durability if ordered else "unordered"
    row = Row(f"loss of power, {how}", stand.operation.name, stand.calls)
    path = stand.fresh()
    ended = Child(lambda: _Losses(stand, path, row, ordered=ordered).told(most, forgetful=forgetful)).join(PATIENCE)
    if ended.problem:
        row.add("all", ended.problem)
    else:
        row.merge(*ended.told)
    stand.discard(path)
    return row


class _Losses:
    """The moments of one operation, in a process of its own; each outcome of each is seen to at the end."""

    def __init__(self, stand: Stand, path: Path, row: Row, *, ordered: bool) -> None:
        self._stand = stand
        self._path = path
        self._row = row
        self._ordered = ordered
        self._moments: list[Moment] = []
        self._before_sync: list[int] = []

    def told(self, most: int | None, *, forgetful: bool) -> tuple[int, list[str]]:
        disk = Disk(self._path.parent, forgetful=forgetful)

        def note(name: str, about: tuple[object, ...]) -> None:
            if name in SYNCING:
                self._before_sync.append(len(self._moments))
            self._moments.append(disk.before(name, about))

        with changes.observed(note):
            self._stand.do(self._path)
        self._moments.append(disk.before("return", ()))
        gone, is_alive = os.getpid(), vars(debris)["is_alive"]
        vars(debris)["is_alive"] = lambda pid: pid != gone and is_alive(pid)  # all processes have lost power
        some = BY_CHANCE if most is None else 1
        for number in self._chosen(most):
            for index, outcome in enumerate(outcomes(self._moments[number], number, some, ordered=self._ordered)):
                self._try(outcome, disk.root, f"before change {number}, outcome {index}", number)
        return self._row.points, self._row.failures

    def _chosen(self, most: int | None) -> list[int]:
        """The moments that are tried: where something is about to be synced, there is most to lose."""
        last = len(self._moments) - 1
        syncing = [self._before_sync[index] for index in spread(len(self._before_sync), most)]
        return sorted({*spread(last, most), *syncing, last})

    def _try(self, outcome: Outcome, root: int, where: str, number: int) -> None:
        returned = number == len(self._moments) - 1
        path = self._stand.empty()
        lay_out(outcome, root, path.parent)
        wrong = self._stand.visible(path, cut_off=True) or (self._stand.lasting(path) if returned else "")
        self._row.add(where, wrong or self._stand.recover(path))
        self._stand.discard(path)
