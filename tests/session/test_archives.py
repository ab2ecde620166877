"""The verbs that write and read archives, as two people with two laptops use them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Dep, Store, export, import_archive, plan, promise, realize, stage
from pylightnix.errors import ArgumentError, BadNameError, CollectedError, StoreError
from pylightnix.store.removal import remove_tree
from tests.dying import dies_at


@stage(code="ignore")
def data(table: Path = promise("table.txt")) -> None:
    print("a line for the log")
    table.write_text("one two")


@stage(code="ignore")
def report(source: Dep = data(), text: Path = promise("text.txt")) -> int:
    text.write_text(source.table.read_text() * 1000)
    return 7


@pytest.mark.parametrize("suffix", ["plx", "plx.gz", "plx.zst"])
def test_from_one_to_the_other(tmp_path: Path, suffix: str) -> None:
    if suffix == "plx.zst" and sys.version_info < (3, 14):
        pytest.importorskip("zstandard", reason="nothing here knows zstd")
    one, two, path = Store(tmp_path / "one"), Store(tmp_path / "two"), tmp_path / f"c.{suffix}"
    done = realize(report(), store=one, quiet=True)
    told = export(done, path, store=one)
    assert (told.realizations, told.size, told.path) == (2, path.stat().st_size, str(path))
    before = path.read_bytes()
    export(str(done.ref)[:10], path, store=one)
    assert path.read_bytes() == before
    export([done, done.deps.source], tmp_path / "both", store=one)
    export([done.deps.source, done], tmp_path / "both2", store=one)
    assert (tmp_path / "both").read_bytes() == (tmp_path / "both2").read_bytes()
    import_archive(path, store=two, root="got")
    assert two.verify().sound
    assert [root.name for root in two.roots()] == ["got"]
    assert all(step.action == "reuse" for step in plan(report(), store=two).steps)
    assert two.gc(unreachable=True, dry_run=True).victims == ()
    assert [(p.name, p.lstat().st_mode) for p in sorted((one.path / "store").rglob("*"))] == [
        (p.name, p.lstat().st_mode) for p in sorted((two.path / "store").rglob("*"))
    ]


def test_a_killed_export_leaves_nothing_for_ever(tmp_path: Path) -> None:
    one, folder = Store(tmp_path / "one"), tmp_path / "mine"
    folder.mkdir()
    done = realize(report(), store=one, quiet=True)
    for last in range(100):
        if not dies_at(last, lambda: export(done, folder / "c.plx", store=one)):
            break
        if (folder / "c.plx").exists():
            import_archive(folder / "c.plx", store=tmp_path / f"two{last}")
    export(done, folder / "c.plx", store=one)
    assert last > 10
    assert [path.name for path in folder.iterdir()] == ["c.plx"]


def test_what_was_collected_meanwhile_is_told_as_that(tmp_path: Path) -> None:
    """And not as a file that cannot be written, which it is for those who ask for an OSError."""
    one = Store(tmp_path / "one")
    table = realize(data(), store=one, quiet=True)
    remove_tree(table.path)
    with pytest.raises(CollectedError, match="not here"):
        export(table, tmp_path / "x.plx", store=one)


def test_collected_inputs_go_as_records(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    done = realize(report(), store=one, quiet=True)
    table = done.deps.source
    remove_tree(table.path)
    with pytest.raises(CollectedError):
        export(table, tmp_path / "x.plx", store=one)
    export(done, tmp_path / "x.plx", store=one)
    came = import_archive(tmp_path / "x.plx", store=two).copied
    assert [one.how for one in came.moved] == ["record", "copied"]
    assert two.verify().sound
    realize(data(), store=one, quiet=True)
    export(done, tmp_path / "x.plx", store=one)
    came = import_archive(tmp_path / "x.plx", store=two).copied
    assert [one.how for one in came.moved] == ["copied", "there"]
    assert two.verify().sound
    assert two.realization(table.ref).table.read_text() == "one two"


def test_what_was_removed(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    done = realize(report(), store=one, quiet=True)
    one.remove(done.deps.source.ref)
    with pytest.raises(StoreError, match="removed from this store"):
        export(done, tmp_path / "x.plx", store=one)
    assert not (tmp_path / "x.plx").exists()
    export(done, tmp_path / "x.plx", store=one, incomplete=True)
    came = import_archive(tmp_path / "x.plx", store=two).copied
    assert [ref.name for ref in came.absent] == ["data"]
    assert two.verify().sound


def test_wrong_use(tmp_path: Path) -> None:
    one = Store(tmp_path / "one")
    done = realize(data(), store=one, quiet=True)
    with pytest.raises(ArgumentError, match="a directory is there"):
        export(done, tmp_path, store=one)
    with pytest.raises(StoreError, match="cannot be read"):
        import_archive(tmp_path / "no.plx", store=one)
    with pytest.raises(ArgumentError, match="no size"):
        import_archive(tmp_path / "no.plx", store=one, most="much")
    with pytest.raises(ArgumentError, match="nothing is named") as caught:
        export([], tmp_path / "x.plx", store=one)
    assert caught.value.where == "refs"
    with pytest.raises(StoreError, match="cannot be written") as refused:
        export(done, tmp_path / "no" / "x.plx", store=one)
    assert refused.value.hint


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    one = Store(tmp_path / "one")
    done = realize(data(), store=one, quiet=True)
    os.mkfifo(tmp_path / "pipe")  # stands for a device, such as /dev/null, which root would take away for everybody
    (tmp_path / "to pipe").symlink_to("pipe")
    for name in ("pipe", "to pipe"):
        with pytest.raises(ArgumentError, match="something other than a file"):
            export(done, tmp_path / name, store=one)
    assert (tmp_path / "pipe").is_fifo()


def test_at_a_link_the_file_is_where_it_leads(tmp_path: Path) -> None:
    one = Store(tmp_path / "one")
    done = realize(data(), store=one, quiet=True)
    (tmp_path / "stick").mkdir()
    (tmp_path / "x.plx").symlink_to("stick/x.plx")
    export(done, tmp_path / "x.plx", store=one)
    assert (tmp_path / "x.plx").is_symlink()
    assert (tmp_path / "stick" / "x.plx").stat().st_size > 0


def test_a_name_that_is_none_for_a_root_is_refused_before_anything_is_taken_in(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    export(realize(data(), store=one, quiet=True), tmp_path / "x.plx", store=one)
    with pytest.raises(BadNameError):
        import_archive(tmp_path / "x.plx", store=two, root="no name/")
    assert two.realizations() == []


def test_nothing_is_collected_between_the_import_and_its_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    export(realize(report(), store=one, quiet=True), tmp_path / "x.plx", store=one)
    command = [sys.executable, "-m", "pylightnix", "gc", "--unreachable", "--store", str(two.path)]
    root = Store.root

    def collect_first(self: Store, name: str, realizations: Any) -> None:
        subprocess.run(command, check=True, capture_output=True)
        root(self, name, realizations)

    monkeypatch.setattr(Store, "root", collect_first)
    import_archive(tmp_path / "x.plx", store=two, root="got")
    assert two.verify().sound
    assert all(step.action == "reuse" for step in plan(report(), store=two).steps)
