"""Reading a store: what is there is found, what is damaged a miss with a warning, what is foreign is ignored."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pylightnix.errors import DamageError, StoreError
from pylightnix.model.records import Record, make_context
from pylightnix.names import DerivationRef, KeyRef
from pylightnix.store import reading
from pylightnix.store.collection import edges
from pylightnix.store.files import DamageWarning
from pylightnix.store.removal import remove_tree
from pylightnix.store.store import Store
from pylightnix.store.verification.rekeying import key_of

Make = Callable[..., Any]


def place(store: Store, record: Record) -> Path:
    return Path(store.keeper.place(record))


def damage(path: Path, content: bytes) -> None:
    """Put something else in the place of a file, though it is read-only."""
    path.unlink()
    path.write_bytes(content)


# What there is


def test_an_absent_store_is_empty(tmp_path: Path) -> None:
    keeper = Store(tmp_path / "none").keeper
    home = KeyRef.of("0" * 64, "model")
    assert keeper.candidates(home, "0" * 64) == []
    assert list(keeper.homes()) == keeper.derivations() == keeper.entries(home) == list(keeper.records()) == []
    assert keeper.history("model") == []
    assert not (tmp_path / "none").exists()


def test_candidates_are_those_of_the_key_ordered_by_reference(store: Store, make: Make) -> None:
    made = [make(content=text) for text in "abcdef"]
    make("model", n=1)
    make("other")
    keeper = store.keeper
    found = keeper.candidates(made[0].home, made[0].key)
    assert [record.ref for record in found] == sorted(record.ref for record in made)
    assert {record.value for record in found} == {None}


def test_records_and_homes_are_ordered_and_chosen_by_name(store: Store, make: Make) -> None:
    made = [make(name, n=n) for name in ("model", "models", "model.x") for n in range(4)]
    keeper = store.keeper
    assert list(keeper.homes()) == sorted(record.home for record in made)
    assert list(keeper.homes("model")) == sorted(record.home for record in made if record.home.name == "model")
    assert [r.ref for r in keeper.records("models")] == [r.ref for home in keeper.homes("models") for r in made
                                                         if r.home == home]  # fmt: skip


def test_runs_are_ordered_by_index_and_counted_once_each(store: Store, make: Make) -> None:
    record = make(log="first")
    for _ in range(11):
        make(log="again")
    runs = store.keeper.runs(record)
    assert [run.index for run in runs] == list(range(12))
    assert len({run.seed for run in runs}) == 12
    assert store.keeper.log(record, runs[0]) == "first"
    assert store.keeper.log(record, runs[11]) == "again"
    assert runs[0].facts == {"host": "here"}
    folded = make(index=3)  # the same index once more, as stores that are merged may have it
    assert folded.ref == record.ref
    assert len(list(place(store, record).glob("run-3-*.json"))) == 2
    assert [run.index for run in store.keeper.runs(record)] == list(range(12))


@pytest.mark.parametrize("moments", [("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-01-01")])
def test_of_two_runs_of_one_index_the_older_counts(store: Store, make: Make, moments: tuple[str, str]) -> None:
    for index, day in zip((None, 0), moments, strict=True):
        sealed, run = make.sealed(index=index, log=day)
        record = store.keeper.register(sealed, dataclasses.replace(run, started=f"{day}T00:00:00.000000+00:00"))
    (run,) = store.keeper.runs(record)
    assert store.keeper.log(record, run) == "2026-01-01"


def test_a_run_that_wrote_nothing_has_no_log(store: Store, make: Make) -> None:
    record = make()
    (run,) = store.keeper.runs(record)
    assert run.log is None
    assert store.keeper.log(record, run) == ""


def test_a_log_is_cut_after_16_mebibytes_and_may_be_gone(store: Store, make: Make) -> None:
    record = make(log="x" * (17 << 20))
    (run,) = store.keeper.runs(record)
    assert len(store.keeper.log(record, run)) == 16 << 20
    (log,) = place(store, record).glob("*.log")
    log.unlink()
    assert store.keeper.log(record, run) == ""
    log.symlink_to("/etc/passwd")
    with pytest.raises(StoreError, match="cannot be read"):
        store.keeper.log(record, run)


def test_files_and_small_artifacts(store: Store, make: Make) -> None:
    record = make(content="words")
    assert store.keeper.files(record) == ("out.txt",)
    path = store.keeper.payload(record) / "out.txt"
    assert store.keeper.artifact(path) == b"words"
    with pytest.raises(FileNotFoundError):
        store.keeper.artifact(path.with_name("none"))
    large = make(content="x" * (2**20 + 1))
    with pytest.raises(StoreError, match="larger than 1048576 bytes"):
        store.keeper.artifact(store.keeper.payload(large) / "out.txt")
    assert len(store.keeper.artifact(store.keeper.payload(make(content="x" * 2**20)) / "out.txt")) == 2**20


def test_presence_is_that_of_the_artifacts(store: Store, make: Make) -> None:
    record = make()
    assert store.keeper.present(record)
    payload = store.keeper.payload(record)
    remove_tree(payload)
    assert not store.keeper.present(record)
    payload.write_text("a file")
    assert not store.keeper.present(record)


def test_contexts_are_found_each_once(store: Store, make: Make) -> None:
    record = make()
    make()
    keeper = store.keeper
    (made_in,) = keeper.contexts(record)
    ref, document = make.describe("model", "another way to the same key", {})
    other = make_context(ref, {})
    keeper.add_context(record, other, document)
    keeper.add_context(record, other, document)
    keeper.add_context(record, made_in, b"")
    assert sorted(context.hash for context in keeper.contexts(record)) == sorted([made_in.hash, other.hash])
    assert keeper.context(record, other.hash) == other
    assert keeper.origin(record) == made_in
    assert keeper.derivation(other.derivation)["params"] == {"n": "another way to the same key"}
    with pytest.raises(DamageError, match="is not in the store") as caught:
        keeper.context(record, "0" * 64)
    assert "removed" in caught.value.hint


def test_history_is_of_what_has_realizations_the_newest_last(store: Store, make: Make) -> None:
    for n in range(5):
        make(n=n)
        (path,) = (
            store.path / "derivations" / f"{ref}.json" for ref in store.derivations()
            if store.keeper.derivation(ref)["params"] == {"n": n}
        )  # fmt: skip
        os.utime(path, (1000 - n, 1000 - n))
    ref, document = make.describe("model", "never made", {})
    store.keeper.write_derivation(ref, document)
    assert [document["params"]["n"] for document in store.keeper.history("model")] == [4, 3, 2, 1, 0]
    (store.path / "derivations" / f"{ref}.json").unlink()
    for path in (store.path / "derivations").iterdir():
        path.unlink()
    assert store.keeper.history("model") == []


# What is damaged

CONTENTS = [b"", b"{", b"null", b"\xff\xfe", b"\0" * 4096, b"[" * 100_000, b'{"pylightnix":"record/2"}', b"x" * 100_000]


@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
def test_a_damaged_record_is_a_miss_with_a_warning(store: Store, make: Make, content: bytes) -> None:
    good, bad = make(content="good"), make(content="bad")
    damage(place(store, bad) / "record.json", content)
    with pytest.warns(DamageWarning, match=f"{bad.ref.digits}/record.json: .*; treated as not there"):
        found = store.keeper.candidates(good.home, good.key)
    assert [record.ref for record in found] == [good.ref]
    with pytest.warns(DamageWarning):
        assert [record.ref for record in store.keeper.records()] == [good.ref]


def test_a_record_under_another_key_is_no_candidate(store: Store, make: Make) -> None:
    one, other = make(n=1), make(n=2)
    os.makedirs(f"{store.keeper.layout.records}/{other.home}", exist_ok=True)
    shutil.copytree(place(store, one), store.path / "records" / other.home / one.ref.digits)
    with pytest.warns(DamageWarning, match="the record belongs to another key"):
        assert [r.ref for r in store.keeper.candidates(other.home, other.key)] == [other.ref]


def test_what_is_no_file_does_not_hang_and_is_a_miss(store: Store, make: Make) -> None:
    record = make(log="text")
    path = place(store, record) / "record.json"
    (run,) = place(store, record).glob("run-*.json")
    begin = time.monotonic()
    for target in (path, run):
        content = target.read_bytes()
        target.unlink()
        os.mkfifo(target)
        with pytest.warns(DamageWarning):
            assert not (
                store.keeper.candidates(record.home, record.key) if target == path else store.keeper.runs(record)
            )
        target.unlink()
        (store.path / "tmp" / "copy").write_bytes(content)
        target.symlink_to(store.path / "tmp" / "copy")
        with pytest.warns(DamageWarning):
            assert not (
                store.keeper.candidates(record.home, record.key) if target == path else store.keeper.runs(record)
            )
        target.unlink()
        target.mkdir()
        with pytest.warns(DamageWarning):
            assert not (
                store.keeper.candidates(record.home, record.key) if target == path else store.keeper.runs(record)
            )
        target.rmdir()
        target.write_bytes(content)
    assert time.monotonic() - begin < 10
    assert store.keeper.candidates(record.home, record.key)


def test_a_record_that_is_not_there_is_no_realization(store: Store, make: Make) -> None:
    record = make()
    (place(store, record) / "record.json").unlink()
    assert store.keeper.candidates(record.home, record.key) == []
    assert list(store.keeper.records()) == []


def test_a_damaged_run_is_passed_over(store: Store, make: Make) -> None:
    record = make()
    make()
    (path,) = place(store, record).glob("run-0-*.json")
    damage(path, b'{"index": 0}')
    with pytest.warns(DamageWarning):
        assert [run.index for run in store.keeper.runs(record)] == [1]


def test_without_readable_runs_the_origin_is_another_context_or_an_error(store: Store, make: Make) -> None:
    record = make()
    for path in place(store, record).glob("run-*.json"):
        damage(path, b"{")
    with pytest.warns(DamageWarning), pytest.raises(DamageError, match=r"no run of .* can be read"):
        store.keeper.origin(record)
    ref, document = make.describe("model", 7, {})
    store.keeper.add_context(record, make_context(ref, {}), document)
    with pytest.warns(DamageWarning):
        assert store.keeper.origin(record).derivation == ref
    assert store.keeper.present(record)


def test_a_damaged_context_is_passed_over(store: Store, make: Make) -> None:
    record = make()
    ref, document = make.describe("model", 7, {})
    store.keeper.add_context(record, make_context(ref, {}), document)
    (path,) = place(store, record).glob("context-*.json")
    damage(path, path.read_bytes().replace(ref.encode(), b"0" * 40 + b"-model"))
    with pytest.warns(DamageWarning):
        assert [c.derivation for c in store.keeper.contexts(record)] == [store.keeper.runs(record)[0].derivation]


def test_a_damaged_derivation_is_a_clean_error(store: Store, make: Make) -> None:
    record = make()
    ref = store.keeper.origin(record).derivation
    path = store.path / "derivations" / f"{ref}.json"
    for content in (b"", b"{}", path.read_bytes()[:-1], path.read_bytes().replace(b"0", b"1")):
        damage(path, content)
        with pytest.raises(DamageError, match="not those of its name"):
            store.keeper.derivation(ref)
        with pytest.warns(DamageWarning):
            assert store.keeper.history("model") == []
    path.unlink()
    with pytest.raises(DamageError, match="is not in the store"):
        store.keeper.derivation(ref)
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        store.keeper.derivation(ref)


def test_a_damaged_manifest_is_a_clean_error(store: Store, make: Make) -> None:
    record, other = make(content="one"), make(content="two")
    path = place(store, record) / "manifest.jsonl"
    damage(path, (place(store, other) / "manifest.jsonl").read_bytes())
    with pytest.raises(DamageError, match="another tree"):
        store.keeper.files(record)
    damage(path, b"\xff")
    with pytest.raises(DamageError):
        store.keeper.files(record)
    path.unlink()
    with pytest.raises(StoreError):
        store.keeper.files(record)


def test_what_was_removed_meanwhile_is_a_clear_error(store: Store, make: Make) -> None:
    record = make()
    (run,) = store.keeper.runs(record)
    store.remove(record.ref)
    for ask in (store.keeper.runs, store.keeper.origin, store.keeper.files, lambda r: list(store.keeper.contexts(r))):
        with pytest.raises(StoreError, match="was removed from this store"):
            ask(record)
    assert store.keeper.log(record, run) == ""
    assert not store.keeper.present(record)


def test_inputs_that_were_removed_are_a_clear_error(store: Store, make: Make) -> None:
    data = make("data")
    inputs = {"data": (data, store.keeper.origin(data))}
    model = make("model", inputs=inputs)
    (choice,) = store.keeper.origin(model).inputs.values()
    assert [record.ref for record in store.keeper.chosen(choice)] == [data.ref]
    store.remove(data.ref)
    with pytest.raises(StoreError, match=f"the realization {data.ref} was removed from this store") as caught:
        store.keeper.chosen(choice)
    assert "realize its stage again" in caught.value.hint


# What is foreign


def test_foreign_names_are_ignored(store: Store, make: Make) -> None:
    record = make(log="text")
    inside = place(store, record)
    home = inside.parent
    names = [
        ".DS_Store", ".nfs000000000a1b2c3d00000001", "record.json~", ".record.json.swp", "desktop.ini", "x" * 40,
        "#record.json#", "run-1.json", "run-x-1-2.json", "run-0-1-0123456789ab.json~", "context-x.json", "Thumbs.db",
        f"{record.ref.digits.upper()}", f"{record.ref.digits}.bak", f"{record.home}~", f"{'g' * 40}-model",
        f"{'0' * 40}-", f"{'0' * 40}-.hidden", f"{'0' * 40}model", "99999999999999999999999.run", "²³.run", "-1.run",
        ".run", "x.run", f"{'0' * 39}1-.json", "no json", f"{'1' * 200}.run", "b\udcff",
    ]  # fmt: skip
    for directory in (inside, home, store.path / "records", store.path / "derivations", store.path / "store",
                      store.path / "environments", store.path / "tmp", store.path / "failed", store.path):  # fmt: skip
        for name in names:
            (directory / name).write_text("foreign")
    (home / ("f" * 40)).write_text("a file where a realization would be")
    (store.path / "records" / f"{'0' * 40}-file").write_text("a file where a key would be")
    (store.path / "records" / f"{'1' * 40}-empty").mkdir()
    (home / ("e" * 40)).mkdir()
    shutil.copytree(home, store.path / "records" / f"{'G' * 40}-model")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keeper = Store(store.path).keeper
        assert [r.ref for r in keeper.candidates(record.home, record.key)] == [record.ref]
        assert [r.ref for r in keeper.records()] == [record.ref]
        assert [run.index for run in keeper.runs(record)] == [0]
        assert len(list(keeper.contexts(record))) == 1
        assert keeper.derivations() == [keeper.origin(record).derivation]
        homes = [f"{'0' * 40}-file", f"{'1' * 40}-empty", record.home]
        assert list(keeper.homes()) == sorted(homes)
        assert len(keeper.history("model")) == 1
        assert keeper.reserve(record.home) == 1
        assert [r.ref for r in Store(store.path).realizations()] == [record.ref]
        assert Store(store.path).realization(record.ref[:5]).ref == record.ref


UNREADABLE = """
import os, sys, warnings
from pathlib import Path
from pylightnix.errors import StoreError
from pylightnix.store.files import DamageWarning
from pylightnix.store.store import Store
from pylightnix.store.removal import remove_tree
warnings.simplefilter("always")
path, home, key, ref = sys.argv[1:]
keeper = Store(path).keeper
from pylightnix.names import KeyRef, RealizationRef
(record,) = keeper.candidates(KeyRef(home), key)
def without_rights(target, ask):
    mode = os.stat(target).st_mode
    os.chmod(target, 0)
    with warnings.catch_warnings(record=True) as caught:
        try:
            print(ask(), [w.category.__name__ for w in caught])
        except StoreError as error:
            print("StoreError", error.what)
        finally:
            os.chmod(target, mode)
place = keeper.place(record)
without_rights(f"{place}/record.json", lambda: keeper.candidates(KeyRef(home), key))
without_rights(f"{path}/records/{home}", lambda: keeper.candidates(KeyRef(home), key))
without_rights(f"{path}/records", lambda: list(keeper.homes()))
without_rights(place, lambda: keeper.runs(record))
without_rights(f"{path}/derivations", lambda: keeper.derivations())
without_rights(f"{path}/derivations", lambda: keeper.derivation(keeper.origin(record).derivation))
without_rights(f"{place}/manifest.jsonl", lambda: keeper.files(record))
"""


def test_what_may_not_be_read_is_a_miss_or_a_clean_error(
    store: Store, make: Make, ordinary: Callable[..., Any]
) -> None:
    record = make()
    done = ordinary(UNREADABLE, store.path, record.home, record.key, record.ref)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "[] ['DamageWarning']",
        "[] ['DamageWarning']",
        *["StoreError cannot be read: Permission denied"] * 5,
    ]


def test_what_reading_meets_is_never_changed(store: Store, make: Make) -> None:
    record = make(log="x")
    before = {p: (p.lstat().st_mtime_ns, p.lstat().st_mode) for p in store.path.rglob("*")}
    again = Store(store.path)
    again.realization(record.ref[:4]).runs  # noqa: B018
    assert again.realizations()
    assert again.keeper.history("model")
    assert json.loads((place(store, record) / "record.json").read_bytes())["tree"] == record.tree
    assert {p: (p.lstat().st_mtime_ns, p.lstat().st_mode) for p in store.path.rglob("*")} == before
    assert isinstance(again.derivations()[0], DerivationRef)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
@pytest.mark.parametrize("module", [reading, edges])
def test_a_system_at_fault_is_no_damage(
    store: Store, maker: Any, monkeypatch: pytest.MonkeyPatch, module: Any, code: int
) -> None:
    make = maker(store)
    data = make("data")
    made = make("model", inputs={"data": (data, store.keeper.origin(data))})
    context = store.keeper.origin(made)
    assert key_of(store.keeper, context) is not None
    right = module.read_small

    def read_small(path: str) -> bytes:
        if path.endswith("record.json"):
            raise OSError(code, os.strerror(code), path)
        return right(path)

    monkeypatch.setattr(module, "read_small", read_small)
    acts: list[Callable[[], object]] = [store.du]
    if module is reading:
        acts = [lambda: key_of(store.keeper, context), lambda: store.keeper.candidates(made.home, made.key)]
    for act in acts:
        with pytest.raises(StoreError, match=os.strerror(code)) as told:
            act()
        assert told.value.fields["errno"] == code


def test_what_is_removed_while_its_runs_are_read_is_told_as_that(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not as damage, of which there is none."""
    record = make()
    noted = reading._noted

    def remove_then(place: str, record: Record) -> list[str]:
        names = noted(place, record)
        remove_tree(place)
        return names

    monkeypatch.setattr(reading, "_noted", remove_then)
    with pytest.raises(StoreError, match="was removed from this store"):
        store.keeper.runs(record)


def test_a_key_that_is_a_link_to_itself_is_told_of_and_no_candidate(store: Store, make: Make) -> None:
    record = make()
    base = store.path / "records" / record.home
    remove_tree(str(base))
    base.symlink_to(base)
    with pytest.warns(DamageWarning, match="symbolic links"):
        assert store.keeper.candidates(record.home, record.key) == []
