"""A builder that changes what it was given: told with the input and the file, and nothing of the run is kept."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import Dep, Deps, Store, match, promise, stage
from pylightnix.errors import BuildError
from pylightnix.store import watching


@stage(code="ignore")
def source(n: int = 0, table: Path = promise("table.txt")) -> None:
    table.write_text(f"content {n}")
    (table.parent / "deep").mkdir()
    (table.parent / "deep" / "other.txt").write_text("other")


def unlock(path: Path) -> None:
    """As an owner can; root need not."""
    path.chmod(path.stat().st_mode | 0o200)


def append(top: Path) -> None:
    unlock(top / "table.txt")
    with (top / "table.txt").open("a") as stream:
        stream.write("!")


def late(top: Path) -> None:
    """When the clock of the file system has gone on since it was sealed."""
    wait_for_a_later_moment(top.parent.parent / "tmp" / "mark", top)
    append(top)


def same_size(top: Path) -> None:
    """And the times that can be set are set back."""
    file = top / "table.txt"
    status = file.stat()
    unlock(file)
    file.write_text("CONTENT 0")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    file.chmod(status.st_mode)


def replace(top: Path) -> None:
    unlock(top)
    (top / "new").write_text("content 1")
    (top / "new").rename(top / "table.txt")
    top.chmod(0o555)


def remove(top: Path) -> None:
    unlock(top)
    (top / "table.txt").unlink()


def add(top: Path) -> None:
    unlock(top)
    (top / "more.txt").touch()


def remove_all(top: Path) -> None:
    for folder in (top, top / "deep"):
        unlock(folder)
    shutil.rmtree(top)


def deep(top: Path) -> None:
    """No promise, and not in the top directory: seen where there is time to look."""
    unlock(top / "deep" / "other.txt")
    (top / "deep" / "other.txt").write_text("OTHER")
    time.sleep(0.1)


def unlock_only(top: Path) -> None:
    unlock(top / "table.txt")


def nothing(top: Path) -> None:
    (top / "table.txt").read_text()


def touch(top: Path) -> None:
    """What was changed last is later then, and yet nothing was."""
    for path in (top / "table.txt", top):
        mode = path.stat().st_mode
        path.chmod(0o777)
        path.chmod(mode)
    os.utime(top / "table.txt")


@stage(code="ignore")
def user(how: str, given: Any, fails: bool = False, out: Path = promise("out.txt")) -> None:
    globals()[how](given.path if hasattr(given, "path") else given.parent)
    if fails:
        raise ValueError("of its own")
    out.write_text("made")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    made = pylightnix.realize(source(), store=store, quiet=True)
    wait_for_a_later_moment(tmp_path / "mark", made.path)
    return store


def wait_for_a_later_moment(mark: Path, than: Path) -> None:
    """The clock of a file system may stand still for some milliseconds."""
    while True:
        mark.write_text("x")
        if mark.stat().st_ctime_ns > than.stat().st_ctime_ns:
            return
        time.sleep(0.001)


def realize(asked: Any, store: Store, **keywords: Any) -> Any:
    return pylightnix.realize(asked, store=store, quiet=True, **keywords)


def restore(made: Any, to: str = "content 0") -> None:
    shutil.rmtree(made.path, onerror=unlock_and_remove)
    (made.path / "deep").mkdir(parents=True)
    (made.path / "table.txt").write_text(to)
    (made.path / "deep" / "other.txt").write_text("other")
    for path in (made.path / "table.txt", made.path / "deep" / "other.txt"):
        path.chmod(0o444)
    for path in (made.path / "deep", made.path):
        path.chmod(0o555)


def unlock_and_remove(remove: Callable[[str], None], path: str, _: object) -> None:
    if not os.path.lexists(path) and remove is os.rmdir:
        return
    for each in (os.path.dirname(path), path):
        if os.path.lexists(each):
            os.chmod(each, 0o700)
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ("append", "table.txt: it had 9 bytes and has 10"),
        ("same_size", "table.txt: its bytes were changed"),
        ("replace", "table.txt: its bytes were changed"),
        ("remove", "table.txt: it is not there"),
        ("add", "more.txt: this file does not belong here"),
        ("remove_all", "it is not there any more"),
        ("deep", "deep/other.txt: its bytes were changed"),
        ("unlock_only", "table.txt: somebody may write to it"),
    ],
)
def test_a_changed_input_is_named_with_its_file(store: Store, how: str, found: str) -> None:
    (made,) = store.realizations()
    with pytest.raises(BuildError) as caught:
        realize(user(how, source()), store, executor="process" if how == "append" else "inline")
    told = str(caught.value)
    assert told.startswith(f"user failed: what it was given was changed while it ran: source {made.ref.short}: ")
    assert found in told
    assert f"pylightnix verify --repair {made.ref.short}" in told
    assert caught.value.fields["kind"] == "input"
    assert caught.value.fields["inputs"] == [made.ref]
    assert store.realizations(name="user") == []
    restore(made)
    assert realize(user("nothing", source()), store).out.read_text() == "made"


@pytest.mark.parametrize("how", ["nothing", "touch"])
def test_what_is_as_it_was_is_no_change(store: Store, how: str) -> None:
    assert realize(user(how, source()), store).out.read_text() == "made"


def test_an_input_that_is_one_promise_is_watched_too(store: Store) -> None:
    with pytest.raises(BuildError, match=r"table\.txt: it had 9 bytes"):
        realize(user("append", source().table), store)


def test_the_builders_own_failure_comes_first(store: Store) -> None:
    with pytest.raises(BuildError) as caught:
        realize(user("append", source(), fails=True), store)
    assert caught.value.what == "ValueError: of its own"
    (note,) = caught.value.__notes__
    assert "table.txt: it had 9 bytes and has 10" in note
    assert "verify --repair" in note


def test_an_input_that_was_made_just_before(tmp_path: Path) -> None:
    """Its record is not there yet, since the two are made together."""
    store = Store(tmp_path / "store")
    with pytest.raises(BuildError, match=r"source .*: table\.txt: it had 9 bytes and has 10"):
        realize(user("late", source()), store)
    assert [made.name for made in store.realizations()] == ["source"]


def test_one_of_many(store: Store) -> None:
    @stage(code="ignore")
    def last_of(many: Deps, one: Dep, out: Path = promise("out.txt")) -> None:
        append(one.path)
        out.write_text(str(len(many)))

    with pytest.raises(BuildError, match="it had 9 bytes and has 10") as caught:
        realize(last_of(source(1).with_matcher(match.all(of=2)), source(2)), store)
    assert caught.value.fields["inputs"] == [realize(source(2), store).ref]


def test_suspicion_is_rare(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte is looked at only where something was changed: not in a chain of runs that follow at once."""
    proven: list[Any] = []
    monkeypatch.setattr(watching, "_proven", lambda layout, record: proven.append(record) or [])

    @stage(version="1")
    def link(before: Any, index: int, out: Path = promise("out")) -> None:
        out.write_text(str(index))

    chain = link(None, 0)
    for index in range(1, 100):
        chain = link(chain, index)
    realize(chain, store)
    assert proven == []
    realize(user("touch", source()), store)
    assert len(proven) == 1
