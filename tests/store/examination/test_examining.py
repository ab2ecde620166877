"""Each thing that can keep a store from doing its work is observed, and nothing is left behind by looking."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pylightnix import realize, stage
from pylightnix.store import changes
from pylightnix.store.examination import filesystem
from pylightnix.store.examination.filesystem import file_system, kind_of, room
from pylightnix.store.examination.observations import Level, Observation
from pylightnix.store.locks import create
from pylightnix.store.store import Store


@stage(code="ignore")
def number() -> int:
    return 1


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.create()
    return made


def about(store: Store, topic: str) -> Observation:
    (found,) = [one for one in store.examine() if one.topic == topic]
    return found


def test_a_good_store_has_nothing_wrong_and_is_left_as_it_is(store: Store) -> None:
    before = sorted(store.path.rglob("*"))
    found = store.examine()
    assert [one for one in found if one.level is Level.WRONG] == []
    assert {"format", "space", "locks", "modes", "names", "symlinks", "hard links", "reflinks", "debris"} <= {
        one.topic for one in found
    }
    assert sorted(store.path.rglob("*")) == before


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = Store(tmp_path / "none" / "store").examine()
    assert "made at the first write" in found[0].what
    assert [one for one in found if one.level is Level.WRONG] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "topic", "what"),
    [
        ("flock", "locks", "no lock can be taken"),
        ("symlink", "symlinks", "none can be made"),
        ("mkdir", "writing", "nothing can be tried"),
    ],
)
def test_what_the_file_system_refuses_is_wrong(store: Store, change: str, topic: str, what: str) -> None:
    def refuse(name: str, paths: tuple[object, ...]) -> None:
        if name == change:
            raise OSError(errno.ENOTSUP, "not here")

    with changes.observed(refuse):
        found = about(store, topic)
    assert found.level is Level.WRONG
    assert found.what.startswith(what)
    assert os.listdir(store.path / "tmp") == []


OTHERS = """
import sys
from pylightnix import Store, realize, stage
from pylightnix.errors import StoreError

@stage(code="ignore")
def number() -> int:
    return 1

store = Store(sys.argv[1])
for one in store.examine():
    if one.topic == "rights":
        print(one.where, one.level, one.what, one.hint, sep="|")
try:
    realize(number(), store=store, quiet=True, rebuild=[number()])
except StoreError as error:
    print(error.where)
"""


@pytest.mark.parametrize("inside", ["locks", "records"])
def test_what_another_user_made_in_it_is_wrong(store: Store, ordinary: Any, inside: str) -> None:
    realize(number(), store=store, quiet=True)
    (made,) = [one for one in (store.path / inside).iterdir() if one.is_dir() and one.name != "held"]
    made.chmod(0o555)
    told, where = ordinary(OTHERS, store.path).stdout.splitlines()
    assert told.split("|")[:2] == [str(store.path / inside), "wrong"]
    assert f"we may not write to 1 of its directories, such as {made.name}" in told
    assert f"chown -R --reference={store.path} {store.path}" in told
    assert where.startswith(str(made))
    made.chmod(0o755)
    assert "rights" not in {one.topic for one in store.examine()}


def test_modes_that_do_not_stay_are_wrong(store: Store) -> None:
    def spoil(name: str, paths: tuple[object, ...]) -> None:
        if name == "chmod":
            os.chmod(str(paths[0]), 0o644)
            raise PermissionError(errno.EPERM, "no modes here")

    with changes.observed(spoil):
        assert any(one.level is Level.WRONG and "no modes here" in one.what for one in store.examine())


@pytest.mark.parametrize("topic", ["hard links", "reflinks"])
def test_what_nothing_needs_is_no_more_than_a_note(store: Store, topic: str) -> None:
    def refuse(name: str, paths: tuple[object, ...]) -> None:
        if name in ("link", "clone"):
            raise OSError(errno.ENOTSUP, "not here")

    with changes.observed(refuse):
        assert about(store, topic).level is Level.NOTE


def test_a_store_that_others_can_change_is_wrong(store: Store) -> None:
    (store.path / "records").chmod(0o777)
    found = about(store, "trust")
    assert (found.level, found.where) == (Level.WRONG, str(store.path / "records"))
    assert found.hint == f"chmod o-w {store.path / 'records'}"


SCRIPT = """
import sys
from pylightnix import Store
for one in Store(sys.argv[1]).examine():
    if one.topic == "rights":
        print(one.level, one.where, one.what)
"""


def test_a_store_that_we_may_not_write_to_is_wrong(store: Store, ordinary: Any) -> None:
    (store.path / "tmp").chmod(0o555)
    done = ordinary(SCRIPT, store.path)
    assert done.stdout == f"wrong {store.path}/tmp we may not write to it\n", done.stderr


def test_what_the_dead_left_is_counted(store: Store) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    for name in (
        f"{dead.stdout.strip()}-{'a' * 12}",
        f"{dead.stdout.strip()}-{'a' * 12}.out",
        f"{os.getpid()}-{'b' * 12}",
    ):
        (store.path / "tmp" / name).mkdir()
    (store.path / "locks" / "a").mkdir()
    name = f"{'ab' * 20}-stage@host@{dead.stdout.strip()}-{'c' * 12}@1700000000.lock"
    (store.path / "locks" / "a" / name).touch()
    held = create(str(store.path / "locks" / "a" / name.replace("cccc", "dddd")))
    try:
        told = [one.what for one in store.examine() if one.topic == "debris"]
    finally:
        held.release()
    assert told == ["1 unfinished things of processes that are not on this machine any more", "1 locks of the dead"]
    assert (store.path / "locks" / "a" / name).exists()


def test_what_lies_there_for_people_is_counted(store: Store) -> None:
    (store.path / "quarantine" / "x").mkdir(parents=True)
    (store.path / "failed" / "y").mkdir()
    assert about(store, "quarantine").what == "1 damaged things lie in quarantine"
    assert about(store, "failures").what == "1 failed runs are kept"


MOUNTS = r"""
22 1 0:21 / / rw - ext4 /dev/vda rw
23 22 0:22 / /net rw - nfs4 server:/export rw
24 22 0:23 / /with\040space rw shared:1 - fuse.s3fs secret@bucket rw
25 22 0:24 / /net/inner rw - xfs /dev/vdb rw
26 22 0:25 / /fast rw - tmpfs none rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind", "level"),
    [
        ("/home", "ext4", Level.GOOD),
        ("/network", "ext4", Level.GOOD),
        ("/net/store", "nfs4", Level.NOTE),
        ("/net/inner/store", "xfs", Level.GOOD),
        ("/with space/store", "fuse.s3fs", Level.WRONG),
        ("/fast", "tmpfs", Level.NOTE),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(
    tmp_path: Path, path: str, kind: str, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mounts"
    table.write_text(MOUNTS)
    assert kind_of(path, str(table)) == kind
    monkeypatch.setattr(filesystem, "kind_of", lambda _: kind)
    (found,) = file_system(path)
    assert (found.level, found.what.split(":")[0].split(" ")[0].rstrip(",")) == (level, kind)


def test_where_the_system_does_not_tell_nothing_is_said(tmp_path: Path) -> None:
    assert kind_of("/", str(tmp_path / "none")) == ""


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="no file system that is known for sure")
def test_a_real_file_system_is_known() -> None:
    assert kind_of("/dev/shm") == "tmpfs"


def test_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {one.topic for one in room(str(tmp_path))} >= {"space"}
    monkeypatch.setattr(filesystem, "_LEAST_BYTES", 1 << 62)
    monkeypatch.setattr(filesystem, "_LEAST_INODES", 1 << 62)
    assert all(one.level is Level.WRONG and one.hint for one in room(str(tmp_path)))
