"""Runs under way in a store, as any process sees them: by the names of workspaces and slots. Writes nothing.

A workspace is `tmp/<id>@<run>@<key>`. It is moved away or removed when its run ends, in whatever way, unless its
process is killed; then it stays, and the slot of that run is held no more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import NamedTuple

from pylightnix.errors import PylightnixError
from pylightnix.names import KeyRef
from pylightnix.store.checkpoints import is_alive
from pylightnix.store.claims import slots_of
from pylightnix.store.failures import Failed, failures, find_failure
from pylightnix.store.files import ID
from pylightnix.store.layout import Layout

_WORKSPACE = re.compile(
    rf"(?P<id>{ID.pattern})@(?P<run>[0-9]{{1,9}})@(?P<home>[0-9a-f]{{40}}-[A-Za-z0-9_][A-Za-z0-9_.+-]{{0,119}})"
)
_RECENT = 50
"""Failed runs that are looked through for that of a run which has just ended."""


class UnderWay(NamedTuple):
    """A run that somebody makes.

    Attributes:
        home: its key.
        run: its index.
        process: the number of the process that realizes, on whatever machine.
        notes: its workspace.
        unique: what no other workspace is called.
        began: when something was last made in the workspace, which nearly is when the run began; seconds since 1970.
    """

    home: KeyRef
    run: int
    process: int
    notes: str
    unique: str
    began: float

    @property
    def log(self) -> str:
        """The path of what it writes, once it has written something."""
        return f"{self.notes}/run-{self.run}-{self.unique}.log"

    @property
    def is_there(self) -> bool:
        """Whether its workspace is; if not, the run has ended."""
        return os.path.lexists(self.notes)


def runs_under_way(layout: Layout, wanted: Callable[[KeyRef], bool] = lambda _: True) -> list[UnderWay]:
    """The runs that living processes make, of keys that are wanted; the newest last."""
    found = []
    for name in _names(layout.tmp):
        form = _WORKSPACE.fullmatch(name)
        if form is None or not wanted(KeyRef(form["home"])):
            continue
        notes = f"{layout.tmp}/{name}"
        try:
            began = os.lstat(notes).st_mtime
        except OSError:  # it has just ended
            continue
        process = int(form["id"].partition("-")[0])
        found.append(UnderWay(KeyRef(form["home"]), int(form["run"]), process, notes, form["id"], began))
    living = [one for one in found if is_made(layout, one)]
    newest: dict[KeyRef, float] = {}
    for one in living:
        newest[one.home] = max(newest.get(one.home, 0.0), one.began)
    return sorted(living, key=lambda one: (newest[one.home], one.home, one.run))


def is_made(layout: Layout, one: UnderWay) -> bool:
    """Whether somebody still makes a run: its process holds a slot of its key. Without slots the number has to do."""
    slots = slots_of(layout.locks, one.home, one.process)
    return any(slots) if slots else is_alive(one.process)


def registered(layout: Layout, one: UnderWay) -> str | None:
    """The path of the log, there or not, of a run that has ended and gave a realization; None if it gave none."""
    base = f"{layout.records}/{one.home}"
    stem = f"run-{one.run}-{one.unique}"
    for digits in _names(base):
        if os.path.lexists(f"{base}/{digits}/{stem}.json"):
            return f"{base}/{digits}/{stem}.log"
    return None


def failure_of(layout: Layout, one: UnderWay) -> Failed | None:
    """What was kept of a run that has ended and failed."""
    for name in reversed(failures(layout)[-_RECENT:]):
        if f"-{one.home.name}-" not in name:
            continue
        try:
            failed = find_failure(layout, name)
        except PylightnixError:
            continue
        if failed.facts.get("key") == one.home and failed.facts.get("run") == one.run:
            return failed
    return None


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
