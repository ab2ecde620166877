"""Writing a store: what is registered, in which order, with which rights; and what happens when somebody is killed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import promise, stage
from pylightnix.errors import StoreError, UnknownReferenceError
from pylightnix.hashing import digest_bytes
from pylightnix.model.keeping import Sealed
from pylightnix.model.records import Record, Run, make_context, seed_of
from pylightnix.names import KeyRef
from pylightnix.store import changes
from pylightnix.store.files import DamageWarning
from pylightnix.store.removal import remove_tree
from pylightnix.store.store import Store
from pylightnix.store.trees import hash_tree
from tests.powers import OWN_MOUNTS, skip_without_mounts

Make = Callable[..., Any]
HOME = KeyRef.of("a" * 64, "model")


def place(store: Store, record: Record) -> Path:
    return Path(store.keeper.place(record))


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def in_tmp(store: Store) -> list[str]:
    return names(store.path / "tmp")


# One realization


def test_what_is_registered(store: Store, make: Make) -> None:
    record = make(content="words", value={"score": 1}, log="said")
    assert names(store.keeper.payload(record)) == ["out.txt"]
    assert (store.keeper.payload(record) / "out.txt").read_text() == "words"
    inside = names(place(store, record))
    assert [name.partition("-")[0].partition(".")[0] for name in inside] == ["manifest", "record", "run", "run"]
    manifest = (place(store, record) / "manifest.jsonl").read_bytes()
    assert digest_bytes(manifest) == record.tree == hash_tree(store.keeper.payload(record)).digest
    (found,) = store.keeper.candidates(record.home, record.key)
    assert (found.ref, found.value, found.size, found.files) == (record.ref, {"score": 1}, 5, 1)
    assert found.promises["out"].kind == "file"
    assert found.made_in == store.keeper.runs(record)[0].context.hash
    assert names(place(store, record).parent) == [record.ref.digits]
    assert in_tmp(store) == []


def test_equal_results_are_one_realization_with_several_runs(store: Store, make: Make) -> None:
    records = [make(log=f"{i}") for i in range(3)]
    assert len({record.ref for record in records}) == 1
    assert names(store.path / "store") == [records[0].ref]
    assert [run.index for run in store.keeper.runs(records[0])] == [0, 1, 2]
    assert [store.keeper.log(records[0], run) for run in store.keeper.runs(records[0])] == ["0", "1", "2"]
    assert in_tmp(store) == []


def test_another_value_or_content_is_another_realization(store: Store, make: Make) -> None:
    made = [make(), make(value=1), make(content="x"), make(value=1.0), make(value="1"), make(value=True)]
    assert len({record.ref for record in made}) == 6


# What has a value alone


def valued(make: Make, value: object = 5) -> tuple[Sealed, Run]:
    """A run of a stage whose builder knows of no directory for artifacts."""
    ref, document = make.describe("model", 1, {})
    key, home = make.key("model", 1, {})
    make.keeper.write_derivation(ref, document)
    index = make.keeper.reserve(home)
    workspace = make.keeper.workspace(home, index, has_out=False)
    assert not os.path.lexists(workspace.out)
    sealed = make.keeper.seal(workspace, home, key, value, {})
    return sealed, Run(
        index, seed_of(key, index), "2026-03-01T12:00:00.000000+00:00", 0.5, make.context(ref, {}), None, {}
    )


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.usefixtures("_umask")
def test_what_has_a_value_alone_has_an_empty_sealed_directory(store: Store, make: Make, umask: int) -> None:
    os.umask(umask)
    record = make.keeper.register(*valued(make))
    payload = store.keeper.payload(record)
    assert (names(payload), stat.S_IMODE(payload.lstat().st_mode)) == ([], 0o555 & ~umask)
    assert (record.files, record.size, record.tree) == (0, 0, hash_tree(payload).digest)
    again = make.keeper.register(*valued(make))
    assert (again.ref, [run.index for run in store.keeper.runs(again)]) == (record.ref, [0, 1])
    assert in_tmp(store) == []


@pytest.mark.parametrize("left", ["nothing in it", "something in it", "a file", "a link"])
def test_what_lies_in_its_place_gives_way(store: Store, make: Make, left: str) -> None:
    sealed, run = valued(make)
    payload = Path(store.keeper.payload_text(sealed.record))
    if left.endswith("in it"):
        payload.mkdir()
        if left == "something in it":
            (payload / "x").touch()
    elif left == "a file":
        payload.touch()
    else:
        (store.path / "elsewhere").mkdir(mode=0o755)
        payload.symlink_to(store.path / "elsewhere")
    record = make.keeper.register(sealed, run)
    assert (payload.is_symlink(), names(payload), stat.S_IMODE(payload.lstat().st_mode) & 0o222) == (False, [], 0)
    assert hash_tree(payload).digest == record.tree


def test_its_lost_directory_comes_back(store: Store, make: Make) -> None:
    record = make.keeper.register(*valued(make))
    payload = store.keeper.payload(record)
    payload.rmdir()
    make.keeper.register(*valued(make))
    assert (names(payload), stat.S_IMODE(payload.lstat().st_mode) & 0o222) == ([], 0)
    assert names(store.path / "store") == [record.ref]


@pytest.fixture
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
@pytest.mark.usefixtures("_umask")
def test_rights_are_those_of_the_umask_and_artifacts_are_read_only(store: Store, make: Make, umask: int) -> None:
    os.umask(umask)
    sealed, run = make.sealed(log="text")
    os.chmod(sealed.workspace.out, 0o755 & ~umask)
    record = make.keeper.register(sealed, run)
    ref, document = make.describe("model", 1, {})
    make.keeper.add_context(record, make_context(ref, {}), document)
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in store.path.rglob("*")}
    for path, mode in modes.items():
        if path.is_relative_to(store.path / "store") and path != store.path / "store":
            assert mode == (0o555 if path.is_dir() else 0o444) & ~umask, path
        elif path.name == "collect.lock":
            assert mode == 0o664 & ~umask, path
        else:
            assert mode == (0o775 if path.is_dir() else 0o444) & ~umask, path
    assert len(list(place(store, record).iterdir())) == 5


def test_what_cannot_be_published_is_an_error_and_is_not_seen(store: Store, make: Make) -> None:
    sealed, run = make.sealed(content="1")
    shutil.rmtree(sealed.workspace.out)
    assert not place(store, sealed.record).exists()
    with pytest.raises(StoreError, match="cannot be written"):
        make.keeper.register(sealed, run)
    assert list(store.keeper.records()) == []
    make.keeper.discard(sealed.workspace)
    assert in_tmp(store) == []


# Run indices


def test_an_index_is_used_once(store: Store, make: Make) -> None:
    assert [store.keeper.reserve(HOME) for _ in range(3)] == [0, 1, 2]
    assert Store(store.path).keeper.reserve(HOME) == 3
    assert store.keeper.reserve(HOME) == 4
    assert names(store.path / "records" / HOME) == [f"{i}.run" for i in range(1, 5)], "0 is the directory"


def test_a_key_that_cannot_be_begun_is_told_with_its_place(store: Store) -> None:
    store.create()

    def refuse(name: str, about: tuple[object, ...]) -> None:
        if name == "mkdir" and str(about[0]).endswith(HOME):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with changes.observed(refuse), pytest.raises(StoreError, match="No space") as caught:
        store.keeper.claim(HOME)
    assert caught.value.where == f"{store.path}/records/{HOME}"
    assert [name for name in names(store.path / "locks") if name.endswith(".lock")] == ["collect.lock"]


def test_an_index_is_above_all_that_were_used(store: Store) -> None:
    store.create()
    (store.path / "records" / HOME).mkdir()
    for index in (7, 2):
        (store.path / "records" / HOME / f"{index}.run").touch()
    assert [store.keeper.reserve(HOME), store.keeper.reserve(HOME)] == [8, 9]


def test_an_index_is_not_used_again_after_a_removal_or_failure(store: Store, make: Make) -> None:
    record = make()
    store.remove(record.ref)
    sealed, _ = make.sealed()
    store.keeper.keep_failed(sealed.workspace, "model", {})
    again = make()
    assert [run.index for run in store.keeper.runs(again)] == [2]
    assert Store(store.path).keeper.reserve(record.home) == 3


def test_processes_never_get_the_same_index(store: Store) -> None:
    source = """
import sys
from pylightnix.names import KeyRef
from pylightnix.store.store import Store
keeper = Store(sys.argv[1]).keeper
sys.stdin.read(1)
print(*[keeper.reserve(KeyRef(sys.argv[2])) for _ in range(100)])
"""
    command = [sys.executable, "-c", source, str(store.path), HOME]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    indices = [int(word) for process in started for word in process.communicate()[0].split()]
    assert sorted(indices) == list(range(400))


# Documents


def test_a_derivation_that_was_cut_off_is_written_again(store: Store, make: Make) -> None:
    ref, document = make.describe("model", 1, {})
    store.keeper.write_derivation(ref, document)
    path = store.path / "derivations" / f"{ref}.json"
    number = path.stat().st_ino
    store.keeper.write_derivation(ref, document)
    assert path.stat().st_ino == number, "what is there is not written again"
    path.unlink()
    path.write_bytes(document[:10])
    store.keeper.write_derivation(ref, document)
    assert path.read_bytes() == document


def test_an_environment_is_written_once(store: Store) -> None:
    digest = store.keeper.environment({"python": "3.11"})
    assert store.keeper.environment({"python": "3.11"}) == digest
    (path,) = (store.path / "environments").iterdir()
    assert path.name == f"{digest[:40]}.json"
    assert digest_bytes(path.read_bytes()) == digest
    assert json.loads(path.read_bytes()) == {"pylightnix": "environment/1", "python": "3.11"}


@pytest.mark.parametrize("gone", [".", "records", "tmp", "derivations", "store"])
def test_a_store_that_was_removed_while_it_was_in_use_begins_again(store: Store, make: Make, gone: str) -> None:
    make()
    pylightnix.realize(fixed(), store=store, quiet=True)
    remove_tree(store.path / gone)
    if gone == "store":
        (store.path / "store").mkdir()
    assert pylightnix.realize(fixed(), store=store, quiet=True).out.read_text() == "1"
    assert pylightnix.realize(fixed(n=2), store=store, quiet=True).out.read_text() == "2"


@stage(code="ignore")
def fixed(n: int = 1, out: Path = promise("out.txt")) -> int:
    out.write_text(str(n))
    return n


# Failures


def test_what_a_failed_run_left_is_kept(store: Store, make: Make) -> None:
    sealed, _ = make.sealed(content="half", log="why")
    os.mkdir(sealed.workspace.scratch)
    facts = {"what": "a lone surrogate \udcff", "fields": {"a": {1, 2}, "nan": float("nan")}}
    kept = store.keeper.keep_failed(sealed.workspace, "model", facts)
    assert names(kept) == ["failure.json", "log", "out", "scratch"]
    assert (kept / "out" / "out.txt").read_text() == "half"
    assert (kept / "log").read_text() == "why"
    assert json.loads((kept / "failure.json").read_bytes())["what"] == "a lone surrogate \udcff"
    assert in_tmp(store) == []
    store.keeper.discard(sealed.workspace)


@pytest.mark.parametrize("refused", ["mkdir", "open", "write", "rename"])
def test_where_nothing_of_a_failed_run_can_be_kept_nothing_half_made_is_left(
    store: Store, make: Make, refused: str
) -> None:
    sealed, _ = make.sealed(content="half", log="why")

    def full(change: str, _: tuple[object, ...]) -> None:
        if change == refused:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with changes.observed(full), pytest.raises(StoreError, match="No space left"):
        store.keeper.keep_failed(sealed.workspace, "model", {})
    assert os.listdir(store.path / "failed") == []
    store.keeper.discard(sealed.workspace)
    assert in_tmp(store) == []


CLOSED = """
import sys
from pathlib import Path
import pylightnix
from pylightnix import Build, stage
from pylightnix.errors import BuildError

@stage(code="ignore")
def closes(build: Build) -> None:
    (build.out / "inner").mkdir()
    (build.out / "inner" / "f").write_text("x")
    (build.scratch / "f").write_text("x")
    for path in (build.out / "inner", build.out, build.scratch):
        path.chmod(0o555)
    if sys.argv[2] == "fail":
        raise ValueError("mine")

try:
    done = pylightnix.realize(closes(), store=sys.argv[1], quiet=True)
    print(oct(done.path.stat().st_mode), oct((done.path / "inner").stat().st_mode), done.files)
    store = pylightnix.Store(sys.argv[1])
    store.remove(done)
    print(store.realizations())
except BuildError as error:
    kept = Path(error.fields["kept"])
    print(error.what, [str(p.relative_to(kept)) for p in sorted(kept.rglob("*"))])
print([p.name for p in (Path(sys.argv[1]) / "tmp").iterdir()])
"""


def test_directories_that_their_builder_closed_can_be_moved(tmp_path: Path, ordinary: Callable[..., Any]) -> None:
    done = ordinary(CLOSED, tmp_path / "s", "succeed")
    assert (done.stdout, done.stderr) == ("0o40555 0o40555 ('inner/f',)\n[]\n[]\n", "")
    done = ordinary(CLOSED, tmp_path / "s", "fail")
    kept = ["failure.json", "out", "out/inner", "out/inner/f", "scratch", "scratch/f"]
    assert done.stdout == f"ValueError: mine {kept}\n[]\n"
    assert done.stderr.splitlines() == []


# After a crash, and after damage


def test_artifacts_that_a_crash_left_are_adopted(store: Store, make: Make) -> None:
    sealed, _ = make.sealed()
    target = store.keeper.payload(sealed.record)
    os.rename(sealed.workspace.out, target)
    number = (target / "out.txt").stat().st_ino
    record = make()
    assert record.ref == sealed.record.ref
    assert (target / "out.txt").stat().st_ino == number
    assert stat.S_IMODE(target.stat().st_mode) & 0o222 == 0, "it was not sealed yet"
    assert [r.ref for r in store.keeper.records()] == [record.ref]


@pytest.mark.parametrize("how", ["changed", "more", "less", "fifo", "empty"])
def test_artifacts_that_a_crash_left_and_that_are_not_whole_are_replaced(store: Store, make: Make, how: str) -> None:
    sealed, _ = make.sealed()
    target = store.keeper.payload(sealed.record)
    os.rename(sealed.workspace.out, target)
    match how:
        case "changed":
            (target / "out.txt").chmod(0o644)
            (target / "out.txt").write_text("CONTENT")
        case "more":
            (target / "more").mkdir()
        case "fifo":
            os.mkfifo(target / "fifo")
        case "less":
            (target / "out.txt").rename(target / "other.txt")
        case "empty":
            (target / "out.txt").unlink()
    target.chmod(0o555)
    record = make()
    assert names(target) == ["out.txt"]
    assert (target / "out.txt").read_text() == "content"
    assert hash_tree(target).digest == record.tree
    assert len(in_tmp(store)) == 1, "only the workspace of the run that was killed"


@pytest.mark.parametrize("damage", [b"", b"{", b"\0" * 500, None, "directory", "fifo", "link"])
def test_a_damaged_record_is_mended_by_an_equal_result(store: Store, make: Make, damage: object) -> None:
    record = make(log="first")
    path = place(store, record) / "record.json"
    path.unlink()
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    elif damage == "directory":
        (path / "deep").mkdir(parents=True)
    elif damage == "fifo":
        os.mkfifo(path)
    elif damage == "link":
        path.symlink_to("nowhere")
    make(log="second")
    (found,) = store.keeper.candidates(record.home, record.key)
    assert found.ref == record.ref
    assert [run.index for run in store.keeper.runs(found)] == [0, 1]
    assert [store.keeper.log(found, run) for run in store.keeper.runs(found)] == ["first", "second"]
    assert in_tmp(store) == []


def test_realize_heals_a_damaged_record_with_one_run(store: Store) -> None:
    done = pylightnix.realize(fixed(), store=store, quiet=True)
    path = place(store, done.record) / "record.json"
    path.chmod(0o644)
    path.write_bytes(b"{")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        again = pylightnix.realize(fixed(), store=store, quiet=True)
    assert again.ref == done.ref
    assert [run.index for run in again.runs] == [0, 1]
    assert pylightnix.realize(fixed(), store=store, quiet=True).runs == again.runs


def test_artifacts_that_are_gone_come_back_with_the_run_that_made_them(store: Store) -> None:
    done = pylightnix.realize(fixed(), store=store, quiet=True)
    remove_tree(done.path)
    again = pylightnix.realize(fixed(), store=store, quiet=True)
    assert again.out.read_text() == "1"
    assert [run.index for run in again.runs] == [0]


def test_artifacts_that_are_gone_come_back_though_their_run_cannot_be_read(store: Store) -> None:
    done = pylightnix.realize(fixed(), store=store, quiet=True)
    remove_tree(done.path)
    (path,) = place(store, done.record).glob("run-0-*.json")
    path.unlink()
    path.write_bytes(b"{")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        again = pylightnix.realize(fixed(), store=store, quiet=True)
        assert again.out.read_text() == "1"
        assert [run.index for run in again.runs] == [1]


def test_a_file_in_the_place_of_a_realization_gives_way(store: Store, make: Make) -> None:
    sealed, run = make.sealed()
    store.keeper.payload(sealed.record).write_text("foreign")
    place(store, sealed.record).write_text("foreign")
    assert make.keeper.register(sealed, run).ref == sealed.record.ref
    assert store.verify().sound
    assert in_tmp(store) == []


def test_half_a_workspace_is_cleared_up(store: Store, make: Make) -> None:
    make()
    before = in_tmp(store)

    def refuse(name: str, about: tuple[object, ...]) -> None:
        if name == "mkdir" and str(about[0]).endswith(".out"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with changes.observed(refuse), pytest.raises(StoreError, match="No space left"):
        store.keeper.workspace(HOME, 0)
    assert in_tmp(store) == before


# Several at once

RACE = """
import errno, sys, time, warnings
from pathlib import Path
import pylightnix
from pylightnix import Build, Dep, match, promise, stage
from pylightnix.store import changes, locks

def refuse(name, paths):
    if name == "flock":
        raise OSError(errno.ENOLCK, "no locks")

warnings.filterwarnings("ignore", category=locks.LocksWarning)
me, meeting = sys.argv[2], Path(sys.argv[3])

@stage(code="ignore")
def slow(build: Build, equal: bool, out: Path = promise("out.txt")) -> str:
    (meeting / me).touch()
    for _ in range(2000):
        if len(list(meeting.iterdir())) == 2:
            break
        time.sleep(0.01)
    print("from", me)
    out.write_text("equal" if equal else me)
    return "equal" if equal else me

@stage(code="ignore")
def after(source: Dep, out: Path = promise("out.txt")) -> None:
    out.write_text(source.out.read_text())

with changes.observed(refuse):
    done = pylightnix.realize(after(slow(sys.argv[4] == "equal")), store=sys.argv[1], quiet=True)
print(done.out.read_text(), done.deps.source.ref)
"""


@pytest.mark.parametrize("result", ["equal", "different"])
def test_two_processes_that_realize_the_same_without_locks_both_succeed(tmp_path: Path, result: str) -> None:
    (tmp_path / "meeting").mkdir()
    script = tmp_path / "race.py"
    script.write_text(RACE)
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", str(script), str(tmp_path / "s"), me, str(tmp_path / "meeting"), result],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for me in ("one", "two")
    ]  # fmt: skip
    said = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    store = Store(tmp_path / "s")
    slow = store.realizations(name="slow")
    runs = sorted((run.index, store.keeper.log(r.record, run)) for r in slow for run in r.runs)
    assert [index for index, _ in runs] == [0, 1]
    assert sorted(log for _, log in runs) == ["from one\n", "from two\n"]
    assert len(slow) == (1 if result == "equal" else 2)
    for realization in store.realizations():
        assert hash_tree(realization.path).digest == realization.record.tree
    told = [out.split() for out, _ in said]
    assert all(words[1] in {r.ref for r in slow} for words in told)
    assert in_tmp(store) == []


def test_registering_the_same_from_many_processes_gives_one_realization(store: Store) -> None:
    source = """
import sys
sys.path.insert(0, sys.argv[2])
from conftest import Maker
from pylightnix.store.store import Store
make = Maker(Store(sys.argv[1]))
made = [make.sealed(content=str(i % 3), log="x") for i in range(12)]
print("ready", flush=True)
sys.stdin.read(1)
for sealed, run in made:
    make.keeper.register(sealed, run)
"""
    command = [sys.executable, "-W", "error", "-c", source, str(store.path), str(Path(__file__).parent)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
    for process in started:
        assert process.wait() == 0
        assert process.stdout is not None
        process.stdout.close()
    records = list(store.keeper.records())
    assert len(records) == 3
    counts = Counter(run.index for record in records for run in store.keeper.runs(record))
    assert counts == dict.fromkeys(range(48), 1)
    assert all(store.keeper.log(r, run) == "x" for r in records for run in store.keeper.runs(r))
    assert in_tmp(store) == []


# Removal


def test_removal_takes_record_and_artifacts_and_nothing_else(store: Store, make: Make) -> None:
    record, other = make(), make(content="other")
    store.remove(record.ref)
    assert [r.ref for r in store.keeper.records()] == [other.ref]
    assert names(store.path / "store") == [other.ref]
    assert in_tmp(store) == []
    with pytest.raises(UnknownReferenceError, match="nothing is named"):
        store.remove(record.ref)


def test_a_record_without_artifacts_can_be_removed(store: Store, make: Make) -> None:
    record = make()
    remove_tree(store.keeper.payload(record))
    store.remove(record.ref)
    assert list(store.keeper.records()) == []


# A store that cannot be written

READ_ONLY = """
import sys
from pathlib import Path
import pylightnix
from pylightnix import Dep, Store, match, promise, stage
from pylightnix.errors import BuildError, StoreError
from pylightnix.store.overview import glances

@stage(code="ignore")
def data(n: int = 1, out: Path = promise("out.txt")) -> None:
    print("told")
    out.write_text("same")

@stage(code="ignore", version="2", name="data")
def same_data(n: int = 1, out: Path = promise("out.txt")) -> None:
    out.write_text("same")

@stage(code="ignore")
def report(source: Dep, out: Path = promise("out.txt")) -> int:
    out.write_text(source.out.read_text())
    return 5

store = Store(sys.argv[1])
if sys.argv[2] == "fill":
    pylightnix.realize([report(data()), same_data()], store=store, quiet=True)
    sys.exit()
print([step.action for step in pylightnix.plan(report(data()), store=store)])
done = pylightnix.realize(report(data()), store=store, quiet=True)
print(done.value, done.out.read_text(), done.deps.source.out.read_text())
print(store.realization(done.ref[:6]).deps.source.log.strip(), len(store.realizations(report(data()))))
print(sorted(glance.record.ref.name for glance in glances(store.keeper)))
other = pylightnix.realize(report(same_data()), store=store, quiet=True)
again = store.realizations(report(same_data()))
print(other.ref == done.ref, other.deps.source.ref == done.deps.source.ref, len(again))
for attempt in (
    lambda: pylightnix.realize(data(2), store=store, quiet=True),
    lambda: pylightnix.realize(report(data()), store=store, quiet=True, rebuild=[report(data())]),
    lambda: pylightnix.instantiate(data(3), store=store),
    lambda: store.remove(done),
):
    try:
        attempt()
    except StoreError as error:
        print(error.what, "|", "choose another store" in error.hint)
    except BuildError as error:  # the builder met the full disk first
        print(error.fields["not_kept"].partition(": ")[2], "|", error.what.endswith("No space left on device"))
print(len(store.realizations()))
"""
SERVED = [
    "['reuse', 'reuse']",
    "5 same same",
    "told 1",
    "['data', 'data', 'report']",
    "True False 0",
]


def test_a_store_without_rights_serves_what_it_has(tmp_path: Path, ordinary: Callable[..., Any]) -> None:
    assert ordinary(READ_ONLY, tmp_path / "s", "fill").returncode == 0
    subprocess.run(["chmod", "-R", "a-w", str(tmp_path / "s")], check=True)
    before = sorted(tmp_path.rglob("*"))
    done = ordinary(READ_ONLY, tmp_path / "s", "use")
    subprocess.run(["chmod", "-R", "u+w", str(tmp_path / "s")], check=True)
    assert done.stderr == ""
    denied = ["the store cannot be written: Permission denied | True"] * 4
    assert done.stdout.splitlines() == [*SERVED, *denied, "3"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_store_on_a_read_only_file_system_serves_what_it_has(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(READ_ONLY)
    path = tmp_path / "s"
    subprocess.run([sys.executable, str(script), str(path), "fill"], check=True, capture_output=True)
    mount = f'mount --bind "{path}" "{path}" && mount -o remount,ro,bind "{path}" && exec "$@"'
    command = [*OWN_MOUNTS, "sh", "-c", mount, "sh"]
    skip_without_mounts(mount.replace('exec "$@"', "true"))
    done = subprocess.run(
        [*command, sys.executable, "-W", "error", str(script), str(path), "use"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    denied = ["the store cannot be written: Read-only file system | True"] * 4
    assert done.stdout.splitlines() == [*SERVED, *denied, "3"]


def test_a_context_is_noted_where_the_store_can_be_written(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(READ_ONLY)
    path = tmp_path / "s"
    for what in ("fill", "use"):
        done = subprocess.run(
            [sys.executable, str(script), str(path), what], capture_output=True, text=True, check=True
        )
    assert done.stdout.splitlines()[4] == "True False 1"


def test_a_full_disk_is_a_clear_error_and_no_reason_not_to_reuse(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(READ_ONLY)
    path = tmp_path / "mounted" / "s"
    (tmp_path / "mounted").mkdir()
    fill = 'head -c 10M /dev/zero > "$M/filler"; while echo > "$M/filler$((i=i+1))"; do :; done'
    inner = f'export M="{path.parent}"; mount -t tmpfs -o size=1m,nr_inodes=200 none "$M" && \
        "$1" "$2" "{path}" fill && {{ {fill}; }} 2>/dev/null; exec "$1" -W error "$2" "{path}" use'
    command = [*OWN_MOUNTS, "sh", "-c", inner, "sh", sys.executable, str(script)]
    skip_without_mounts("mount -t tmpfs none /tmp")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    denied = ["the store cannot be written: No space left on device | True"] * 3
    assert done.stdout.splitlines() == [*SERVED, *denied, "2"], "a removal needs no space"


def test_a_realization_is_seen_by_others_only_when_it_is_complete(store: Store, make: Make) -> None:
    sealed, run = make.sealed()
    home = KeyRef.of(sealed.record.key, "model")
    other = Store(store.path).keeper
    assert other.candidates(home, sealed.record.key) == []
    os.rename(sealed.workspace.out, store.keeper.payload(sealed.record))
    assert other.candidates(home, sealed.record.key) == []
    assert list(other.records()) == []
    with pytest.raises(UnknownReferenceError):
        Store(store.path).realization(sealed.record.ref)
    shutil.copytree(store.keeper.payload(sealed.record), sealed.workspace.out)
    make.keeper.register(sealed, run)
    assert len(other.candidates(home, sealed.record.key)) == 1
