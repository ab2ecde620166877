"""Roots that are set again, fail to be set, need a link or a lock file, or are none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pylightnix.errors import CollectionError
from pylightnix.store.collection.collecting import Collector
from pylightnix.store.collection.rooting import set_link, set_lock
from pylightnix.store.store import Store


def collected_while(monkeypatch: pytest.MonkeyPatch, plant: Any, act: Callable[[], object]) -> set[str]:
    """Let somebody act between the plan of a collection and its first second look; what is there then."""
    take, acted = Collector._take, []

    def taking(self: Any, record: Any, needed: Any) -> bool:
        if not acted:
            acted.append(act())
        return take(self, record, needed)

    with monkeypatch.context() as patched:
        patched.setattr(Collector, "_take", taking)
        plant.store.gc(unreachable=True)
    assert acted
    return plant.present()


def test_a_root_that_is_there_is_not_set_again_for_what_is_collected(plant: Any) -> None:
    made = plant.one("a")
    plant.root("paper", made)
    os.rename(plant.store.keeper.payload(made[0]), plant.store.path / "away")
    with pytest.raises(CollectionError, match="its artifacts are collected"):
        plant.root("paper", made)


def test_a_lock_file_that_is_written_again_keeps_what_was_planned(
    plant: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its root is the same one; what the file names is not."""
    lock = str(tmp_path / "paper.lock")
    a, b = (plant.realization(plant.one(name)) for name in "ab")
    set_lock(plant.store.keeper, lock, [a])
    of_a = Path(lock).read_bytes()
    set_lock(plant.store.keeper, lock, [b])
    of_b = Path(lock).read_bytes()
    plant.store.unroot(plant.store.roots()[0].name)
    Path(lock).unlink()
    set_lock(plant.store.keeper, lock, [a])
    assert of_a == Path(lock).read_bytes()
    Path(lock).write_bytes(of_b)
    again = lambda: set_lock(Store(plant.store.path).keeper, lock, [a])  # noqa: E731
    assert collected_while(monkeypatch, plant, again) == {"a", "b"}


def test_a_link_that_is_made_again_keeps_what_was_planned(
    plant: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = str(tmp_path / "result")
    a = plant.realization(plant.one("a"))
    set_link(plant.store.keeper, link, a)
    os.unlink(link)
    monkeypatch.setattr("pylightnix.store.collection.roots.Roots.sweep", lambda self, roots: [])
    again = lambda: set_link(Store(plant.store.path).keeper, link, a)  # noqa: E731
    assert collected_while(monkeypatch, plant, again) == {"a"}
