"""Roots that are set again, fail to be set, need a link or a lock file, or are none."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pylightnix.errors import CollectionError, StoreError
from pylightnix.store import changes
from pylightnix.store.collection.collecting import Collector
from pylightnix.store.collection.rooting import set_link, set_lock
from pylightnix.store.collection.roots import Roots
from pylightnix.store.removal import remove_tree
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
    remove_tree(plant.store.keeper.payload(made[0]))
    with pytest.raises(CollectionError, match="its artifacts are not here"):
        plant.root("paper", made)


@pytest.mark.parametrize("leads_to", ["nowhere", "mine.txt", "real.lock"])
def test_no_lock_file_is_written_through_a_link(plant: Any, tmp_path: Path, leads_to: str) -> None:
    a = plant.realization(plant.one("a"))
    (tmp_path / "mine.txt").write_text("mine")
    set_lock(plant.store.keeper, str(tmp_path / "real.lock"), [a])
    before = (tmp_path / "real.lock").read_bytes()
    link = tmp_path / "paper.lock"
    link.symlink_to(leads_to)
    with pytest.raises(StoreError, match=f"a link to {leads_to}, and no lock file(.|\n)*the file that it leads to"):
        set_lock(plant.store.keeper, str(link), [a])
    assert link.is_symlink()
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (tmp_path / "real.lock").read_bytes() == before
    assert not (tmp_path / "nowhere").exists()


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


def test_a_link_that_cannot_be_made_leaves_the_one_that_is_there(plant: Any, tmp_path: Path) -> None:
    link = tmp_path / "result"
    a, b = plant.one("a"), plant.one("b")
    set_link(plant.store.keeper, str(link), plant.realization(a))
    before = os.readlink(link)
    plant.store.remove(b[0].ref)
    for path in (link, tmp_path / "other"):
        with pytest.raises(CollectionError, match="its artifacts are not here"):
            set_link(plant.store.keeper, str(path), plant.realization(b))
    assert os.readlink(link) == before
    assert [one.name for one in tmp_path.iterdir() if one.is_symlink()] == ["result"]
    plant.store.gc(unreachable=True)
    assert plant.present() == {"a"}


def test_a_link_to_something_else_is_not_replaced(plant: Any, tmp_path: Path) -> None:
    link, a = tmp_path / "data", plant.realization(plant.one("a"))
    link.symlink_to("/somewhere/else")
    with pytest.raises(StoreError, match="a link to /somewhere/else, which is no realization"):
        set_link(plant.store.keeper, str(link), a)
    assert os.readlink(link) == "/somewhere/else"
    assert plant.store.roots() == []


@pytest.mark.parametrize("kind", ["link", "lock"])
def test_what_is_set_again_while_it_is_swept_stays(
    plant: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path, a = tmp_path / "result", plant.realization(plant.one("a"))

    def renew() -> None:
        if kind == "link":
            set_link(plant.store.keeper, str(path), a)
        else:
            set_lock(plant.store.keeper, str(path), [a])

    renew()
    path.unlink()
    roots = Roots(plant.store.keeper.layout)
    stale = roots.all()
    alone = roots._alone

    def late() -> Any:
        renew()
        return alone()

    monkeypatch.setattr(roots, "_alone", late)
    assert roots.sweep(stale) == []
    monkeypatch.undo()
    assert [root.stands for root in roots.all()] == [True]
    path.unlink()
    assert roots.sweep(roots.all()) == [stale[0].name]
    assert roots.all() == []


def test_a_root_of_the_same_name_that_stands_is_not_swept(plant: Any, tmp_path: Path) -> None:
    """A link that leads elsewhere by now, and has a root that says so beside the old one."""
    link, a, b = tmp_path / "result", plant.realization(plant.one("a")), plant.realization(plant.one("b"))
    set_link(plant.store.keeper, str(link), a)
    (old,) = (plant.store.path / "roots").iterdir()
    data = old.read_bytes()
    set_link(plant.store.keeper, str(link), b)
    old.write_bytes(data)
    roots = Roots(plant.store.keeper.layout)
    assert sorted(root.stands for root in roots.all()) == [False, True]
    roots.sweep(roots.all())
    assert [root.refs for root in roots.all()] == [(b.ref,)]


def test_a_lock_file_passes_over_a_context_that_this_store_does_not_have(
    plant: Any, plant_in: Any, tmp_path: Path
) -> None:
    """The same bytes were made from the same bytes there, and those by another stage."""
    lock, other = tmp_path / "paper.lock", plant_in(tmp_path / "other")
    there = other.one("b", of=other.one("a", content="same", n=2))
    first = plant.one("a", content="same", n=1)
    here, mine = plant.one("b", of=first), plant.one("c")
    assert (here[0].ref, here[1].hash != there[1].hash) == (there[0].ref, True)
    set_lock(plant.store.keeper, str(lock), [plant.realization(mine)])
    set_lock(other.store.keeper, str(tmp_path / "their.lock"), [other.realization(there)])
    lock.write_bytes((tmp_path / "their.lock").read_bytes())
    plant.store.gc(unreachable=True)
    assert plant.present() == {"b"}
    (run,) = Path(plant.store.keeper.place(here[0])).glob("run-*.json")
    run.chmod(0o644)
    run.write_text("{}")
    with pytest.raises(CollectionError, match="was made from is not known"):
        plant.store.gc(unreachable=True)


def test_what_a_lock_file_names_is_followed_as_far_as_this_store_goes(plant: Any, tmp_path: Path) -> None:
    chain = plant.chain("a", "b", "c")
    set_lock(plant.store.keeper, str(tmp_path / "paper.lock"), [plant.realization(chain[2])])
    plant.store.gc(unreachable=True)
    assert plant.present() == {"a", "b", "c"}
    remove_tree(plant.store.keeper.place(chain[1][0]))
    with pytest.raises(CollectionError, match="it is not in this store"):
        plant.store.gc(unreachable=True)
    with pytest.raises(CollectionError, match="it is not in this store"):
        set_lock(plant.store.keeper, str(tmp_path / "new.lock"), [plant.realization(chain[2])])


def test_a_lock_file_can_be_a_link(plant: Any, tmp_path: Path) -> None:
    lock, real = tmp_path / "paper.lock", tmp_path / "real.lock"
    set_lock(plant.store.keeper, str(lock), [plant.realization(plant.one("a"))])
    plant.one("b")
    lock.rename(real)
    lock.symlink_to("real.lock")
    plant.store.gc(unreachable=True)
    assert plant.present() == {"a"}


def test_a_lock_file_is_synced_before_it_has_its_name(plant: Any, tmp_path: Path) -> None:
    """Else a loss of power leaves an empty one, in the place of one that was whole, and it stops each collection."""
    a = plant.realization(plant.one("a"))
    path = tmp_path / "paper.lock"
    set_lock(plant.store.keeper, str(path), [a])
    made: list[str] = []
    with changes.observed(lambda name, about: made.append(f"{name} {about[-1]}")):
        set_lock(plant.store.keeper, str(path), [a])
    renamed = made.index(f"rename {path}")
    assert made[renamed - 1].startswith("fsync ")
    assert made[renamed + 1] == f"fsync {tmp_path}"


@pytest.mark.parametrize("what", ["link", "lock file"])
def test_what_cannot_be_put_in_its_place_leaves_nothing_beside(what: str, plant: Any, tmp_path: Path) -> None:
    a = plant.realization(plant.one("a"))
    mine = tmp_path / "mine"
    mine.mkdir()

    def refuse(name: str, about: tuple[object, ...]) -> None:
        if name == "rename" and str(about[-1]).startswith(str(mine)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    act: Callable[[], object] = (
        (lambda: set_link(plant.store.keeper, str(mine / "x"), a))
        if what == "link"
        else (lambda: set_lock(plant.store.keeper, str(mine / "x"), [a]))
    )
    with changes.observed(refuse), pytest.raises(StoreError):
        act()
    assert list(mine.iterdir()) == []
