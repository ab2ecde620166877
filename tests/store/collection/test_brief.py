"""How long a collection keeps others out: for one rename at a time, and never while it removes anything."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Dep, promise, realize, stage
from pylightnix.store import changes
from pylightnix.store.collection.gate import Gate
from pylightnix.store.locks import take
from pylightnix.store.removal import remove_tree
from pylightnix.store.store import Store

MANY = 12
EXCLUSIVE, BACK = 2, 8
OF_A_USER = "rename rename chmod rename"
"""Only root can move a sealed directory: for others a rename is refused, then it gets another name, and then rights."""


class Watch:
    """Sees which changes one thread makes while it has closed the gate, and is called between such times."""

    def __init__(self, path: Path) -> None:
        self._gate = Gate(f"{path}/locks").path
        self._thread = threading.get_ident()
        self._closed = False
        self.inside: list[list[str]] = []
        self.between = 0

    @property
    def moves(self) -> list[str]:
        """The changes of each time in which there were any."""
        return [" ".join(names).replace(OF_A_USER, "rename") for names in self.inside if names]

    def __call__(self, name: str, paths: tuple[object, ...]) -> None:
        if threading.get_ident() != self._thread:
            return
        operation = self._operation(name, paths)
        if operation & EXCLUSIVE:
            self._look_outside()
            self.inside.append([])
            self._closed = True
        elif operation & BACK:
            self._closed = False
        elif self._closed and name != "flock":
            self.inside[-1].append(name)
        elif not self._closed and name in ("unlink", "rmdir"):
            self._look_outside()

    def _operation(self, name: str, paths: tuple[object, ...]) -> int:
        """Of a lock of the gate; 0 of anything else."""
        if name != "flock":
            return 0
        handle, operation = paths
        assert isinstance(handle, int)
        assert isinstance(operation, int)
        return operation if os.path.samestat(os.fstat(handle), os.stat(self._gate)) else 0

    def _look_outside(self) -> None:
        """Anybody could pass at this moment."""
        self._thread = 0
        try:
            lock = take(self._gate, exclusive=False, wait=False)
        finally:
            self._thread = threading.get_ident()
        assert lock is not None, "the gate is closed, and nothing is moved"
        lock.release()
        self.between += 1


@contextmanager
def watched(path: Path) -> Iterator[Watch]:
    watch = Watch(path)
    with changes.observed(watch):
        yield watch


SCOPES: dict[str, dict[str, Any]] = {
    "now": {"trash": "0d"},
    "trash": {"trash": "7d"},
    "forget": {"trash": "0d", "forget": True},
    "small": {"trash": "0d", "keep_small": "10k"},
}


@pytest.mark.parametrize("how", SCOPES)
def test_others_are_kept_out_for_one_rename_at_a_time(tmp_path: Path, plant_in: Any, how: str) -> None:
    plant = plant_in(tmp_path / "store")
    for number in range(MANY):
        plant.one("dead", n=number, content=str(number), more={f"deep/{i}": "x" for i in range(5)})
    orphan = plant.one("orphan")[0]
    remove_tree(plant.store.keeper.place(orphan))
    (plant.store.path / "failed/20200101T000000-dead-1-aaaaaaaaaaaa").mkdir()
    (plant.store.path / "trash").mkdir()
    store = Store(plant.store.path)
    with watched(store.path) as watch:
        collected = store.gc(unreachable=True, **SCOPES[how])
    assert (len(collected.victims), collected.swept.artifacts) == (MANY, (f"store/{orphan.ref}",))
    tried, *moves = watch.moves
    assert tried == "open", "whether locks work at all"
    assert moves == ["rename", *["rename rename" if how == "forget" else "rename"] * MANY]
    assert watch.between > MANY


def test_nothing_is_removed_inside_where_small_files_stay_on_a_full_disk(tmp_path: Path, plant_in: Any) -> None:
    plant = plant_in(tmp_path / "store")
    (dead, _) = plant.one("dead", content="small", more={"big/b": "x" * 20_000, "a": "x"})
    store = Store(plant.store.path)
    watch = Watch(store.path)
    (store.path / "kept" / dead.ref).mkdir()
    (store.path / "kept" / dead.ref / "left over").touch()

    def observer(name: str, paths: tuple[object, ...]) -> None:
        if name in ("open", "mkdir") and str(paths[0]).startswith((f"{store.path}/tmp/", f"{store.path}/kept/")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        watch(name, paths)

    with changes.observed(observer):
        collected = store.gc(unreachable=True, trash="0d", keep_small="10k")
    assert len(collected.victims) == 1
    assert watch.moves[1:] == ["rename rename"]
    assert [path.name for path in (store.path / "kept" / dead.ref).iterdir()] == ["out.txt"]
    assert list((store.path / "tmp").iterdir()) == []


@stage
def bottom(n: int = 1, out: Path = promise("out")) -> None:
    out.write_text(str(n))


@stage
def top(source: Dep = bottom(), out: Path = promise("out")) -> None:
    out.write_text(source.out.read_text())


def test_a_realize_gets_through_between_two_of_them(tmp_path: Path, plant_in: Any) -> None:
    """The collection stands still at the first thing that it removes, until a whole realize is done."""
    plant = plant_in(tmp_path / "store")
    dead = [plant.one("dead", n=number, content=str(number))[0] for number in range(MANY)]
    collector = threading.get_ident()
    made: list[Any] = []

    def observer(name: str, paths: tuple[object, ...]) -> None:
        if name == "unlink" and b"out.txt" in paths and threading.get_ident() == collector and not made:
            thread = threading.Thread(target=lambda: made.append(realize(top(), store=plant.store.path)))
            thread.start()
            thread.join(30)
            assert made, "a realize waits for more than one rename"
            assert len([ref for ref in dead if (plant.store.path / "store" / ref.ref).exists()]) == MANY - 1

    with changes.observed(observer):
        collected = Store(plant.store.path).gc(unreachable=True, trash="0d")
    assert len(collected.victims) == MANY
    assert made[0].out.read_text() == "1"
