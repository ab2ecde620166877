"""No secret stays in a workspace: not where it cannot be looked into, and no file beside it is touched."""

from __future__ import annotations

import errno
import functools
import os
import stat
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from pylightnix.model.hidden import hidden_of
from pylightnix.model.keeping import Workspace
from pylightnix.names import KeyRef
from pylightnix.store import changes
from pylightnix.store.store import Store
from tests.dying import dies_at

SECRET = "hush-hush"
HIDDEN = hidden_of({"TOKEN": SECRET, "SHORT": "abc"})
KEY = KeyRef.of("a" * 64, "stage")

Blotted = Callable[[], str]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.create()
    return store


def fill(workspace: Workspace) -> None:
    """A secret in all that a run has, and beside it what has none."""
    Path(workspace.log).write_text(f"it is {SECRET}.\n" + "more\n" * 1000)
    for place in (workspace.out, workspace.scratch, workspace.checkpoint):
        os.makedirs(f"{place}/deep", exist_ok=True)
        for name, text in (("it", SECRET), ("long", "x" * ((1 << 20) - 3) + SECRET), ("other", "nothing")):
            Path(f"{place}/deep/{name}").write_text(text)
        os.symlink(SECRET, f"{place}/link")


def told(top: Path) -> list[str]:
    """What tells the secret, below a directory."""
    files = [path for path in top.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    links = [path for path in top.rglob("*") if path.is_symlink() and SECRET in os.readlink(path)]
    return [str(path) for path in [*files, *links, *top.rglob(f"*{SECRET}*")]]


def test_nothing_that_tells_it_stays_and_all_else_does(store: Store) -> None:
    workspace = store.keeper.workspace(KEY, 0)
    fill(workspace)
    assert store.keeper.blot(workspace, HIDDEN) in {
        f"{name} has the secret TOKEN in it" for name in ("link", "deep/it", "deep/long")
    }
    assert told(store.path) == []
    assert Path(workspace.log).read_text().startswith("it is ***.\nmore\n")
    for place in (workspace.out, workspace.scratch, workspace.checkpoint):
        assert os.listdir(place) == ["deep"]
        assert os.listdir(f"{place}/deep") == ["other"]
    assert store.keeper.blot(workspace, HIDDEN) == ""


def test_what_is_short_or_not_there_is_not_looked_for(store: Store) -> None:
    workspace = store.keeper.workspace(KEY, 0, has_out=False)
    assert store.keeper.blot(workspace, HIDDEN) == ""
    assert store.keeper.blot(workspace, hidden_of({"SHORT": "abc"})) == ""


@pytest.mark.parametrize("of", ["out", "scratch", "checkpoint", "log"])
def test_where_a_link_leads_is_nothing_of_ours(store: Store, tmp_path: Path, of: str) -> None:
    """A file with the secret in it may be where the user keeps it."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "token").write_text(SECRET)
    mode = stat.S_IMODE(mine.stat().st_mode)
    workspace = store.keeper.workspace(KEY, 0, has_out=False)
    os.makedirs(os.path.dirname(workspace.checkpoint), exist_ok=True)
    os.symlink(mine / "token" if of == "log" else mine, getattr(workspace, of))
    os.makedirs(workspace.out, exist_ok=True)
    Path(workspace.out, "inner").symlink_to(mine)
    store.keeper.blot(workspace, HIDDEN)
    assert (mine / "token").read_text() == SECRET
    assert stat.S_IMODE(mine.stat().st_mode) == mode


def test_a_name_is_told_without_it(store: Store) -> None:
    workspace = store.keeper.workspace(KEY, 0)
    os.makedirs(f"{workspace.out}/a/{SECRET}/b")
    Path(workspace.out, "a", "link").symlink_to(store.path / SECRET)
    assert store.keeper.blot(workspace, HIDDEN) in (
        "a/*** has the secret TOKEN in it",
        "a/link has the secret TOKEN in it",
    )
    assert told(store.path) == []


@pytest.mark.parametrize("refused", ["open", "write", "unlink"])
def test_what_cannot_be_blotted_goes(store: Store, refused: str) -> None:
    workspace = store.keeper.workspace(KEY, 0)
    fill(workspace)
    first = iter([1])

    def refuse(name: str, about: tuple[object, ...]) -> None:
        if name == refused and next(first, None):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with changes.observed(refuse):
        said = store.keeper.blot(workspace, HIDDEN)
    assert told(store.path) == []
    assert "secret" in said


def test_who_dies_over_it_leaves_ever_less(store: Store, tmp_path: Path) -> None:
    """From its first change on no log tells a secret, and every change takes one away."""
    before = 100
    for last in range(100):
        other = Store(tmp_path / str(last))
        other.create()
        workspace = other.keeper.workspace(KEY, 0)
        fill(workspace)
        died = dies_at(last, functools.partial(store.keeper.blot, workspace, HIDDEN))
        left = told(tmp_path / str(last))
        assert len(left) <= before
        assert last == 0 or not any(path.endswith(".log") for path in left)
        before = len(left)
        if not died:
            break
    assert before == 0
    assert 5 < last < 99


@pytest.mark.parametrize("told_in_it", [True, False])
def test_a_long_log_takes_no_more_memory_than_a_short_one(store: Store, told_in_it: bool) -> None:
    workspace = store.keeper.workspace(KEY, 0)
    with open(workspace.log, "wb") as log:
        log.truncate(48 << 20)
        for megabyte in range(1, 48, 2) if told_in_it else ():
            log.seek((megabyte << 20) - 4)
            log.write(SECRET.encode())
    mode = os.stat(workspace.log).st_mode
    tracemalloc.start()
    try:
        store.keeper.blot(workspace, HIDDEN)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20
    assert told(store.path) == []
    assert os.stat(workspace.log).st_size == (48 << 20) - (24 * (len(SECRET) - 3) if told_in_it else 0)
    assert os.stat(workspace.log).st_mode == mode
