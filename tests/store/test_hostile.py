"""A store into which somebody planted links: nothing outside is changed, removed, or read as a result."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Dep, PylightnixError, Realization, Store, promise, realize, stage
from pylightnix.errors import FormatError, StoreError
from pylightnix.store import trust
from pylightnix.store.collection.trash import Trash
from pylightnix.store.examination.observations import Level
from pylightnix.store.failures import failures, find_failure
from pylightnix.store.files import DamageWarning
from pylightnix.store.layout import Layout
from pylightnix.store.trust import TrustWarning, doubts
from pylightnix.store.verification import verifying
from tests.powers import gives_files


@stage(code="ignore")
def data(build: Build, table: Path = promise("table.txt")) -> int:
    print("a line for the log")
    (build.checkpoint / "x").touch()
    table.write_text("one two")
    return 7


@stage(code="ignore")
def report(source: Dep = data(), text: Path = promise("text.txt")) -> None:
    text.write_text(str(source.value))


@stage(code="ignore")
def broken() -> None:
    print("a line for the log")
    raise ValueError("as meant")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "store"
    realize(report(), store=path, quiet=True)
    realize(data(), store=path, quiet=True, rebuild=["data"])
    with pytest.raises(PylightnixError):
        realize(broken(), store=path, quiet=True)
    Store(path).verify()
    return path


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "store", symlinks=True)
    return tmp_path / "store"


def state(path: Path) -> dict[str, tuple[int, bytes]]:
    """Modes and contents of all that is in a directory."""
    return {
        str(one.relative_to(path)): (one.lstat().st_mode, one.read_bytes() if one.is_file() else b"")
        for one in [path, *sorted(path.rglob("*"))]
    }


def first(root: Path, pattern: str) -> Path:
    return sorted(root.glob(pattern))[0]


DIRECTORIES = [
    "derivations", "store", "records", "environments", "roots", "failed", "locks", "tmp", "tmp/checkpoints", "cache",
    "cache/used", "locks/held", "quarantine", "trash", "kept",
]  # fmt: skip


@pytest.mark.parametrize("name", DIRECTORIES)
@pytest.mark.parametrize("full", [True, False], ids=["as it was", "empty"])
def test_a_link_in_the_place_of_a_directory_is_refused(root: Path, name: str, full: bool) -> None:
    outside = root.parent / "outside"
    path = root / name
    path.mkdir(exist_ok=True)
    path.rename(outside)
    if not full:
        outside.rename(root.parent / "was")
        outside.mkdir()
    path.symlink_to(outside)
    before = state(outside)
    with pytest.raises(StoreError, match="there is a link") as caught:
        Store(root)
    assert caught.value.fields["place"] == name
    assert state(outside) == before


def test_a_link_that_is_planted_after_opening_is_refused_at_the_first_write(root: Path) -> None:
    store = Store(root)
    (root.parent / "outside").mkdir()
    (root / "failed").rename(root.parent / "was")
    (root / "failed").symlink_to(root.parent / "outside")
    with pytest.raises(StoreError, match="there is a link"):
        realize(broken(), store=store, quiet=True)
    assert list((root.parent / "outside").iterdir()) == []


def test_a_link_to_the_whole_store_is_the_users_own(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert realize(report(), store=link, quiet=True).path.is_dir()


@pytest.mark.parametrize("dangling", [True, False])
def test_the_format_is_not_read_through_a_link(root: Path, dangling: bool) -> None:
    outside = root.parent / "outside.json"
    (root / "format.json").rename(outside)
    if dangling:
        outside.unlink()
    (root / "format.json").symlink_to(outside)
    with pytest.raises(StoreError):
        Store(root)
    assert outside.exists() is not dangling


PLACES = [
    "derivations/*-data.json", "derivations/*-report.json", "environments/*.json", "store/*-data", "store/*-report",
    "records/*-data", "records/*-report", "records/*-data/[0-9a-f]*[0-9a-f]", "records/*-report/[0-9a-f]*[0-9a-f]",
    "records/*-data/*/record.json", "records/*-data/*/manifest.jsonl", "records/*-data/*/run-*.json",
    "records/*-data/*/run-*.log", "records/*-data/1.run", "store/*-data/table.txt", "failed/*", "failed/*/failure.json",
    "failed/*/log", "locks/*", "locks/held", "cache/*", "cache/used", "cache/used/*", "locks/?",
]  # fmt: skip


def act() -> Iterator[Callable[[Store], object]]:
    """Whatever one may do with a store."""
    yield lambda store: realize(report(), store=store, quiet=True)
    yield lambda store: realize(report(), store=store, quiet=True, rebuild=["data", "report"])
    yield lambda store: realize(broken(), store=store, quiet=True)
    yield lambda store: [(one.deps, one.runs, one.files, one.log) for one in store.realizations()]
    yield lambda store: [store.keeper.derivation(ref) for ref in store.derivations()]
    yield lambda store: [find_failure(store.keeper.layout, name).log for name in failures(store.keeper.layout)]
    yield lambda store: store.verify()
    yield lambda store: store.verify(repair=True)
    yield lambda store: store.gc(unreachable=True, trash="1d", keep_small=1_000_000)
    yield lambda store: [store.restore(one.ref) for one in Trash(store.keeper.layout).all()]
    yield lambda store: store.gc(unreachable=True, failed="0d", trash="0d", keep_small=1_000_000)
    yield lambda store: realize(report(), store=store, quiet=True)
    yield lambda store: [store.remove(one) for one in store.realizations()]


@pytest.mark.parametrize("target", ["as it was", "empty", "dangling"])
@pytest.mark.parametrize("pattern", PLACES)
def test_nothing_outside_is_changed_through_a_planted_link(root: Path, pattern: str, target: str) -> None:
    (root / "cache").mkdir(exist_ok=True)
    (root / "cache" / "verified").touch()
    outside = root.parent / "outside"
    outside.mkdir()
    path = first(root, pattern)
    path.parent.chmod(0o755)
    mode = path.stat().st_mode
    path.chmod(mode | stat.S_IWUSR)
    path.rename(outside / "it" if target == "as it was" else root.parent / "was")
    if target == "as it was":
        (outside / "it").chmod(mode)
    if target == "empty":
        make = (outside / "it").mkdir if stat.S_ISDIR(mode) else (outside / "it").touch
        make()
    path.symlink_to(outside / "it")
    before = state(outside)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        for does in act():
            with contextlib.suppress(PylightnixError):
                does(Store(root))
            assert state(outside) == before


RESULTS = ["store/*-data", "records/*-data", "records/*-data/[0-9a-f]*[0-9a-f]", "records/*-data/*/record.json"]


@pytest.mark.parametrize("pattern", RESULTS)
def test_what_a_planted_link_leads_to_is_no_result(root: Path, pattern: str) -> None:
    path = first(root, pattern)
    ref = Store(root).realizations(name="data")[0].ref
    path.parent.chmod(0o755)
    path.chmod(path.stat().st_mode | stat.S_IWUSR)
    path.rename(root.parent / "outside")
    path.symlink_to(root.parent / "outside")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        found = Store(root).realizations(name="data")
        assert [one.path.is_symlink() for one in found] in ([], [True])
        assert not any(Store(root).keeper.present(one.record) for one in found)
        assert not Store(root).verify().sound
        if pattern == "records/*-data":
            with pytest.raises(StoreError, match="verify --repair moves it away"):
                realize(data(), store=root, quiet=True)
            Store(root).verify(repair=True)
        again: Realization[Any] = realize(data(), store=root, quiet=True)
    assert not again.path.is_symlink()
    assert again.ref == ref


def test_a_link_in_the_place_of_a_lock_is_not_followed(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    shutil.rmtree(root / "locks")
    (root / "locks").mkdir()
    for shard in range(16):
        (root / "locks" / f"{shard:x}").symlink_to(outside)
    with pytest.raises(StoreError, match="a link"):
        realize(data(), store=root, quiet=True, rebuild=["data"])
    for shard in range(16):
        (root / "locks" / f"{shard:x}").unlink()
        (root / "locks" / f"{shard:x}").mkdir()
        (root / "locks" / f"{shard:x}" / "key.lock").symlink_to(outside / "made")
    with pytest.raises(StoreError):
        realize(data(), store=root, quiet=True, rebuild=["data"])
    assert list(outside.iterdir()) == []


def test_what_is_noted_of_a_verify_is_written_through_no_link(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "_NOTED", 0.0)
    outside = root.parent / "outside"
    outside.write_text("")

    def plant(done: int, total: int) -> None:
        (root / "cache").mkdir(exist_ok=True)
        (root / "cache" / "verified").unlink(missing_ok=True)
        (root / "cache" / "verified").symlink_to(outside)

    assert Store(root).verify(progress=plant).sound
    assert outside.read_text() == ""


# Format


@pytest.mark.parametrize("version", ["store/2", "store/10", "store/999999999"])
def test_a_newer_format_is_refused_and_nothing_is_changed(root: Path, version: str) -> None:
    path = root / "format.json"
    path.unlink()
    path.write_text(json.dumps({"pylightnix": version}))
    before = state(root)
    with pytest.raises(FormatError, match=f"{version}, this version reads up to store/1"):
        Store(root)
    assert state(root) == before


@pytest.mark.parametrize("text", ["store/0", "store/01", "store/-1", "store/1\n", "store/1.0", "record/1", "", None, 1])
def test_what_is_no_format_is_refused(root: Path, text: object) -> None:
    path = root / "format.json"
    path.unlink()
    path.write_text(json.dumps({"pylightnix": text}))
    with pytest.raises(FormatError, match="nothing that can be understood"):
        Store(root)


# Owners and modes


@pytest.fixture
def _untold() -> Iterator[None]:
    before = set(trust._told)
    trust._told.clear()
    yield
    trust._told.update(before)


@pytest.mark.usefixtures("_untold")
@pytest.mark.parametrize("name", ["", "store", "records", "derivations", "tmp"])
def test_a_store_to_which_everybody_can_write_is_told_once(root: Path, name: str) -> None:
    (root / name).chmod(0o777)
    with pytest.warns(TrustWarning, match="everybody can write to it; chmod o-w"):
        Store(root)
    Store(root)


def test_a_sticky_bit_does_not_protect_the_store_itself(root: Path) -> None:
    (root / "records").chmod(0o1777)
    assert [doubt.where for doubt in doubts(Layout(root))] == [str(root / "records")]


@pytest.mark.usefixtures("_untold")
@gives_files
def test_a_store_of_somebody_else_is_told_once(root: Path) -> None:
    os.chown(root, 4711, -1)
    with pytest.warns(TrustWarning, match=r"it belongs to user 4711, who can change what is read from it"):
        Store(root)
    Store(root)


@pytest.mark.parametrize(("mode", "told"), [(0o777, True), (0o1777, False), (0o775, False)])
def test_who_can_replace_the_store_is_told(tmp_path: Path, mode: int, told: bool) -> None:
    above = tmp_path / "above"
    above.mkdir()
    above.chmod(mode)
    (above / "inner").mkdir()
    layout = Layout(above / "inner" / "store")
    layout.ensure()
    assert [doubt.where for doubt in doubts(layout)] == ([str(above)] if told else [])


@gives_files
def test_the_owner_of_a_directory_above_is_told_even_if_it_is_sticky(tmp_path: Path) -> None:
    (tmp_path / "above").mkdir()
    (tmp_path / "above").chmod(0o1777)
    os.chown(tmp_path / "above", 4711, -1)
    layout = Layout(tmp_path / "above" / "store")
    assert [doubt.where for doubt in doubts(layout)] == [str(tmp_path / "above")]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_is_made_under_any_umask_lets_nobody_else_write(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        realize(report(), store=tmp_path / "store", quiet=True)
        with pytest.raises(PylightnixError):
            realize(broken(), store=tmp_path / "store", quiet=True)
        store = Store(tmp_path / "store")
        store.verify()
    finally:
        os.umask(before)
    for path in [store.path, *store.path.rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert not mode & 0o002 or path.parent.name == "out", path
        assert not mode & umask & 0o077, path
        assert mode & 0o400, path
    artifacts = list((store.path / "store").rglob("*"))
    assert all(not path.lstat().st_mode & 0o222 for path in artifacts)
    assert list(doubts(store.keeper.layout)) == []


@pytest.mark.parametrize("how", ["fifo", "link", "dangling", "directory"])
@pytest.mark.parametrize("name", ["collect.lock", "roots.lock", "key.lock", "shard"])
def test_what_is_in_the_place_of_a_lock_is_named(tmp_path: Path, name: str, how: str) -> None:
    if (name, how) == ("shard", "directory"):
        pytest.skip("that is what must be there")
    made = realize(report(), store=tmp_path / "store", quiet=True)
    store = Store(tmp_path / "store")
    shard = store.path / "locks" / made.record.home[0]
    place = shard if name == "shard" else shard / name if name == "key.lock" else store.path / "locks" / name
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    (tmp_path / "there").mkdir()
    match how:
        case "fifo":
            os.mkfifo(place)
        case "directory":
            place.mkdir()
        case _:
            place.symlink_to(tmp_path / "there" if how == "link" else tmp_path / "nowhere")
    if name == "collect.lock":
        with pytest.raises(StoreError, match="in the place of a file of locks there is a "):
            realize(report(), store=Store(store.path), rebuild=[report], quiet=True)
    act: Callable[[], object] = {
        "collect.lock": store.gc,
        "roots.lock": lambda: store.root("kept", made),
    }.get(name, lambda: realize(report(), store=store, rebuild=[report], quiet=True))
    with pytest.raises(StoreError, match=r"in the place of a (file|directory) of locks there is a ") as told:
        act()
    assert told.value.where == str(place)
    assert "move it away" in told.value.hint
    assert [one.where for one in store.examine() if one.level == Level.WRONG] == [str(place)]
