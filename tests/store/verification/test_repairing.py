"""What follows from what is left is restored; the rest lies in quarantine, and the next realize makes it again."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pylightnix import Build, Dep, Realization, Store, copy, match, plan, promise, realize, realize_many, stage
from pylightnix.errors import CollectionError, StoreError
from pylightnix.hashing import canonical, digest_bytes
from pylightnix.store import changes
from pylightnix.store.removal import remove_tree
from pylightnix.store.verification.findings import Kind, Outcome
from pylightnix.store.verification.repairing import repair

BUILDS: list[str] = []


@stage(code="ignore")
def table(build: Build, rows: Path = promise("deep/rows.txt"), tool: Path = promise("tool")) -> None:
    BUILDS.append("table")
    print("a line for the log")
    rows.write_text(f"{build.seed}")
    (rows.parent / "link").symlink_to("rows.txt")
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)


@stage(code="ignore", matcher=match.best("score", of=2))
def model(build: Build, data: Dep = table(), weights: Path = promise("weights")) -> dict[str, float]:
    BUILDS.append("model")
    weights.write_text(f"{build.seed} {data.rows.read_text()}")
    return {"score": build.seed / 7}


@stage(code="ignore")
def report(best: Dep = model(), rows: object = table().rows, text: Path = promise("text.txt")) -> None:
    BUILDS.append("report")
    text.write_text(str(best.value))


class Full(NamedTuple):
    """A store, and what a realize of `report` gave."""

    store: Store
    top: Realization[None]
    model: Realization[Any]
    table: Realization[Any]

    def again(self) -> Realization[None]:
        return realize(report(), store=Store(self.store.path), quiet=True)

    def realization(self, name: str) -> Realization[Any]:
        return {"report": self.top, "model": self.model, "table": self.table}[name]

    def notes(self, name: str) -> Path:
        return Path(self.store.keeper.place(self.realization(name).record))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "store"
    realize(report(), store=path, quiet=True)
    return path


@pytest.fixture
def full(made: Path, tmp_path: Path) -> Full:
    shutil.copytree(made, tmp_path / "store", symlinks=True)
    store = Store(tmp_path / "store")
    top = realize(report(), store=store, quiet=True)
    BUILDS.clear()
    return Full(store, top, top.deps.best, top.deps.best.deps.data)


def put(path: Path, data: bytes) -> None:
    """Other bytes under a name, with the mode that was there."""
    mode = path.stat().st_mode
    above = path.parent.stat().st_mode
    path.parent.chmod(0o755)
    path.unlink()
    path.write_bytes(data)
    path.chmod(mode)
    path.parent.chmod(above)


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def quarantined(store: Store) -> list[str]:
    """The paths that things in quarantine had in the store."""
    return sorted(json.loads(note.read_bytes())["moved"] for note in store.path.glob("quarantine/*/damage.json"))


ARTIFACTS: list[Callable[[Path], object]] = [
    lambda top: put(top / "deep/rows.txt", b"other"),
    lambda top: (top / "deep").chmod(0o755) or (top / "deep/rows.txt").unlink() or (top / "deep").chmod(0o555),
    lambda top: (top / "deep").chmod(0o755) or (top / "deep/more").touch(0o444) or (top / "deep").chmod(0o555),
    lambda top: (top / "deep").chmod(0o755) or (top / "deep/link").unlink() or (top / "deep").chmod(0o555),
    lambda top: (top / "deep").chmod(0o755) or os.mkfifo(top / "deep/fifo") or (top / "deep").chmod(0o555),
    lambda top: top.rename(top.with_name("moved")) and top.symlink_to("moved"),
    lambda top: top.rename(top.with_name("moved")) and top.write_text("a file"),
]


@pytest.mark.parametrize("damage", ARTIFACTS, ids=["bytes", "missing", "extra", "link", "fifo", "top link", "top file"])
def test_damaged_artifacts_are_made_again_with_their_seed_and_nobody_is_pointed_elsewhere(
    full: Full, damage: Callable[[Path], object]
) -> None:
    one = full.realization("table")
    damage(one.path)
    found = full.store.verify(repair=True)
    assert {r.outcome for r in found.repairs} == {Outcome.QUARANTINED}
    assert (found.sound, found.left) == (False, ())
    assert quarantined(full.store) == [f"store/{one.ref}"]
    assert full.store.verify().sound
    assert full.store.realization(str(full.top.ref)).deps.best.deps.data.ref == one.ref
    again = full.again()
    assert BUILDS == []
    realize(table(), store=Store(full.store.path), quiet=True)
    assert BUILDS == ["table"]
    assert (again.ref, again.deps.best.deps.data.ref) == (full.top.ref, one.ref)
    assert one.path.is_dir()
    assert not one.path.is_symlink()
    assert full.store.verify().sound


@pytest.mark.parametrize("instead", ["file", "link"])
@pytest.mark.filterwarnings("ignore::pylightnix.store.files.DamageWarning")
def test_what_was_lost_with_the_directory_of_its_key_comes_again_from_the_same_seeds(full: Full, instead: str) -> None:
    """Nothing tells its runs any more, so they begin at the first one: what comes is what others were made from."""
    before = {one.ref for one in full.store.realizations(name="model")}
    home = full.notes("model").parent
    elsewhere = home.rename(full.store.path.parent / "elsewhere")
    if instead == "file":
        home.write_text("x")
    else:
        home.symlink_to(elsewhere)
    repaired = full.store.verify(repair=True)
    assert [repair.outcome for repair in repaired.repairs] == [Outcome.QUARANTINED]
    assert full.store.verify().sound
    again = full.again()
    assert BUILDS == ["model", "model"]
    assert (again.ref, again.deps.best.ref) == (full.top.ref, full.model.ref)
    assert {one.ref for one in Store(full.store.path).realizations(name="model")} == before
    assert full.store.verify().sound


@pytest.mark.parametrize(
    ("inner", "mode"),
    [("tool", 0o444), ("deep/rows.txt", 0o555), ("deep/rows.txt", 0o644), ("deep", 0o755), ("", 0o755)],
)
def test_modes_are_restored(full: Full, inner: str, mode: int) -> None:
    path = full.realization("table").path / inner
    before = path.stat().st_mode
    path.chmod(mode)
    found = full.store.verify(repair=True)
    assert {r.outcome for r in found.repairs} == {Outcome.RESTORED}
    assert path.stat().st_mode == before
    assert full.store.verify().sound
    assert full.again().ref == full.top.ref
    assert BUILDS == []


@pytest.mark.parametrize("name", ["table", "model", "report"])
def test_every_flipped_byte_of_a_record_is_found_and_mended(full: Full, name: str) -> None:
    path = full.notes(name) / "record.json"
    right = path.read_bytes()
    value = right.index(b'"value":') + len(b'"value":')
    ref = str(full.realization(name).ref)
    name_of_promise = right.index(b'"promises":{"') + len(b'"promises":{"')
    for at in [*range(0, value, 23), value - 3, name_of_promise]:
        put(path, flip(right, at))
        found = full.store.verify(repair=True)
        assert {(one.kind, one.ref) for one in found.findings} == {(Kind.RECORD, ref)}, at
        assert {r.outcome for r in found.repairs} == {Outcome.RESTORED}, at
        assert path.read_bytes() == right
    assert full.store.verify().sound
    assert full.again().ref == full.top.ref
    assert BUILDS == []


@pytest.mark.parametrize("content", [None, b"", b"\0" * 9, b"{}", b"[" * 100_000])
def test_a_record_without_a_value_is_written_anew_from_what_is_beside_it(full: Full, content: bytes | None) -> None:
    path = full.notes("report") / "record.json"
    right = path.read_bytes()
    if content is None:
        path.unlink()
    else:
        put(path, content)
    found = full.store.verify(repair=True)
    assert [r.outcome for r in found.repairs] == [Outcome.RESTORED]
    assert path.read_bytes() == right


@stage(code="ignore")
def nothing() -> None:
    pass


def test_a_record_of_what_has_no_artifacts_is_written_anew(full: Full) -> None:
    one = realize(nothing(), store=full.store, quiet=True)
    path = Path(full.store.keeper.place(one.record)) / "record.json"
    right = path.read_bytes()
    path.unlink()
    assert [r.outcome for r in full.store.verify(repair=True).repairs] == [Outcome.RESTORED]
    assert path.read_bytes() == right
    shutil.rmtree(one.path)
    path.unlink()
    assert [r.outcome for r in full.store.verify(repair=True).repairs] == [Outcome.RESTORED]
    assert path.read_bytes() == right


def test_a_record_of_collected_artifacts_is_mended_by_its_manifest(full: Full) -> None:
    path = full.notes("table") / "record.json"
    right = path.read_bytes()
    put(path, b"{")
    remove_tree(full.realization("table").path)
    assert [r.outcome for r in full.store.verify(repair=True).repairs] == [Outcome.RESTORED]
    assert path.read_bytes() == right


def test_a_record_whose_value_is_lost_goes_to_quarantine_and_its_stage_runs_again(full: Full) -> None:
    one = full.realization("model")
    path = full.notes("model") / "record.json"
    put(path, path.read_bytes().replace(b'"score":', b'"scorf":'))
    found = full.store.verify(repair=True)
    assert [r.outcome for r in found.repairs] == [Outcome.QUARANTINED]
    assert quarantined(full.store) == [f"records/{one.record.home}/{one.ref.digits}", f"store/{one.ref}"]
    assert full.store.verify().sound
    assert full.again() == full.top
    assert BUILDS == ["model"]
    assert full.store.verify().sound
    assert list(full.store.path.glob("records/*/*.damaged")) == []


@stage(code="ignore")
def train(build: Build, weights: Path = promise("weights")) -> float:
    BUILDS.append(f"train {build.run}")
    weights.write_text(str(build.seed) if STEADY else os.urandom(8).hex())
    return build.seed / 7


@stage(code="ignore")
def user(model: Dep = train()) -> float:
    return float(model.value)


STEADY: list[bool] = []


@pytest.mark.parametrize("steady", [True, False])
def test_nobody_is_pointed_to_an_older_one_where_a_record_is_lost(tmp_path: Path, steady: bool) -> None:
    STEADY[:] = [True] * steady
    store = Store(tmp_path / "store")
    older = realize(train(), store=store, quiet=True)
    newest = realize(user(), store=store, quiet=True, rebuild=["train"]).deps.model
    path = Path(store.keeper.place(newest.record)) / "record.json"
    put(path, path.read_bytes().replace(b'"value":', b'"value":7'))
    assert [r.outcome for r in store.verify(repair=True).repairs] == [Outcome.QUARANTINED]
    BUILDS.clear()
    assert plan(user(), store=store).steps[0].why == "what run 1 made was damaged, and its record is lost"
    if steady:
        assert realize(user(), store=store, quiet=True).deps.model == newest
    else:
        with pytest.warns(UserWarning, match=f"train {newest.ref.short} cannot be made again: its run 1"):
            assert realize(user(), store=store, quiet=True).deps.model == older
    assert BUILDS == ["train 1"]
    assert not plan(user(), store=store).work


@stage(code="ignore", matcher=match.all(of=3))
def same(build: Build, out: Path = promise("out")) -> None:
    BUILDS.append(f"same {build.run}")
    out.write_text("same")


@pytest.mark.parametrize("jobs", [1, 2])
def test_of_a_lost_record_all_runs_are_made_again(tmp_path: Path, jobs: int) -> None:
    store = Store(tmp_path / "store")
    (one,) = realize_many(same(), store=store, quiet=True)
    seeds = {run.index: run.seed for run in one.runs}
    assert sorted(seeds) == [0, 1, 2]
    put(Path(store.keeper.place(one.record)) / "record.json", b"{}")
    (Path(store.keeper.place(one.record)) / "manifest.jsonl").unlink()
    remove_tree(one.path)
    assert store.verify(repair=True).repairs[0].outcome == Outcome.QUARANTINED
    BUILDS.clear()
    store = Store(store.path)
    assert plan(same(), store=store).steps[0].why == "what runs 0, 1, 2 made was damaged, and its record is lost"
    (again,) = realize_many(same(), store=store, quiet=True, jobs=jobs)
    assert again == one
    assert {run.index: run.seed for run in again.runs} == seeds
    assert jobs > 1 or BUILDS == ["same 0", "same 1", "same 2"]
    assert not list(store.path.glob("records/*/*.damaged"))
    assert not plan(same(), store=store).work


def test_where_no_run_of_a_lost_record_is_known_a_warning_tells_of_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    realize(train(), store=store, quiet=True)
    newest = realize(train(), store=store, quiet=True, rebuild=["train"])
    place = Path(store.keeper.place(newest.record))
    for file in place.glob("r*.json"):
        file.unlink()
    store.verify(repair=True)
    with pytest.warns(UserWarning, match="was here and was damaged"):
        realize(train(), store=store, quiet=True)


@pytest.mark.parametrize("content", [None, b"", b"{}\n", b"\xff"])
def test_a_manifest_is_written_anew_from_the_artifacts(full: Full, content: bytes | None) -> None:
    path = full.notes("table") / "manifest.jsonl"
    right = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert [r.outcome for r in full.store.verify(repair=True).repairs] == [Outcome.RESTORED]
    assert path.read_bytes() == right


def test_a_manifest_that_is_lost_with_the_artifacts_comes_back_with_them(full: Full) -> None:
    (full.notes("table") / "manifest.jsonl").unlink()
    remove_tree(full.realization("table").path)
    found = full.store.verify(repair=True)
    assert [r.outcome for r in found.repairs] == [Outcome.LEFT]
    assert len(found.left) == 1
    realize(table(), store=full.store, quiet=True)
    assert full.store.verify().sound


def test_a_run_goes_to_quarantine_and_the_origin_stays_known(full: Full) -> None:
    (path,) = full.notes("report").glob("run-*.json")
    put(path, path.read_bytes().replace(b'"duration":', b'"duration":x'))
    found = full.store.verify(repair=True)
    assert [r.outcome for r in found.repairs] == [Outcome.QUARANTINED]
    assert full.store.verify().sound
    assert full.store.realization(str(full.top.ref)).deps.best.ref == full.realization("model").ref
    assert full.again().ref == full.top.ref
    assert BUILDS == []


def test_a_realization_of_which_no_run_is_left_is_told_and_stays(full: Full) -> None:
    (path,) = full.notes("report").glob("run-*.json")
    put(path, b"")
    found = full.store.verify(repair=True)
    assert [(r.finding.kind, r.outcome) for r in found.repairs] == [
        (Kind.RUN, Outcome.QUARANTINED),
        (Kind.ORIGIN, Outcome.LEFT),
    ]
    assert [one.kind for one in found.left] == [Kind.ORIGIN]
    assert full.again().ref == full.top.ref


@pytest.mark.parametrize("name", ["report", "model", "table"])
def test_what_no_run_tells_is_noted_again_by_who_chooses_it(full: Full, name: str, tmp_path: Path) -> None:
    full.store.root("kept", full.top)
    ref, before = full.realization(name).ref, {one.ref for one in full.store.realizations()}
    for path in full.notes(name).glob("run-*.json"):
        path.unlink()
    with pytest.raises(CollectionError, match="verify --repair, then realize its stage again"):
        full.store.gc(unreachable=True)
    assert not full.store.verify(repair=True).sound
    assert not full.store.verify(repair=True).sound, "nobody has chosen it yet"
    again = full.again()
    assert again.ref == full.top.ref
    assert full.store.verify().sound
    assert {one.ref for one in full.store.realizations()} >= before
    assert ref in [chain[-1] for chain in full.store.why_alive(ref)]
    copy([again], to=tmp_path / "elsewhere", store=full.store)
    assert Store(tmp_path / "elsewhere").verify().sound
    assert full.store.gc(unreachable=True, dry_run=True).roots == ()


def test_a_lost_log_leaves_the_run(full: Full) -> None:
    (log,) = full.notes("table").glob("run-*.log")
    log.unlink()
    assert full.store.verify(repair=True).left == ()
    assert full.store.verify().sound
    (run,) = full.store.realization(str(full.realization("table").ref)).runs
    assert run.log is None


def test_a_seed_or_a_name_that_cannot_be_is_found(full: Full) -> None:
    (path,) = full.notes("report").glob("run-*.json")
    right = path.read_bytes()
    put(path, right.replace(b'"seed":', b'"seed":1'))
    assert [one.kind for one in full.store.verify().findings] == [Kind.RUN]
    put(path, right)
    path.rename(path.with_name(path.name.replace("run-0", "run-5")))
    assert [one.kind for one in full.store.verify().findings] == [Kind.RUN]


def test_the_mark_of_a_used_index_comes_back(full: Full) -> None:
    mark = full.notes("model").parent / "1.run"
    mark.unlink()
    found = full.store.verify(repair=True)
    assert [(r.finding.kind, r.outcome) for r in found.repairs] == [(Kind.INDEX, Outcome.RESTORED)]
    assert mark.read_bytes() == b""


@pytest.mark.parametrize("place", ["derivations", "environments"])
def test_what_only_others_know_goes_to_quarantine_and_is_named_until_they_write_it(full: Full, place: str) -> None:
    path = sorted((full.store.path / place).iterdir())[0]
    put(path, flip(path.read_bytes(), 20))
    found = full.store.verify(repair=True)
    assert {r.outcome for r in found.repairs} == {Outcome.QUARANTINED, Outcome.LEFT}
    after = full.store.verify().findings
    assert {one.file for one in after} == {f"{place}/{path.name}"}
    assert set(found.left) == set(after)
    realize(report(), store=full.store, quiet=True, rebuild=["table", "model", "report"])
    assert full.store.verify().sound


def test_a_damaged_document_that_nothing_needs_is_not_missed(full: Full) -> None:
    path = full.store.path / "environments" / f"{'a' * 40}.json"
    path.write_text("{}")
    found = full.store.verify(repair=True)
    assert [(r.finding.file, r.outcome) for r in found.repairs] == [(f"environments/{path.name}", Outcome.QUARANTINED)]
    assert found.left == full.store.verify().findings == ()


@pytest.mark.parametrize("kind", ["record", "run", "context", "tree", "derivation"])
def test_documents_of_a_newer_version_are_told_and_stay(full: Full, kind: str) -> None:
    notes = full.notes("table")
    names = {"record": "record.json", "run": "run-*.json", "tree": "manifest.jsonl"}
    if kind in names:
        (path,) = notes.glob(names[kind])
        put(path, path.read_bytes().replace(f'"{kind}/1"'.encode(), f'"{kind}/2"'.encode()))
    else:
        data = canonical({"pylightnix": f"{kind}/2"})
        digits = digest_bytes(data)[:40]
        inside = notes / f"context-{digits}.json", full.store.path / "derivations" / f"{digits}-table.json"
        path = inside[kind == "derivation"]
        path.write_bytes(data)
    data = path.read_bytes()
    found = full.store.verify(repair=True)
    assert {(r.finding.kind, r.outcome) for r in found.repairs} == {(Kind.NEWER, Outcome.LEFT)}
    assert path.read_bytes() == data
    assert f"{kind}/2" in found.left[0].what
    assert quarantined(full.store) == []


@pytest.mark.parametrize("above", [0, 1])
def test_a_link_in_the_place_of_a_directory_is_moved_and_what_it_leads_to_is_not(full: Full, above: int) -> None:
    place = full.notes("table") if above == 0 else full.notes("table").parent
    elsewhere = full.store.path.parent / "elsewhere"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    before = sorted(str(path) for path in elsewhere.rglob("*"))
    found = full.store.verify()
    assert [one.kind for one in found.findings] == [Kind.RECORD]
    assert full.store.verify(repair=True).left == ()
    assert full.store.verify().sound
    assert sorted(str(path) for path in elsewhere.rglob("*")) == before
    assert not place.exists()
    full.again()
    assert "table" in BUILDS


def test_what_somebody_replaced_meanwhile_is_left_to_them(full: Full) -> None:
    one = full.realization("table")
    put(one.path / "deep/rows.txt", b"other")
    findings = full.store.verify().findings
    right = full.store.path.parent / "right"

    def mend_meanwhile(name: str, paths: tuple[object, ...]) -> None:
        if name == "rename" and str(paths[0]).endswith(one.ref) and not right.exists():
            one.path.chmod(0o755)
            os.rename(one.path, right)
            one.path.mkdir()
            (one.path / "new").touch()

    with changes.observed(mend_meanwhile):
        (only,) = repair(full.store.keeper, findings)
    assert "somebody changed it meanwhile" in only.what
    assert (one.path / "new").exists()


def test_artifacts_are_fetched_where_another_place_has_them(full: Full, made: Path) -> None:
    one = full.realization("table")
    put(one.path / "deep/rows.txt", b"other")

    def fetch(record: Any) -> bool:
        shutil.copytree(made / "store" / record.ref, one.path, symlinks=True)
        return True

    found = list(repair(full.store.keeper, full.store.verify().findings, fetch))
    assert [r.outcome for r in found] == [Outcome.FETCHED]
    assert full.store.verify().sound


def test_what_cannot_be_written_is_left(full: Full) -> None:
    path = full.realization("report").path / "text.txt"
    path.chmod(0o644)

    def refuse(name: str, paths: tuple[object, ...]) -> None:
        if name in refused:
            raise OSError(30, "Read-only file system")

    refused = {"fchmod"}
    with changes.observed(refuse):
        found = full.store.verify(repair=True)
    assert [(one.outcome, one.what) for one in found.repairs] == [(Outcome.LEFT, "Read-only file system")]
    assert len(found.left) == 1
    refused = {"mkdir"}
    with changes.observed(refuse), pytest.raises(StoreError, match="Read-only file system"):
        Store(full.store.path).verify(repair=True)


@pytest.mark.parametrize("refused", ["open", "rename"])
def test_where_nothing_can_be_moved_quarantine_has_no_note_of_it(full: Full, refused: str) -> None:
    """As where it belongs to another user."""
    put(full.realization("report").path / "text.txt", b"other")

    def refuse(name: str, paths: tuple[object, ...]) -> None:
        if name == refused and (name == "open" or "quarantine/" in str(paths[1]) or "@" in str(paths[1])):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with changes.observed(refuse):
        found = full.store.verify(repair=True)
    assert [one.outcome for one in found.repairs] == [Outcome.LEFT]
    assert found.repairs[0].what.endswith("Operation not permitted; if it belongs to somebody else, he can repair it")
    assert list((full.store.path / "quarantine").iterdir()) == []
    assert full.store.verify(repair=True).left == ()
    assert len(quarantined(full.store)) == 1


KEPT: list[Callable[[Path], object]] = [
    lambda top: put(top / "weights", b"other"),
    lambda top: (top / "weights").rename(top / "more"),
    lambda top: (top / "weights").unlink() or (top / "weights").symlink_to("elsewhere"),
    lambda top: (top / "weights").unlink() or os.mkfifo(top / "weights"),
    lambda top: top.rename(top.with_name("moved")) and top.symlink_to("moved"),
]


@pytest.mark.parametrize("damage", KEPT, ids=["bytes", "name", "link", "fifo", "top"])
def test_what_a_collection_kept_is_looked_at(full: Full, damage: Callable[[Path], object]) -> None:
    one = full.model.ref
    shutil.copytree(full.model.path, full.store.path / "kept" / one)
    (full.store.path / "kept" / one).chmod(0o755)
    remove_tree(full.model.path)
    assert full.store.verify().sound
    damage(full.store.path / "kept" / one)
    (found,) = full.store.verify().findings
    assert (found.kind, found.ref) == (Kind.KEPT, one)
    assert found.file.startswith(f"kept/{one}")
    (done,) = full.store.verify(repair=True).repairs
    assert done.outcome == Outcome.QUARANTINED
    assert full.store.verify().sound
