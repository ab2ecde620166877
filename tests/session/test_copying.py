"""From store to store: all of it, verified, whole or not there, whatever happens in between."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix import (
    Build,
    Dep,
    Derivation,
    Realization,
    Store,
    copy,
    export,
    import_archive,
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
    StoreError,
    UnknownReferenceError,
)
from pylightnix.store import changes
from pylightnix.store.closures import closure_of
from pylightnix.store.removal import remove_tree
from tests.dying import EVERY, dies_at


@stage(code="ignore")
def data(build: Build, table: Path = promise("table.txt")) -> None:
    print("a line for the log")
    table.write_text("one two")
    (build.out / "deep").mkdir()
    (build.out / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (build.out / "deep" / "run.sh").chmod(0o755)
    (build.out / "deep" / "link").symlink_to("run.sh")
    (build.out / "empty").mkdir()
    (build.out / os.fsdecode(b"\xff")).write_bytes(b"no UTF-8")


@stage(code="ignore", matcher=match.best("score", of=3))
def model(build: Build, source: Dep = data(), weights: Path = promise("w.bin")) -> dict[str, float]:
    weights.write_text(f"{source.table.read_text()} {build.run}")
    return {"score": build.run % 2 + 0.5}


@stage(code="ignore")
def nothing(best: Dep = model()) -> float:
    return float(best.value["score"])


@pytest.fixture
def source(tmp_path: Path) -> Store:
    return Store(tmp_path / "one", durability="none")


@pytest.fixture
def target(tmp_path: Path) -> Store:
    return Store(tmp_path / "two", durability="none")


@pytest.fixture
def done(source: Store) -> Realization[Any]:
    return realize(nothing(), store=source, quiet=True)


def files_below(path: Path) -> dict[str, tuple[int, object]]:
    """Kinds, modes and contents."""
    return {
        os.fsencode(one.relative_to(path)).decode(errors="backslashreplace"): (
            one.lstat().st_mode,
            os.readlink(one) if one.is_symlink() else one.read_bytes() if one.is_file() else None,
        )
        for one in path.rglob("*")
    }


def is_same(one: Store, other: Store, realization: Realization[Any]) -> None:
    record = realization.record
    assert files_below(one.keeper.payload(record)) == files_below(other.keeper.payload(record))
    records = [files_below(Path(store.keeper.place(record))) for store in (one, other)]
    assert records[0] == records[1]
    assert stat.S_IMODE(other.keeper.payload(record).lstat().st_mode) & 0o222 == 0


def test_all_that_it_was_made_from_comes_along(source: Store, target: Store, done: Realization[Any]) -> None:
    copied = copy(done, to=target, store=source)
    assert [(one.ref.name, one.how) for one in copied.moved] == [(n, "copied") for n in ("data", "model", "nothing")]
    for one in (done, done.deps.best, done.deps.best.deps.source):
        is_same(source, target, one)
    assert target.verify().sound
    there = target.realization(done.ref)
    assert there.deps.best.deps.source.table.read_text() == "one two"
    assert there.deps.best.deps.source.log == "a line for the log\n"
    assert copied.size == sum(one.record.size for one in target.realizations())
    assert {p.name for p in (target.path / "environments").iterdir()} == {
        p.name for p in (source.path / "environments").iterdir()
    }
    (target.path / "tmp").rmdir()  # nothing is left in it


@stage(code="ignore")
def same(number: int, table: Path = promise("table.txt")) -> None:
    table.write_text("whatever the number")


@stage(code="ignore")
def after(table: Any, other: Path = promise("other.txt")) -> None:
    other.write_text(table.read_text())


@stage(code="ignore")
def last(before: Dep = after(None), other: Path = promise("other.txt")) -> None:
    other.write_text(before.other.read_text())


@pytest.mark.parametrize("way", ["copy", "archive"])
def test_what_comes_along_is_what_it_was_made_from(way: str, source: Store, target: Store, tmp_path: Path) -> None:
    """Made from one thing, and used with another one of the same bytes: where the first is not, the second counts."""
    first, used = (realize(last(after(same(number).table)), store=source, quiet=True) for number in (1, 2))
    before = used.deps.before.deps.table
    assert first.ref == used.ref
    assert first.deps.before.deps.table.ref != before.ref
    if way == "copy":
        copy(used, to=target, store=source)
    else:
        export(used, tmp_path / "x.plx", store=source)
        import_archive(tmp_path / "x.plx", store=target)
    assert target.realization(used.ref).deps.before.deps.table.ref == before.ref
    assert len(copy(used.ref, to=tmp_path / "three", store=target).moved) == 3
    assert target.verify().findings == ()
    assert source.realization(used.ref).deps.before.deps.table.ref == first.deps.before.deps.table.ref


def test_what_is_there_is_left_as_it_is(source: Store, target: Store, done: Realization[Any]) -> None:
    copy(done, to=target, store=source)
    before = files_below(target.path / "store")
    made: list[tuple[str, tuple[object, ...]]] = []
    with changes.observed(lambda name, paths: made.append((name, paths))):
        again = copy(str(done.ref)[:12], to=target.path, store=source.path)
    assert {one.how for one in again.moved} == {"there"}
    assert again.size == 0
    assert files_below(target.path / "store") == before
    outside_of_locks = [paths for _, paths in made if paths and "/records/" in str(paths)]
    assert outside_of_locks == []


def test_it_is_not_made_again_there(source: Store, target: Store) -> None:
    both = realize_many(model(), store=source, quiet=True), realize(nothing(), store=source, quiet=True)
    for record in source.realizations():
        copy(record, to=target, store=source)
    assert all(step.action == "reuse" for step in plan(nothing(), store=target).steps)
    assert realize(nothing(), store=target, quiet=True).ref == both[1].ref


def test_equal_results_get_the_runs(source: Store, target: Store, done: Realization[Any]) -> None:
    realize(data(), store=target, quiet=True)
    realize(data(), store=target, quiet=True, rebuild=["data"])
    copied = copy(done, to=target, store=source)
    assert [one.how for one in copied.moved] == ["merged", "copied", "copied"]
    (one,) = target.realizations(name="data")
    assert len(list(Path(target.keeper.place(one.record)).glob("run-*.json"))) == 3
    assert target.verify().sound
    copy(one, to=source, store=target)
    assert source.verify().sound
    (back,) = source.realizations(name="data")
    assert {run.index for run in back.runs} == {0, 1}
    assert Path(source.keeper.layout.records, one.record.home, "1.run").exists()


def test_dry_run_changes_nothing(source: Store, target: Store, done: Realization[Any]) -> None:
    told = copy(done, to=target, store=source, dry_run=True)
    assert [one.how for one in told.moved] == ["copied"] * 3
    assert not target.path.exists()
    real = copy(done, to=target, store=source)
    assert [one._replace(shared=0) for one in real.moved] == [*told.moved]
    assert {one.how for one in copy(done, to=target, store=source, dry_run=True).moved} == {"there"}


@pytest.mark.parametrize("how", ["byte", "cut", "gone", "link", "executable"])
def test_a_damaged_source(source: Store, target: Store, done: Realization[Any], how: str) -> None:
    best = done.deps.best
    path = best.path / "w.bin"
    path.parent.chmod(0o755)
    path.chmod(0o644)
    if how == "byte":
        path.write_text(path.read_text().replace("one", "won"))
    elif how == "cut":
        path.write_text("o")
    elif how == "executable":
        path.chmod(0o555)
    else:
        path.rename(source.path / "elsewhere")
    if how == "link":
        path.symlink_to(source.path / "elsewhere")
    if how == "executable":  # the manifest says what it was
        copy(done, to=target, store=source)
        assert target.verify().sound
        return
    with pytest.raises(DamageError) as caught:
        copy(done, to=target, store=source)
    assert "w.bin" in str(caught.value)
    assert [one.name for one in target.realizations()] == ["data"]
    assert target.verify().sound
    assert list((target.path / "tmp").iterdir()) == []


def test_what_was_collected_goes_as_a_record(source: Store, target: Store, done: Realization[Any]) -> None:
    table = done.deps.best.deps.source.record
    remove_tree(source.keeper.payload_text(table))
    copied = copy(done, to=target, store=source)
    assert [one.how for one in copied.moved] == ["record", "copied", "copied"]
    assert target.verify().sound
    with pytest.raises(CollectedError):
        copy(str(table.ref), to=target, store=source)
    remade = realize(data(), store=source, quiet=True)
    copied = copy(remade, to=target, store=source)
    assert [one.how for one in copied.moved] == ["copied"]
    assert target.realization(table.ref).table.read_text() == "one two"
    assert target.verify().sound


def test_a_record_alone_never_takes_up_what_a_crash_left(source: Store, target: Store, done: Realization[Any]) -> None:
    table = done.deps.best.deps.source.record
    remove_tree(source.keeper.payload_text(table))
    target.create()
    left = target.keeper.payload(table)
    left.mkdir()
    (left / "table.txt").write_text("half")
    copy(done, to=target, store=source)
    assert not left.exists()
    assert target.verify().sound


def test_what_was_removed_is_an_error(source: Store, target: Store, done: Realization[Any]) -> None:
    best = done.deps.best
    source.remove(best.deps.source.ref)
    with pytest.raises(StoreError, match="removed from this store, and model"):
        copy(done, to=target, store=source)
    assert not target.path.exists() or target.realizations() == []
    copied = copy(done, to=target, store=source, incomplete=True)
    assert [ref.name for ref in copied.absent] == ["data"]
    assert [one.ref.name for one in copied.moved] == ["model", "nothing"]
    assert target.verify().sound


def write(table: Path) -> None:
    table.write_text("the same")


def words(version: str) -> Derivation[None]:
    return Derivation(name="words", builder=write, promises={"table": "words.txt"}, version=version)


@stage(code="ignore")
def number(source: Dep) -> int:
    return len(source.table.read_text())


@pytest.mark.parametrize("way", ["copy", "push", "export"])
def test_where_its_first_origin_was_removed_it_comes_with_another(
    source: Store, target: Store, tmp_path: Path, way: str
) -> None:
    made = [realize(number(words(version)), store=source, quiet=True) for version in ("one", "two", "three")]
    done = made[0]
    assert {one.ref for one in made} == {done.ref}
    first = source.realization(done.ref).deps.source
    source.remove(first.ref)
    assert [one.chosen for one in source.realization(done.ref).context.inputs.values()] == [(first.ref,)]
    if way == "copy":
        copy(done.ref, to=target, store=source)
    elif way == "push":
        push(done.ref, tmp_path / "remote", store=source)
        pull(done.ref, tmp_path / "remote", store=target, unsigned=True)
    else:
        export(done.ref, tmp_path / "closure.plx", store=source)
        import_archive(tmp_path / "closure.plx", store=target)
    there = target.realization(done.ref)
    assert there.value == 8
    assert there.deps.source.ref in {one.deps.source.ref for one in made[1:]}
    assert target.verify().findings == ()


def test_wrong_use(source: Store, target: Store, done: Realization[Any], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="the same"):
        copy(done, to=source, store=source)
    (tmp_path / "link").symlink_to(source.path)
    with pytest.raises(ArgumentError, match="the same"):
        copy(done, to=tmp_path / "link", store=source)
    with pytest.raises(UnknownReferenceError):
        copy("00", to=target, store=source)
    with pytest.raises(ArgumentError, match="nothing is named"):
        copy([], to=target, store=source)
    for refs, what in ((data(), "a derivation"), (data, "a stage"), ([data()], "a derivation"), (None, "None")):
        given: Any = refs
        for verb in (copy, push, pull):
            to: Any = {"to": target} if verb is copy else {"remote": tmp_path / "r"}
            with pytest.raises(ArgumentError, match=f"{what} is no realization"):
                verb(given, **to, store=source)
    assert not (tmp_path / "r").exists()


def test_killed_at_any_change_the_next_attempt_completes(source: Store, done: Realization[Any], tmp_path: Path) -> None:
    for point in itertools.count(0, EVERY):
        path = tmp_path / f"t{point}"
        died = dies_at(point, lambda path=path: copy(str(done.ref), to=path, store=source.path))
        half = Store(path, durability="none")
        assert half.verify().sound
        for record in half.keeper.records():
            assert closure_of(half.keeper, _selection(half, record.ref)).absent == ()
        copy(done, to=half, store=source)
        assert half.verify().sound
        assert {one.ref for one in half.realizations()} == {one.ref for one in _chain(done)}
        half.gc(unreachable=True, older_than="1d")
        assert list((path / "tmp").iterdir()) == []
        if not died:
            assert point > 40
            return
        remove_tree(path)


def _selection(store: Store, ref: str) -> Any:
    from pylightnix.model.selection import selection_of

    return selection_of([store.realization(ref)])


def _chain(done: Realization[Any]) -> list[Realization[Any]]:
    return [done, done.deps.best, done.deps.best.deps.source]


def test_beside_a_collection_in_either_store(source: Store, target: Store) -> None:
    """While the artifacts of all lie in the other store without a record, and before, somebody collects in both."""
    pid = os.fork()
    if pid == 0:  # so that this process has nothing of it in hand
        realize(nothing(), store=source.path, quiet=True)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    (ref,) = [str(record.ref) for record in source.keeper.records("nothing")]
    told: list[str] = []

    def collect(name: str, paths: tuple[object, ...]) -> None:
        if name == "symlink" or (name == "rename" and "/records/" in str(paths[-1])):
            for store in (source, target):
                command = [sys.executable, "-m", "pylightnix", "gc", "--unreachable", "--store", str(store.path)]
                told.append(subprocess.run(command, check=True, capture_output=True, text=True).stderr)

    with changes.observed(collect):
        copied = copy(ref, to=target, store=source)
    assert len(told) >= 8
    assert {one.how for one in copied.moved} == {"copied"}
    assert target.verify().sound
    for one in copied.moved:
        assert [store.realization(one.ref).path.is_dir() for store in (source, target)] == [True, True], told


def test_a_full_disk_at_any_change(source: Store, done: Realization[Any], tmp_path: Path) -> None:
    for point in itertools.count(0, EVERY):
        path, left = tmp_path / f"full{point}", iter(range(point))

        def refuse(name: str, paths: tuple[object, ...], left: Iterator[int] = left, path: Path = path) -> None:
            ours = any(str(path) in str(one) for one in paths) or name in ("write", "copy")
            if ours and name not in ("unlink", "rmdir", "chmod", "flock") and next(left, None) is None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        refused = True
        with changes.observed(refuse):
            try:
                copy(done, to=Store(path, durability="none"), store=source)
            except StoreError as error:
                assert error.fields.get("errno") == errno.ENOSPC, error  # noqa: PT017
            else:
                refused = False
        half = Store(path, durability="none")
        assert half.verify().sound
        copy(done, to=half, store=source)
        assert half.verify().sound
        assert len(half.realizations()) == 3
        if not refused:
            assert point > 30
            return
        remove_tree(path)


def test_a_copy_that_could_not_begin_holds_nothing(source: Store, target: Store, done: Realization[Any]) -> None:
    def refuse(name: str, paths: tuple[object, ...]) -> None:
        if name == "mkdir" and str(paths[0]) == str(target.path / "tmp"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with changes.observed(refuse), pytest.raises(StoreError):
        copy(done, to=target, store=source)
    copy(done, to=target, store=source)
    assert list((target.path / "locks" / "held").iterdir()) == []


def test_several_at_once(source: Store, target: Store, done: Realization[Any]) -> None:
    pids = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                copy(str(done.ref), to=target.path, store=source.path)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4
    assert target.verify().sound
    assert len(target.realizations()) == 3
    assert list((target.path / "tmp").iterdir()) == []


def test_blocks_are_shared_where_that_can_be(source: Store, target: Store, done: Realization[Any]) -> None:
    probe = [os.open(source.path / name, os.O_RDWR | os.O_CREAT) for name in ("probe", "probe2")]
    os.write(probe[0], b"x")
    try:
        changes.clone(*probe)
    except OSError as error:
        pytest.skip(f"files cannot share blocks here: {error}")
    finally:
        for handle in probe:
            os.close(handle)
    copied = copy(done, to=target, store=source)
    assert copied.shared == copied.size > 0
    assert target.verify().sound


def test_no_file_has_a_name_in_both(source: Store, target: Store, done: Realization[Any]) -> None:
    copy(done, to=target, store=source)
    files = [one for one in (target.path / "store").rglob("*") if one.is_file() and not one.is_symlink()]
    assert {one.lstat().st_nlink for one in files} == {1}


def test_a_root_keeps_what_was_copied(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "one", durability="none"), Store(tmp_path / "two", durability="none")
    done = realize(model(), store=one, quiet=True)
    with pytest.raises(BadNameError):
        copy(done, to=two, store=one, root="no/name")
    copy(done, to=two, store=one, root="kept", dry_run=True)
    assert not two.path.exists()
    copied = copy(done, to=two, store=one, root="kept")
    assert [root.name for root in two.roots()] == ["kept"]
    two.gc(unreachable=True)
    assert all((two.path / "store" / one.ref).exists() for one in copied.moved)
    copy(done, to=tmp_path / "three", store=one)
    three = Store(tmp_path / "three")
    three.gc(unreachable=True)
    assert not list((three.path / "store").iterdir()), "without a root a collection takes it"
