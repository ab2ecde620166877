"""A collection on a disk on which not one more byte can be written."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pylightnix.errors import StoreError
from pylightnix.store import changes
from pylightnix.store.removal import remove_tree
from pylightnix.store.store import Store
from tests.powers import on_small_disk

OnDisk = Callable[[Callable[[Path], None]], object]


@pytest.fixture
def on_disk(tmp_path: Path) -> OnDisk:
    """Calls a function with a small disk."""
    place = tmp_path / "disk"
    place.mkdir()
    return lambda work: on_small_disk(place, "size=2m,nr_inodes=400", lambda: work(place))


def fill(place: Path) -> None:
    """Until neither a byte nor a file can be written."""
    with contextlib.suppress(OSError), open(place / "filler", "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)
    with contextlib.suppress(OSError):
        for number in range(10_000):
            (place / f"filler-{number}").touch()
    with pytest.raises(OSError, match=r".") as caught:
        (place / "one more").write_bytes(b"x")
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize("forget", [False, True])
def test_a_full_disk_can_be_freed(on_disk: OnDisk, plant_in: Any, forget: bool) -> None:
    def work(small_disk: Path) -> None:
        plant = plant_in(small_disk / "store")
        kept, dead = plant.one("kept", content="k"), plant.one("dead", content="x" * 300_000)
        plant.root("paper", kept)
        fill(small_disk)
        assert os.statvfs(small_disk).f_bfree == 0
        collected = Store(small_disk / "store").gc(unreachable=True, trash="0d", forget=forget)
        assert [victim.record.ref for victim in collected.victims] == [dead[0].ref]
        assert os.statvfs(small_disk).f_bfree * os.statvfs(small_disk).f_frsize >= 290_000
        assert plant.present() == {"kept"}
        assert Store(small_disk / "store").verify().sound

    on_disk(work)


@pytest.mark.parametrize("gone", ["locks/collect.lock", "locks", "locks cache"])
@pytest.mark.parametrize("how", ["unreachable", "older_than", "max_size", "remove"])
def test_a_full_disk_can_be_freed_where_nobody_has_collected_before(
    on_disk: OnDisk, plant_in: Any, gone: str, how: str
) -> None:
    def work(small_disk: Path) -> None:
        plant = plant_in(small_disk / "store")
        kept, dead = plant.one("kept", content="k"), plant.one("dead", content="x" * 300_000)
        plant.root("paper", kept)
        for name in gone.split():
            remove_tree(str(small_disk / "store" / name))
        fill(small_disk)
        store = Store(small_disk / "store")
        if how == "remove":
            store.remove(dead[0].ref)
        else:
            scopes: dict[str, Any] = {"unreachable": True, "older_than": "0d", "max_size": "1k"}
            collected = store.gc(trash="0d", **{how: scopes[how]})
            assert [victim.record.ref for victim in collected.victims] == [dead[0].ref]
        assert os.statvfs(small_disk).f_bfree * os.statvfs(small_disk).f_frsize >= 290_000
        assert plant.present() == {"kept"}
        assert store.verify().sound
        for filler in small_disk.glob("filler-*"):
            filler.unlink()
        plant.one("new")
        assert plant.present() == {"kept", "new"}

    on_disk(work)


def test_a_new_store_has_what_a_collection_needs(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.create()
    assert (tmp_path / "store/locks/collect.lock").read_bytes() == b""
    made: list[str] = []
    with changes.observed(lambda name, paths: made.append(name)):
        store.gc(unreachable=True, trash="0d")
    assert not {"mkdir", "rename", "write"}.intersection(made)


def test_without_room_for_a_lock_it_is_said_what_to_do(on_disk: OnDisk, plant_in: Any) -> None:
    def work(small_disk: Path) -> None:
        plant = plant_in(small_disk / "store")
        (dead, _) = plant.one("dead", content="x" * 300_000)
        for name in ("locks", "cache", "failed", "kept"):
            remove_tree(str(small_disk / "store" / name))
        fill(small_disk)
        store = Store(small_disk / "store")
        for collect in (lambda: store.gc(unreachable=True, trash="0d"), lambda: store.remove(dead.ref)):
            with pytest.raises(
                StoreError, match=r"too full for the file of a lock(.|\n)*remove any one file"
            ) as caught:
                collect()
            assert not hasattr(caught.value, "__notes__")
        for filler in (small_disk / "filler-0", small_disk / "filler-1"):
            filler.unlink()
        store.gc(unreachable=True, trash="0d")
        assert plant.present() == set()

    on_disk(work)


@pytest.mark.parametrize("forget", [False, True])
def test_where_no_trash_can_be_made_it_is_said_how_to_do_without(on_disk: OnDisk, plant_in: Any, forget: bool) -> None:
    def work(small_disk: Path) -> None:
        plant = plant_in(small_disk / "store")
        (dead, _) = plant.one("dead", content="x" * 300_000)
        plant.root("paper", plant.one("kept", content="k"))
        fill(small_disk)
        store = Store(small_disk / "store")
        with pytest.raises(StoreError, match=r"too full for a trash(.|\n)*--now"):
            store.gc(unreachable=True, trash="1d", forget=forget)
        with pytest.raises(StoreError, match=r"too full for a trash(.|\n)*--now"):
            store.remove(dead.ref, trash="1d")
        assert store.realization(dead.ref).path.exists()
        assert store.verify().sound
        store.gc(unreachable=True, trash="0d", forget=forget)
        assert plant.present() == {"kept"}

    on_disk(work)


def test_what_is_small_is_kept_on_a_full_disk(on_disk: OnDisk, plant_in: Any) -> None:
    def work(small_disk: Path) -> None:
        plant = plant_in(small_disk / "store")
        kept, dead = plant.one("kept", content="k"), plant.one("dead", content="small", more={"big/b": "x" * 300_000})
        plant.root("paper", kept)
        store = Store(small_disk / "store")
        fill(small_disk)
        held_back = store.gc(unreachable=True, keep_small="10k")
        assert [victim.record.ref for victim in held_back.unkept] == [dead[0].ref], "the trash frees nothing"
        assert held_back.victims == ()
        assert plant.present() == {"kept", "dead"}
        collected = store.gc(unreachable=True, keep_small="10k", trash="0d")
        assert [victim.record.ref for victim in collected.victims] == [dead[0].ref]
        assert os.statvfs(small_disk).f_bfree * os.statvfs(small_disk).f_frsize >= 290_000
        assert plant.present() == {"kept"}
        again = Store(small_disk / "store")
        assert again.keeper.artifact(again.realization(str(dead[0].ref)).promises["out"]) == b"small"
        assert [path.name for path in (small_disk / "store/kept").rglob("*") if path.is_file()] == ["out.txt"]
        assert again.verify().sound
        assert list((small_disk / "store/tmp").iterdir()) == []

    on_disk(work)


def killed_without_room(store: Store, point: int) -> bool:
    """Collect where nothing can be made any more, and die before one of the changes; whether there were so many."""
    pid = os.fork()
    if pid == 0:
        made = 0

        def observer(name: str, paths: tuple[object, ...]) -> None:
            nonlocal made
            if name in ("open", "mkdir") and str(paths[0]).startswith((f"{store.path}/tmp/", f"{store.path}/kept/")):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            made += name in ("rename", "unlink", "rmdir")
            if made == point:
                os.kill(os.getpid(), signal.SIGKILL)

        with changes.observed(observer):
            collected = store.gc(unreachable=True, keep_small="10k", trash="0d")
        os._exit(0 if len(collected.victims) == 1 else 1)
    status = os.waitpid(pid, 0)[1]
    assert status == 0 or os.WIFSIGNALED(status)
    return os.WIFSIGNALED(status)


def test_what_is_small_is_not_lost_where_a_collection_on_a_full_disk_ends_half_way(
    tmp_path: Path, plant_in: Any
) -> None:
    point = 1
    while True:
        plant = plant_in(tmp_path / str(point))
        dead = plant.one("dead", content="small", more={"big/b": "x" * 300_000, "a": "x" * 20_000})
        stopped = killed_without_room(Store(plant.store.path), point)
        for _ in range(2):
            again = Store(plant.store.path)
            if not list(again.path.glob("store/*@*")):  # else who is not root died between two renames
                assert again.keeper.artifact(again.realization(str(dead[0].ref)).promises["out"]) == b"small", point
            again.gc(unreachable=True, keep_small="10k", trash="0d")
            assert again.keeper.artifact(again.realization(str(dead[0].ref)).promises["out"]) == b"small", point
            assert again.verify().sound
        if not stopped:
            break
        point += 1
    assert point > 4
