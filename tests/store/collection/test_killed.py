"""A collection that is killed at any of its changes leaves a sound store, and the next one finishes its work."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix.errors import StoreError, UnknownReferenceError
from pylightnix.store import changes
from pylightnix.store.removal import remove_tree
from pylightnix.store.store import Store
from pylightnix.store.trees import hash_tree
from tests.dying import EVERY, dies_at

Work = Callable[[Store], object]


def to_trash(store: Store) -> object:
    return store.gc(unreachable=True)


def at_once(store: Store) -> object:
    return store.gc(unreachable=True, trash="0d", failed="0d")


def forgetting(store: Store) -> object:
    return store.gc(unreachable=True, forget=True)


def keeping_small(store: Store) -> object:
    return store.gc(unreachable=True, trash="0d", keep_small="1k")


def removing(store: Store) -> object:
    dead = [record for record in store.keeper.records() if record.ref.name == "y"]
    return [store.remove(record.ref) for record in dead]


def prepare(plant: Any) -> None:
    """A rooted chain, dead ones, old trash, failed runs, artifacts without a record."""
    chain = plant.chain("a", "b")
    due = plant.one("due")
    plant.store.gc(unreachable=True, trash="0d")
    plant.chain("a", "b")
    plant.root("paper", chain[1])
    due = plant.one("due")
    plant.store.gc(unreachable=True)
    (trashed,) = (plant.store.path / "trash").iterdir()
    trashed.rename(trashed.with_name("20200101T000000" + trashed.name[15:]))
    plant.chain("x", "y", value=1)
    lone = plant.one("lone")
    remove_tree(plant.store.keeper.place(lone[0]))
    (plant.store.path / "failed" / f"20200101T000000-a-1-{'0' * 12}").mkdir()
    (plant.store.path / "tmp" / f"99999999-{'0' * 12}.out").mkdir()
    assert due


def copies(template: Path, place: Path) -> Iterator[tuple[int, Path]]:
    for point in range(0, 10_000, EVERY):
        path = place / str(point)
        shutil.copytree(template, path, symlinks=True)
        yield point, path
        remove_tree(path)


@pytest.mark.parametrize("work", [to_trash, at_once, forgetting, keeping_small, removing])
def test_killed_at_any_change(plant: Any, tmp_path: Path, work: Work) -> None:
    prepare(plant)
    deaths = 0
    for point, path in copies(plant.store.path, tmp_path):
        if not dies_at(point, lambda path=path: work(Store(path))):
            break
        deaths += 1
        sound(path)
        Store(path).gc(unreachable=True, trash="0d", failed="0d", forget=work is forgetting)
        finished(path)
    assert deaths > 10 // EVERY


def sound(path: Path) -> None:
    store = Store(path)
    report = store.verify()
    assert report.sound, report.findings
    for record in store.keeper.records():
        if record.ref.name in "ab":
            assert hash_tree(store.keeper.payload(record)).digest == record.tree


def finished(path: Path) -> None:
    """The next collection leaves what is rooted, and no debris."""
    sound(path)
    assert sorted(name[41:] for name in os.listdir(path / "store")) == ["a", "b"]
    assert os.listdir(path / "tmp") in ([], ["checkpoints"])
    for place in ("trash", "failed", "locks/held"):
        assert not (path / place).exists() or os.listdir(path / place) == [], place
    kept = path / "kept"
    assert not kept.exists() or {name[41:] for name in os.listdir(kept)} <= {"x", "y", "due"}


def test_what_comes_back_from_a_trash_that_was_being_emptied_is_whole(plant: Any, tmp_path: Path) -> None:
    """Who was killed, or goes on at this moment, has not removed half of it there."""
    made = plant.one("a", more={"x": "x", "deep/y": "y"})
    plant.store.gc(unreachable=True)
    came_back = 0
    for last in itertools.count():
        store = Store(shutil.copytree(plant.store.path, tmp_path / str(last), symlinks=True))
        died = dies_at(last, lambda: at_once(store))  # noqa: B023
        with contextlib.suppress(UnknownReferenceError):
            store.restore(made[0].ref)
            came_back += 1
        assert store.verify().sound
        if not died:
            break
    assert 0 < came_back < last


def test_what_is_taken_from_a_trash_while_it_is_emptied_is_whole(plant: Any) -> None:
    made = plant.one("a", more={"x": "x", "deep/y": "y"})
    plant.store.gc(unreachable=True)
    told = []

    def restore(name: str, about: tuple[object, ...]) -> None:
        if name in ("unlink", "rmdir"):
            command = [sys.executable, "-m", "pylightnix", "gc", "--restore", made[0].ref, "--store", plant.store.path]
            told.append(subprocess.run(command, check=False, capture_output=True, text=True).returncode)

    with changes.observed(restore):
        at_once(plant.store)
    assert len(told) > 3
    assert 0 not in told
    assert plant.store.verify().sound
    assert plant.present() == set()


def test_who_dies_while_he_restores_can_do_it_again(plant: Any, tmp_path: Path) -> None:
    """An ordinary user, who can move nothing sealed, too: what has come is sealed before anybody sees it."""
    made = plant.one("a", more={"x": "x", "deep/y": "y"})
    plant.store.gc(unreachable=True, forget=True)
    for last in itertools.count():
        store = Store(shutil.copytree(plant.store.path, tmp_path / str(last), symlinks=True))
        died = dies_at(last, lambda: store.restore(made[0].ref))  # noqa: B023
        assert store.verify().sound
        if not died:
            break
        with contextlib.suppress(UnknownReferenceError):  # it was there already
            store.restore(made[0].ref)
        assert store.realization(made[0].ref).path.is_dir()
        assert store.verify().sound
    assert last > 3


def test_what_could_be_moved_neither_way_is_put_back_by_the_same_store(plant: Any, tmp_path: Path) -> None:
    """Nobody else may: the process whose number it has lives, and could be at work on it."""
    made = plant.one("a")
    plant.store.gc(unreachable=True)
    (trashed,) = (plant.store.path / "trash").iterdir()
    trashed.chmod(0o755)  # as an ordinary user leaves it there
    store, other = Store(plant.store.path), Store(plant.store.path)
    seen: list[str] = []

    def refuse(name: str, about: tuple[object, ...]) -> None:
        seen.append(name)
        if name == "rename" and seen.count("rename") > 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with changes.observed(refuse), pytest.raises(StoreError):
        store.restore(made[0].ref)
    (left,) = (plant.store.path / "store").iterdir()
    assert left.name.startswith(f"{made[0].ref}@{os.getpid()}-")
    assert store.keeper.adrift == {str(left)}
    with pytest.raises(UnknownReferenceError):
        other.restore(made[0].ref)
    assert left.exists()
    assert store.restore(made[0].ref).path.exists()
    assert store.keeper.adrift == set()
    assert store.verify().sound
