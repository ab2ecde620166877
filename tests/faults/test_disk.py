"""The disk that forgets: what is synced is kept, what is not may be lost, and nothing else can come of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.disk import Disk, lay_out, outcomes

Trees = list[dict[str, str]]


class Machine:
    """A directory that is changed by steps, each announced."""

    def __init__(self, place: Path) -> None:
        self.top = place / "top"
        self.top.mkdir()
        (self.top / "old").write_text("old")
        self.place = place
        self.disk = Disk(self.top)
        self._count = 0

    def do(self, name: str, about: object, act: Callable[[], object] = lambda: None) -> None:
        self.disk.before(name, (about,))
        act()

    def sync(self, path: Path) -> None:
        self.do("fsync", path)

    def left(self, *, ordered: bool = True) -> Trees:
        """All trees that are found after a loss of power at this moment."""
        moment = self.disk.before("lost", ())
        return [self._lay_out(outcome) for outcome in outcomes(moment, 1, 40, ordered=ordered)]

    def _lay_out(self, outcome: object) -> dict[str, str]:
        self._count += 1
        folder = self.place / str(self._count)
        folder.mkdir()
        lay_out(outcome, self.disk.root, folder)  # type: ignore[arg-type]
        return {p.relative_to(folder).as_posix(): p.read_text() if p.is_file() else "/" for p in folder.rglob("*")}


@pytest.fixture
def machine(place: Path) -> Machine:
    return Machine(place)


def test_what_was_there_stays(machine: Machine) -> None:
    assert machine.left() == [{"old": "old"}]


def test_a_new_file_may_be_missing_empty_or_whole(machine: Machine) -> None:
    machine.do("open", machine.top / "new", lambda: (machine.top / "new").write_text("new"))
    found = machine.left()
    for new in ({}, {"new": ""}, {"new": "new"}):
        assert {"old": "old", **new} in found
    assert all(tree["old"] == "old" for tree in found)


def test_a_synced_file_is_whole_and_may_have_no_name(machine: Machine) -> None:
    machine.do("open", machine.top / "new", lambda: (machine.top / "new").write_text("new"))
    machine.sync(machine.top / "new")
    found = machine.left()
    assert {"old": "old"} in found
    assert all(tree.get("new", "new") == "new" for tree in found)


def test_a_synced_directory_keeps_names(machine: Machine) -> None:
    machine.do("open", machine.top / "new", lambda: (machine.top / "new").write_text("new"))
    machine.sync(machine.top)
    found = machine.left()
    assert all("new" in tree for tree in found)
    assert {"old": "old", "new": ""} in found
    machine.sync(machine.top / "new")
    assert machine.left() == [{"old": "old", "new": "new"}]


def test_a_rename_happens_as_a_whole_or_not_at_all(machine: Machine) -> None:
    machine.do("rename", machine.top / "old", lambda: os.rename(machine.top / "old", machine.top / "moved"))
    for ordered in (True, False):
        found = machine.left(ordered=ordered)
        assert {"old": "old"} in found
        assert {"moved": "old"} in found
        assert all(tree in ({"old": "old"}, {"moved": "old"}) for tree in found)
    machine.do("syncfs", machine.top)
    assert machine.left() == [{"moved": "old"}]


def test_order_is_kept_where_the_file_system_keeps_it(machine: Machine) -> None:
    for name in "abc":
        machine.do("mkdir", machine.top / name, (machine.top / name).mkdir)
    prefixes = [set("abc"[:count]) | {"old"} for count in range(4)]
    assert all(tree.keys() in prefixes for tree in machine.left())
    assert {"c", "old"} in [tree.keys() for tree in machine.left(ordered=False)]


def test_a_directory_never_has_two_names(machine: Machine) -> None:
    machine.do("mkdir", machine.top / "a", (machine.top / "a").mkdir)
    machine.do("rename", machine.top / "a", lambda: os.rename(machine.top / "a", machine.top / "b"))
    machine.do("rename", machine.top / "b", lambda: os.rename(machine.top / "b", machine.top / "c"))
    assert all(len(tree.keys() & {"a", "b", "c"}) <= 1 for tree in machine.left(ordered=False))


def test_a_removed_file_may_be_back(machine: Machine) -> None:
    machine.do("unlink", machine.top / "old", (machine.top / "old").unlink)
    assert {"old": "old"} in machine.left()
    assert {} in machine.left()


def test_what_came_before_a_sync_of_names_is_not_undone_later(machine: Machine) -> None:
    (machine.top / "folder").mkdir()
    machine.do("syncfs", machine.top)
    machine.do("open", machine.top / "new", lambda: (machine.top / "new").write_text("new"))
    machine.do("rename", machine.top / "new", lambda: os.rename(machine.top / "new", machine.top / "folder" / "new"))
    machine.sync(machine.top / "folder")
    assert all("new" not in tree and "folder/new" in tree for tree in machine.left(ordered=False))
