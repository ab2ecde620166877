"""To a remote and from it: all of it, verified, whole or not there, whatever happens in between."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix import (
    Build,
    Dep,
    Realization,
    Remote,
    Store,
    match,
    plan,
    promise,
    pull,
    push,
    realize,
    realize_many,
    stage,
)
from pylightnix.errors import (
    ArgumentError,
    BadNameError,
    CollectedError,
    DamageError,
    FormatError,
    PylightnixError,
    RemoteError,
    StoreError,
    TrustError,
    UnknownPromiseError,
    UnknownReferenceError,
)
from pylightnix.remotes.directory import Directory
from pylightnix.remotes.pieces import PACKED, PIECE
from pylightnix.store import changes
from tests.dying import EVERY, dies_at


@stage(code="ignore")
def data(build: Build, large: int = 0, table: Path = promise("table.txt")) -> None:
    print("a line for the log")
    table.write_text("one two")
    (build.out / "deep").mkdir()
    (build.out / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (build.out / "deep" / "run.sh").chmod(0o755)
    (build.out / "deep" / "link").symlink_to("run.sh")
    (build.out / "empty").mkdir()
    (build.out / "nothing").touch()
    (build.out / os.fsdecode(b"\xff")).write_bytes(b"no UTF-8")
    if large:
        (build.out / "large").write_bytes(b"".join(n.to_bytes(4, "big") for n in range(large // 4)))


@stage(code="ignore", matcher=match.best("score", of=3))
def model(build: Build, source: Dep = data(), weights: Path = promise("w.bin")) -> dict[str, float]:
    weights.write_text(f"{source.table.read_text()} {build.run}")
    return {"score": build.run % 2 + 0.5}


@stage(code="ignore")
def nothing(best: Dep = model()) -> float:
    return float(best.value["score"])


@stage(code="ignore")
def many(
    build: Build, first: Path = promise("a"), folder: Path = promise("folder", kind="directory"),
    large: Path = promise("large"), last: Path = promise("z"), middle: Path = promise("m"),
) -> None:  # fmt: skip
    for number, path in enumerate((first, middle, last)):
        path.write_bytes(bytes([number]) * (PACKED - number - 1))
    large.write_bytes(b"large" * PACKED)
    for number in range(12):
        (folder / str(number)).write_bytes(os.urandom(PACKED - 5))


@stage(code="ignore")
def same(number: int, table: Path = promise("table.txt")) -> None:
    table.write_text("whatever the number")


@stage(code="ignore")
def chatty(lines: int = 70_000) -> None:
    for line in range(lines):
        print("a long log", line)


class Counting(Directory):
    """A directory that notes what it is asked."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.asked: list[tuple[str, str]] = []

    def get(self, name: str, most: int) -> bytes | None:
        self.asked.append(("get", name))
        return super().get(name, most)

    def put(self, name: str, data: bytes) -> None:
        self.asked.append(("put", name))
        super().put(name, data)

    def has(self, name: str) -> bool:
        self.asked.append(("has", name))
        return super().has(name)

    def names(self, prefix: str) -> Iterator[str]:
        self.asked.append(("names", prefix))
        return super().names(prefix)


class Blind(Directory):
    """A directory as a plain web server shows it."""

    lists = False
    writes = False

    def names(self, prefix: str) -> Iterator[str]:
        raise RemoteError("cannot list")

    def put(self, name: str, data: bytes) -> None:
        raise RemoteError("cannot write")


@pytest.fixture
def source(tmp_path: Path) -> Store:
    return Store(tmp_path / "one", durability="none")


@pytest.fixture
def target(tmp_path: Path) -> Store:
    return Store(tmp_path / "two", durability="none")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "remote"


@pytest.fixture
def done(source: Store) -> Realization[Any]:
    return realize(nothing(), store=source, quiet=True)


def hows(result: Any) -> list[str]:
    return [one.how for one in result.moved]


def content(path: Path) -> dict[bytes, object]:
    return {
        os.fsencode(one.relative_to(path)): (
            one.lstat().st_mode, os.readlink(one) if one.is_symlink() else one.read_bytes() if one.is_file() else None
        )
        for one in path.rglob("*")
    }  # fmt: skip


def is_same(one: Store, other: Store, realization: Realization[Any]) -> None:
    record = realization.record
    assert content(one.keeper.payload(record)) == content(other.keeper.payload(record))
    assert known(one, realization) == known(other, realization)


def known(store: Store, realization: Realization[Any]) -> dict[bytes, object]:
    """What is known of a realization, but for who says so."""
    found = content(Path(store.keeper.place(realization.record)))
    return {name: what for name, what in found.items() if not name.startswith(b"signed-")}


def ancestry(realization: Realization[Any]) -> list[Realization[Any]]:
    return [realization, realization.deps.best, realization.deps.best.deps.source]


def test_there_and_back(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    sent = push(done, place, store=source)
    assert hows(sent) == ["copied"] * 3
    assert sent.size == sum(one.record.size for one in ancestry(done))
    fetched = pull(done.ref[:8], place, store=target, unsigned=True)
    assert hows(fetched) == ["copied"] * 3
    assert [one.ref for one in fetched.moved] == [one.ref for one in sent.moved]
    for one in ancestry(done):
        is_same(source, target, one)
    assert target.verify().findings == ()
    there = target.realization(done.ref)
    assert there.deps.best.deps.source.log == "a line for the log\n"
    of_one = nothing(best=model().with_matcher(match.best("score")))
    assert all(step.action == "reuse" for step in plan(of_one, store=target).steps)


def test_a_file_of_several_pieces(source: Store, target: Store, place: Path) -> None:
    large = 2 * PIECE + 12
    done = realize(data(large=large), store=source, quiet=True)
    push(done, place, store=source)
    pull(done.ref, place, store=target, unsigned=True)
    is_same(source, target, done)
    assert (target.realization(done.ref) / "large").stat().st_size == large


def test_a_long_log(source: Store, target: Store, place: Path) -> None:
    done = realize(chatty(), store=source, quiet=True)
    push(done, place, store=source)
    pull(done.ref, place, store=target, unsigned=True)
    assert target.realization(done.ref).log == done.log
    assert len(done.log) > 1 << 20
    is_same(source, target, done)


def test_what_is_there_is_not_sent_again(source: Store, place: Path, done: Realization[Any]) -> None:
    with Remote(place, backend=Counting(place)) as remote:
        push(done, remote, store=source)
        counting = remote.backend
        assert isinstance(counting, Counting)
        assert [name for verb, name in counting.asked if verb == "put"].count(f"refs/{done.ref}") == 1
    again = Counting(place)
    assert hows(push(done, Remote(place, backend=again), store=source)) == ["there"] * 3
    assert again.asked == [("get", "remote.json")]
    afresh = Counting(place)
    assert hows(push(done, Remote(place, backend=afresh), store=source, again=True)) == ["there"] * 3
    assert "put" not in [verb for verb, _ in afresh.asked]


@pytest.mark.parametrize("what", ["blobs/*/*", "trees/*/*", "refs/*", "claims/*/*"])
@pytest.mark.parametrize("how", ["missing", "cut", "longer", "other"])
def test_what_is_damaged_there_is_sent_anew(
    how: str, what: str, source: Store, target: Store, place: Path, done: Realization[Any]
) -> None:
    push(done, place, store=source)
    before = content(place)
    for path in place.glob(what):
        data = path.read_bytes()
        path.unlink()
        if how != "missing":
            path.write_bytes({"cut": data[:-1], "longer": data + b"\0", "other": b"?" * len(data)}[how])
    with pytest.raises(PylightnixError):
        pull(done.ref, place, store=target, unsigned=True)
    sent = push(done, place, store=source, again=True)
    assert "copied" in hows(sent) or "merged" in hows(sent)
    assert sent.sent < 50_000
    assert content(place) == before
    pull(done.ref, place, store=target, unsigned=True)
    is_same(source, target, done)
    assert hows(push(done, place, store=source, again=True)) == ["there"] * 3


def test_a_remote_that_was_made_anew_is_another_one(source: Store, place: Path, done: Realization[Any]) -> None:
    push(done, place, store=source)
    os.rename(place, place.with_name("before"))
    assert hows(push(done, place, store=source)) == ["copied"] * 3


def test_what_is_equal_is_sent_once(source: Store, place: Path) -> None:
    """Two derivations that gave the same artifacts."""
    push(realize({"one": same(1), "two": same(2)}, store=source, quiet=True).values(), place, store=source)
    assert len(list((place / "refs").iterdir())) == 2
    assert len(list((place / "trees").rglob("*.json"))) == 1


def test_more_that_is_known_comes_along(source: Store, target: Store, place: Path) -> None:
    first = realize(data(), store=source, quiet=True)
    push(first, place, store=source)
    pull(first.ref, place, store=target, unsigned=True)
    realize(data(), store=source, quiet=True, rebuild=[data()])
    again = push(first, place, store=source)
    assert hows(again) == ["merged"]
    assert again.size == 0
    assert hows(pull(first.ref, place, store=target, unsigned=True)) == ["merged"]
    assert len(target.realization(first.ref).runs) == 2
    is_same(source, target, first)
    third = Store(place.with_name("three"), durability="none")
    assert hows(pull(first.ref, place, store=third, unsigned=True)) == ["copied"]
    assert len(third.realization(first.ref).runs) == 2


def test_both_bring_what_they_know(source: Store, target: Store, place: Path) -> None:
    """Runs that were made in two stores are on both sides in the end."""
    ref = realize(data(), store=source, quiet=True).ref
    assert realize(data(), store=target, quiet=True).ref == ref
    push(ref, place, store=source)
    push(ref, place, store=target)
    third = Store(place.with_name("three"), durability="none")
    pull(ref, place, store=third, unsigned=True)
    assert len(list(Path(third.keeper.place(third.realization(ref).record)).glob("run-*.json"))) == 2


def test_records_alone(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    push(done, place, store=source)
    fetched = pull(done.ref, place, store=target, only=(), unsigned=True)
    assert hows(fetched) == ["record"] * 3
    best = target.realization(done.deps.best.ref)
    assert best.value == done.deps.best.value
    with pytest.raises(CollectedError, match="its artifacts are not here, only its record is"):
        _ = best.weights  # nobody has collected them
    assert target.verify().findings == ()
    assert hows(pull(done.ref, place, store=target, unsigned=True)) == ["copied"] * 3
    for one in ancestry(done):
        is_same(source, target, one)


def test_what_was_collected_is_sent_as_its_record(
    source: Store, target: Store, place: Path, done: Realization[Any]
) -> None:
    """What is asked for must have its artifacts; what it was made from need not."""
    first = done.deps.best.deps.source
    first.path.chmod(0o755)  # nobody but root moves what is sealed
    first.path.rename(place.with_name("collected"))
    assert hows(push(done, place, store=source)) == ["record", "copied", "copied"]
    assert hows(pull(done.ref, place, store=target, unsigned=True)) == ["record", "copied", "copied"]
    assert target.verify().findings == ()
    place.with_name("collected").rename(first.path)
    first.path.chmod(0o555)
    assert hows(push(done, place, store=source)) == ["copied", "there", "there"]
    assert hows(pull(done.ref, place, store=target, unsigned=True)) == ["copied", "there", "there"]
    is_same(source, target, first)


class Disturbed(Directory):
    """A directory of which whoever asks something is beside a collection."""

    def __init__(self, path: Path, disturb: Callable[[], None]) -> None:
        super().__init__(str(path))
        self._disturb = disturb

    def get(self, name: str, most: int) -> bytes | None:
        self._disturb()
        return super().get(name, most)

    def put(self, name: str, data: bytes) -> None:
        self._disturb()
        super().put(name, data)


@pytest.mark.parametrize("way", ["push", "pull"])
def test_a_collection_beside_it_takes_nothing_of_it(
    source: Store, target: Store, place: Path, tmp_path: Path, way: str
) -> None:
    """Nothing has a root, and this process has nothing of it in hand but what it sends or fetches."""
    pid = os.fork()
    if pid == 0:
        done = realize(nothing(), store=source.path, quiet=True)
        push(done, place, store=source)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    (ref,) = [str(record.ref) for record in source.keeper.records("nothing")]
    told: list[str] = []
    moved: list[str] = []
    store, where = (source, tmp_path / "another") if way == "push" else (target, place)

    def collect() -> None:
        if store.path.exists():
            command = [sys.executable, "-m", "pylightnix", "gc", "--unreachable", "--now", "--store", str(store.path)]
            told.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def seen(name: str, paths: tuple[object, ...]) -> None:
        if name == "rename" and way == "pull" and "/records/" in str(paths[-1]):
            collect()

    with Remote(where, backend=Disturbed(where, collect)) as remote, changes.observed(seen):
        if way == "push":
            result = push(ref, remote, store=source, told=lambda one: moved.append(one.ref))
        else:
            result = pull(ref, remote, store=target, unsigned=True, root="kept", told=lambda one: moved.append(one.ref))
    assert len(told) >= 3
    assert hows(result) == ["copied"] * 3
    assert all(one[:8] not in "".join(told) for one in moved)
    assert all(store.realization(one).path.is_dir() for one in moved)
    assert store.verify().sound
    if way == "push":
        assert hows(pull(ref, where, store=target, unsigned=True)) == ["copied"] * 3


def test_a_dry_run_changes_nothing(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    assert hows(push(done, place, store=source, dry_run=True)) == ["copied"] * 3
    assert not place.exists()
    push(done.deps.best, place, store=source)
    before = content(place)
    would = push(done, place, store=source, dry_run=True)
    assert (hows(would), would.sent) == (["there", "there", "copied"], 0)
    assert content(place) == before
    fetched = pull(done.deps.best.ref, place, store=target, dry_run=True, unsigned=True)
    assert hows(fetched) == ["copied"] * 2
    assert fetched.size == sum(one.record.size for one in ancestry(done)[1:])
    assert not target.path.exists()


def test_without_lists(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    """As a plain web server has it."""
    push(done, place, store=source)
    remote = Remote(place, backend=Blind(str(place)))
    with pytest.raises(UnknownReferenceError, match="not a whole reference"):
        pull(done.ref[:8], remote, store=target, unsigned=True)
    with pytest.raises(UnknownReferenceError, match="nothing is named"):
        pull(f"{'0' * 40}-model", remote, store=target, unsigned=True)
    assert hows(pull(done.ref, remote, store=target, unsigned=True)) == ["copied"] * 3
    with pytest.raises(RemoteError, match="only be read"):
        push(done, remote, store=source)


def test_roots(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    push(done, place, store=source)
    with pytest.raises(BadNameError):
        pull(done.ref, place, store=target, root="a/b", unsigned=True)
    pull(done.ref, place, store=target, root="ours", unsigned=True)
    target.gc(unreachable=True, trash="0d")
    for one in ancestry(done):
        is_same(source, target, one)


def test_nobody_is_believed_who_has_not_signed(
    source: Store, target: Store, place: Path, done: Realization[Any]
) -> None:
    push(done, place, store=source)
    with pytest.raises(TrustError, match="nobody has signed it"):
        pull(done.ref, place, store=target)
    assert not target.path.exists() or not list(target.keeper.records())


def test_what_is_named_must_be_there(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    with pytest.raises(RemoteError, match="no remote"):
        pull(done.ref, place, store=target)
    push(done, place, store=source)
    for ref in ("0" * 8, done.ref[:8] + "zz"):
        with pytest.raises(UnknownReferenceError):
            pull(ref, place, store=target, unsigned=True)
    for digit in "01":
        (place / "refs" / f"{done.ref[:5]}{digit * 35}-x").write_text("x")
    with pytest.raises(UnknownReferenceError, match="names 3 things"):
        pull(done.ref[:5], place, store=target, unsigned=True)
    for verb in (push, pull):
        with pytest.raises(ArgumentError, match="nothing is named"):
            verb([], place, store=target)


def test_what_others_put_among_references(
    source: Store, target: Store, place: Path, done: Realization[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is none of them, and hides none; what is said of it names the remote, whatever that is called."""
    push(done, place.with_name("r"), store=source)
    monkeypatch.chdir(place.parent)
    refs = Path("r/refs")
    (refs / done.ref[:6]).mkdir()
    (refs / done.ref[:6] / "y").write_text("x")
    (refs / f"{'0' * 40}+x").write_text("x")
    (refs / f"{'1' * 40}-model").write_text("x")
    with pytest.raises(UnknownReferenceError, match="nothing is named 0000"):
        pull("0000", "r", store=target, unsigned=True)
    with pytest.raises(DamageError, match=r"^r: refs/1111.*no key of it"):
        pull("1" * 40, "r", store=target, unsigned=True)
    assert pull(done.ref[:6], "r", store=target, unsigned=True).refs == (done.ref,)


def test_a_place_of_something_else_is_left_alone(source: Store, place: Path, done: Realization[Any]) -> None:
    place.mkdir()
    (place / "thesis.tex").write_text("x")
    with pytest.raises(RemoteError, match="something else is there"):
        push(done, place, store=source)
    assert [one.name for one in place.iterdir()] == ["thesis.tex"]


@stage(code="ignore")
def after(table: Any, number: int = 0, other: Path = promise("other.txt")) -> None:
    other.write_text(f"after {table.read_text()}")


@stage(code="ignore")
def last(before: Dep = after(None), other: Path = promise("other.txt")) -> None:
    other.write_text(before.other.read_text())


def test_what_came_along_is_what_it_was_made_from(source: Store, target: Store, place: Path, tmp_path: Path) -> None:
    """Made from one thing, and used with another one of the same bytes: where the first is not, the second counts."""
    first, done = (realize(last(after(same(number).table)), store=source, quiet=True) for number in (1, 2))
    assert first.ref == done.ref
    before = done.deps.before.deps.table
    assert before.ref != first.deps.before.deps.table.ref
    push(done, place, store=source)
    pull(done.ref, place, store=target, root="kept", unsigned=True)
    assert target.realization(done.ref).deps.before.deps.table.ref == before.ref
    assert hows(push(done.ref, tmp_path / "on", store=target)) == ["copied"] * 3
    target.gc(unreachable=True, trash="0d", older_than="0d")
    assert target.realization(before.ref).path.exists()
    third = Store(tmp_path / "three", durability="none")
    realize(last(after(same(1).table)), store=third, quiet=True)
    pull(done.ref, place, store=third, root="kept", unsigned=True)
    third.gc(unreachable=True, trash="0d", older_than="0d")
    assert third.realization(before.ref).path.exists(), "the root keeps what was asked for"
    assert third.verify().findings == ()


class Overtaken(Directory):
    """A directory in which somebody else is faster: all of their push happens after the first look."""

    def __init__(self, path: Path, push: Callable[[], object]) -> None:
        super().__init__(str(path))
        self._push: Callable[[], object] | None = push

    def get(self, name: str, most: int) -> bytes | None:
        data = super().get(name, most)
        other, self._push = self._push, None
        if other is not None:
            other()
        return data


def test_two_make_a_remote_at_once(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    other = realize(same(1), store=target, quiet=True)
    overtaken = Remote(place, backend=Overtaken(place, lambda: push(other, place, store=target)))
    assert hows(push(done, overtaken, store=source)) == ["copied"] * 3
    assert hows(push(done, place, store=source)) == ["there"] * 3
    assert len(list((place / "refs").iterdir())) == 4


def test_a_newer_remote_is_refused(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    push(done, place, store=source)
    head = place / "remote.json"
    head.write_text(head.read_text().replace("remote/1", "remote/2"))
    for verb in (push, pull):
        with pytest.raises(FormatError, match="remote/2"):
            verb(done.ref, place, store=source)


def test_what_is_damaged_here_is_not_sent(source: Store, place: Path, done: Realization[Any]) -> None:
    best, first = done.deps.best, done.deps.best.deps.source
    path = best.path / "w.bin"
    path.chmod(0o644)
    path.write_text("other")
    with pytest.raises(DamageError, match="not what its record says"):
        push(done, place, store=source)
    refs = [one.name for one in (place / "refs").iterdir()]
    assert refs == [str(first.ref)], "what came before is there, and nothing else"


def every_file(place: Path) -> list[Path]:
    return sorted(one for one in place.rglob("*") if one.is_file())


def damage(path: Path, how: str) -> None:
    before = path.read_bytes()
    path.chmod(0o644)
    if how == "flipped":
        middle = len(before) // 2
        path.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
    elif how == "truncated":
        path.write_bytes(before[:-1])
    elif how == "emptied":
        path.write_bytes(b"")
    elif how == "gone":
        path.unlink()
    elif how == "a web page":
        path.write_bytes(b"<!DOCTYPE html><html><body>Please log in</body></html>")
    else:
        path.write_bytes(before + b" " * 100)


@pytest.mark.parametrize("how", ["flipped", "truncated", "emptied", "gone", "a web page", "longer"])
def test_what_is_damaged_there_is_not_taken_in(
    source: Store, target: Store, place: Path, done: Realization[Any], how: str
) -> None:
    """Whatever file of a remote is damaged: an error that says so or no difference, and nothing wrong is visible."""
    push(done, place, store=source)
    refused, told = 0, []
    for number, path in enumerate(every_file(place)):
        before = path.read_bytes()
        into = Store(target.path / str(number), durability="none")
        damage(path, how)
        try:
            pull(done.ref, place, store=into, unsigned=True)
        except (DamageError, RemoteError, UnknownReferenceError) as error:
            refused += 1
            told.append(str(error))
        else:
            unread = path.name == "index.json" or "refs" in path.parts
            assert unread or path.name == "remote.json", "an identity is as good as another"
        if into.path.exists():
            assert into.verify().findings == ()
        path.write_bytes(before)
        pull(done.ref, place, store=into, unsigned=True)
        is_same(source, into, done)
    assert refused >= len(every_file(place)) - 6
    assert all("\n  " in one for one in told), "each says what to do next"


def test_another_objects_bytes(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    push(done, place, store=source)
    blobs = [one for one in every_file(place) if "blobs" in one.parts]
    contents = [one.read_bytes() for one in blobs]
    for path, other in zip(blobs, contents[1:] + contents[:1], strict=True):
        path.write_bytes(other)
    with pytest.raises(DamageError):
        pull(done.ref, place, store=target, unsigned=True)


def test_a_claim_of_something_else(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    """The offer of one realization under the name of another."""
    push(done, place, store=source)
    offers = sorted(one for one in (place / "claims").rglob("*@*.json"))
    offers[0].write_bytes(offers[1].read_bytes())
    with pytest.raises(DamageError):
        pull(done.ref, place, store=target, unsigned=True)


def test_what_is_not_there_is_told(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    push(done, place, store=source)
    gone = done.deps.best.deps.source
    for path in (place / "claims").glob(f"*/{gone.ref.digits}@*.json"):
        path.unlink()
    with pytest.raises(RemoteError, match="was made from it"):
        pull(done.ref, place, store=target, unsigned=True)
    fetched = pull(done.ref, place, store=target, unsigned=True, incomplete=True)
    assert (hows(fetched), fetched.absent) == (["copied"] * 2, (gone.ref,))


def test_what_was_removed_here_is_told(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    gone = done.deps.best.deps.source.ref
    source.remove(gone, force=True)
    with pytest.raises(StoreError, match="removed"):
        push(done, place, store=source)
    assert push(done, place, store=source, incomplete=True).absent == (gone,)
    assert pull(done.ref, place, store=target, unsigned=True, incomplete=True).absent == (gone,)


def test_of_many(source: Store, target: Store, place: Path) -> None:
    all3 = realize_many(model().with_matcher(match.all(of=3)), store=source, quiet=True)
    push(all3, place, store=source)
    pull([one.ref for one in all3], place, store=target, unsigned=True)
    for one in all3:
        is_same(source, target, one)
    best = model().with_matcher(match.best("score", of=3))
    assert all(step.action == "reuse" for step in plan(best, store=target).steps)


@pytest.mark.parametrize("what", ["push", "pull"])
def test_killed_at_a_change(what: str, source: Store, target: Store, place: Path) -> None:
    """A process that dies at any change of files leaves what the next one completes."""
    done = realize(nothing(), store=source, quiet=True)
    if what == "pull":
        push(done, place, store=source)
    died = 0
    for last in itertools.count(0, EVERY):
        there = place.with_name(f"remote{last}") if what == "push" else place
        into = Store(target.path / str(last), durability="none")

        def work(there: Path = there, into: Store = into) -> None:
            if what == "push":
                push(done, there, store=source)
            else:
                pull(done.ref, there, store=into, unsigned=True)

        if not dies_at(last, work):
            break
        died += 1
        if into.path.exists() and (into.path / "format.json").exists():
            assert into.verify().findings == ()
        work()
        if what == "push":
            pull(done.ref, there, store=into, unsigned=True)
        is_same(source, into, done)
    assert died > 3


def test_what_a_push_remembers_is_written_where_a_collection_sweeps(source: Store, place: Path) -> None:
    done = realize(nothing(), store=source, quiet=True)
    opened: list[str] = []
    with changes.observed(lambda name, about: opened.append(str(about[0])) if name == "open" else None):
        push(done, place, store=source)
    inside = [path.removeprefix(f"{source.path}/") for path in opened if path.startswith(f"{source.path}/")]
    assert {path.partition("/")[0] for path in inside} <= {"tmp", "locks"}
    assert any(path.startswith("tmp/") for path in inside)


def test_a_rename_that_is_refused(source: Store, target: Store, place: Path) -> None:
    """Whichever it is, it is told as what happened to the store."""
    done = realize(nothing(), store=source, quiet=True)
    push(done, place, store=source)
    told = 0
    for point in itertools.count():
        left = iter(range(point))

        def refuse(name: str, paths: tuple[object, ...], left: Iterator[int] = left) -> None:
            if name == "rename" and next(left, None) is None:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

        into = Store(target.path / str(point), durability="none")
        with changes.observed(refuse):
            try:
                pull(done.ref, place, store=into, unsigned=True)
            except StoreError:
                told += 1
        pull(done.ref, place, store=into, unsigned=True)
        is_same(source, into, done)
        if next(left, None) is not None:
            break
    assert told > 5


def test_one_promise_alone(source: Store, target: Store, place: Path) -> None:
    """Small files share pieces, and a large one has its own: each can be had alone."""
    done = realize(many(), store=source, quiet=True)
    push(done, place, store=source)
    pull(done.ref, place, store=target, unsigned=True, only=["middle", "large"])
    there = target.realization(done.ref)
    assert not there.path.exists()
    assert there.middle.read_bytes() == done.middle.read_bytes()
    assert there.large.read_bytes() == done.large.read_bytes()
    with pytest.raises(CollectedError):
        _ = there.last
    assert target.verify().findings == ()
    assert there.fetch("last").read_bytes() == done.last.read_bytes()
    with pytest.raises(UnknownPromiseError, match="middle"):
        there.fetch("nothing")
    assert there.fetch("folder") == there.path / "folder"
    is_same(source, target, done)
    assert there.fetch() == there.path


def test_what_is_not_here_is_fetched_from_where_it_came(source: Store, target: Store, place: Path) -> None:
    done = realize(nothing(), store=source, quiet=True)
    push(done, place, store=source)
    pull(done.ref, place, store=target, unsigned=True, only=())
    best = target.realization(done.ref).deps.best
    assert best.fetch("weights").read_text() == done.deps.best.weights.read_text()
    place.rename(place.with_name("elsewhere"))
    first = best.deps.source
    with pytest.raises(CollectedError, match="no remote that is known"):
        first.fetch()
    target.remotes = [str(place.with_name("elsewhere"))]
    assert (first.fetch() / "table.txt").read_text() == "one two"
    is_same(source, target, first)


def test_wrong_bytes_are_not_fetched(source: Store, target: Store, place: Path, done: Realization[Any]) -> None:
    push(done, place, store=source)
    pull(done.ref, place, store=target, unsigned=True, only=())
    for path in (place / "blobs").rglob("*"):
        if path.is_file():
            damage(path, "flipped")
    best = target.realization(done.deps.best.ref)
    for name in ("weights", None):
        with pytest.raises(DamageError):
            best.fetch(name)
    assert target.verify().findings == ()
    assert not best.path.exists()


def test_repair_has_what_is_damaged_from_a_remote(source: Store, place: Path, done: Realization[Any]) -> None:
    push(done, place, store=source)
    source.remotes = [str(place)]
    path = done.deps.best.path / "w.bin"
    path.chmod(0o644)
    path.write_text("other")
    report = source.verify(repair=True)
    assert {str(one.outcome) for one in report.repairs} == {"fetched"}
    assert source.verify().findings == ()
    assert path.read_text().startswith("one two")


def test_what_a_pull_would_change(source: Store, target: Store, place: Path) -> None:
    """New candidates, choices that would be others, and what would not be built any more."""
    here = realize(model().with_matcher(match.best("score")), store=target, quiet=True)
    done = realize(nothing(), store=source, quiet=True)
    there = done.deps.best
    push(done, place, store=source)
    before = content(target.path / "records")
    asked = {"better": nothing(best=model().with_matcher(match.best("score"))), "other": data(large=1)}
    would = pull(done.ref, place, store=target, unsigned=True, dry_run=True, targets=asked)
    assert [(one.ref, one.beside) for one in would.fresh] == [(there.ref, 1), (done.ref, 0)]
    changed = {one.derivation.name: (one.before, one.after) for one in would.changes}
    assert changed.keys() == {"model", "nothing"}
    assert changed["model"][0].chosen == (here.ref,)
    assert changed["model"][1].chosen == (there.ref,)
    assert changed["nothing"][0].action == "build"
    assert changed["nothing"][1].chosen == (done.ref,)
    assert content(target.path / "records") == before
    pull(done.ref, place, store=target, unsigned=True)
    assert {step.derivation.name: step.chosen for step in plan(asked, store=target)}["model"] == (there.ref,)
    again = pull(done.ref, place, store=target, unsigned=True, dry_run=True, targets=asked)
    assert (again.fresh, again.changes) == ((), ())


def test_runs_that_a_pull_would_add_count(source: Store, target: Store, place: Path) -> None:
    """What is here already has more runs then."""
    more = same(1).with_matcher(match.all(of=3))
    realize(same(1), store=target, quiet=True)
    (done,) = realize_many(more, store=source, quiet=True)
    push(done, place, store=source)
    (change,) = pull(done.ref, place, store=target, unsigned=True, dry_run=True, targets=more).changes
    assert (change.before.action, change.before.wanted) == ("build", 2)
    assert change.after.chosen == (done.ref,)
    pull(done.ref, place, store=target, unsigned=True)
    assert plan(more, store=target).steps[-1].chosen == (done.ref,)


class Short(Counting):
    """A directory that gives so many blobs and then nothing more."""

    left = 0

    def get(self, name: str, most: int) -> bytes | None:
        if name.startswith("blobs/"):
            self.left -= 1
            if self.left < 0:
                raise RemoteError("the connection was lost", where=self.url)
        return super().get(name, most)

    def blobs(self) -> int:
        return sum(name.startswith("blobs/") for verb, name in self.asked if verb == "get")


def test_a_large_file_goes_on_where_it_stopped(source: Store, target: Store, place: Path) -> None:
    done = realize(data(large=6 * PIECE), store=source, quiet=True)
    push(done, place, store=source)
    whole = Short(place)
    whole.left = 1000
    pull(done.ref, Remote(place, backend=whole), store=target.path.with_name("whole"), unsigned=True)
    fetched, attempts = 0, 0
    while True:
        short = Short(place)
        short.left = 5
        attempts += 1
        assert attempts < 20, "it does not go on"
        try:
            pull(done.ref, Remote(place, backend=short), store=target, unsigned=True)
        except RemoteError:
            fetched += short.blobs()
            assert target.verify().findings == ()
            left = [one for one in (target.path / "tmp" / "checkpoints").rglob("*") if one.is_file()]
            assert all(one.stat().st_mode & stat.S_IWUSR for one in left), "else only root can go on"
            continue
        fetched += short.blobs()
        break
    assert attempts > 2
    again = 3 * (attempts - 1)  # notes, manifest, pack
    assert fetched - again <= whole.blobs() + 8 * (attempts - 1), "what was under way, and nothing that had come"
    is_same(source, target, done)
    assert not list((target.path / "tmp" / "checkpoints").iterdir())


def test_what_came_of_another_file_is_no_beginning(source: Store, target: Store, place: Path) -> None:
    """Whatever stands where a beginning would: what comes out is right."""
    done = realize(data(large=4 * PIECE), store=source, quiet=True)
    push(done, place, store=source)
    target.create()
    above = target.path / "tmp" / "checkpoints"
    for number, size in enumerate((0, PIECE + 3, 6 * PIECE)):
        left = above / f"{done.record.tree[:40]}-0-left-{number}-0123456789ab"
        left.mkdir(parents=True)
        (left / "0").write_bytes(b"x" * size)
        into = Store(target.path, durability="none")
        pull(done.ref, place, store=into, unsigned=True)
        is_same(source, into, done)
        into.remove(done.ref)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_promise_that_is_none_is_told_before_anything_is_taken_in(
    dry_run: bool, source: Store, target: Store, place: Path, done: Realization[Any]
) -> None:
    push(done, place, store=source)
    ref = done.deps.best.ref
    with pytest.raises(UnknownPromiseError, match="has no promise 'wieghts'") as caught:
        pull(ref, place, store=target, unsigned=True, only=["weights", "wieghts"], dry_run=dry_run)
    assert caught.value.hint.startswith("perhaps 'weights'; its promises: ")
    assert not (target.path / "records").exists() or not list((target.path / "records").iterdir())
    pull(ref, place, store=target, unsigned=True, only=(name for name in ["weights"]), dry_run=dry_run)
    if not dry_run:
        with pytest.raises(UnknownPromiseError, match="has no promise 'other'"):
            pull(ref, place, store=target, unsigned=True, only="other")


@stage(code="ignore")
def pieces(build: Build, count: int, size: int) -> None:
    for number in range(count):
        (build.out / f"f{number}").write_bytes(os.urandom(size))


@pytest.mark.parametrize(("count", "size"), [(12, PACKED + 1), (30, PACKED - 1)], ids=["several", "small"])
def test_several_files_go_on_where_they_stopped(
    count: int, size: int, source: Store, target: Store, place: Path
) -> None:
    done = realize(pieces(count, size), store=source, quiet=True)
    push(done, place, store=source)
    large = sum(path.stat().st_size > 1 << 19 for path in (place / "blobs").rglob("*"))
    assert large == (count if size > PACKED else 4)
    attempts = 0
    while not target.path.exists() or not list((target.path / "store").iterdir()):
        attempts += 1
        assert attempts <= large, "of four that come each time, two are what is known and the manifest"
        short = Short(place)
        short.left = 4
        with contextlib.suppress(RemoteError):
            pull(done.ref, Remote(place, backend=short), store=target, unsigned=True)
    is_same(source, target, done)
    assert not list((target.path / "tmp" / "checkpoints").iterdir())
