"""Roots that cannot be followed, contexts and records that others name: what stops a collection is found."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pylightnix import Dep, Realization, Store, promise, realize, stage
from pylightnix.errors import CollectionError
from pylightnix.store.verification.findings import Kind, Outcome
from pylightnix.store.verification.verifying import Report


@stage(code="ignore")
def source(n: int = 0, rows: Path = promise("rows")) -> None:
    rows.write_text("1 2 3")


@stage(code="ignore")
def table(given: Path, rows: Path = promise("rows")) -> None:
    print("a line for the log")
    rows.write_text(given.read_text())


@stage(code="ignore")
def model(data: Dep) -> int:
    return len(data.rows.read_text())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def rooted(store: Store, n: int = 0) -> Realization[int]:
    return realize(model(table(source(n).rows)), store=store, quiet=True, root="paper")


def stops(store: Store) -> None:
    with pytest.raises(CollectionError):
        store.gc(unreachable=True)


def told(report: Report) -> list[tuple[Kind, str]]:
    return [(one.kind, one.file) for one in report.findings]


def remake(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.rename(path.parent.parent / "moved")
        make(path)

    return damage


DAMAGES = [
    pytest.param(remake(lambda path: path.write_bytes(b"")), id="empty"),
    pytest.param(remake(lambda path: path.write_bytes((path.parent.parent / "moved").read_bytes()[:-9])), id="cut"),
    pytest.param(remake(os.mkfifo), id="fifo"),
    pytest.param(remake(lambda path: path.symlink_to("../moved")), id="link"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_root_is_named_and_left_to_people(store: Store, damage: Callable[[Path], None]) -> None:
    rooted(store)
    assert store.verify().sound
    (path,) = (store.path / "roots").iterdir()
    damage(path)
    stops(store)
    assert told(store.verify()) == [(Kind.ROOT, f"roots/{path.name}")]
    repaired = store.verify(repair=True)
    assert [(one.outcome, os.path.lexists(path)) for one in repaired.repairs] == [(Outcome.LEFT, True)]
    assert repaired.left == repaired.findings
    rooted(store)
    assert store.verify().sound, "setting it again mends it"
    assert store.gc(unreachable=True).victims == ()


def test_a_missing_context_is_named_where_something_needs_it(store: Store) -> None:
    rooted(store, 0)
    data = rooted(store, 1).deps.data
    (path,) = Path(store.keeper.place(data.record)).glob("context-*.json")
    path.unlink()
    stops(store)
    (root,) = (store.path / "roots").iterdir()
    inside = str(path.relative_to(store.path))
    assert told(store.verify()) == [(Kind.NEEDED, inside), (Kind.ROOT, f"roots/{root.name}")]
    assert {one.outcome for one in store.verify(repair=True).repairs} == {Outcome.LEFT}
    rooted(store, 1)
    assert store.verify().sound


def test_a_missing_record_is_named_where_a_root_needs_it(store: Store) -> None:
    data = rooted(store).deps.data
    shutil.rmtree(store.keeper.place(data.record))
    stops(store)
    assert [kind for kind, _ in told(store.verify())] == [Kind.ROOT]
    store.unroot("paper")
    assert store.verify().sound


def test_what_a_repair_takes_from_a_root_is_told(store: Store) -> None:
    path = Path(store.keeper.place(rooted(store).record)) / "record.json"
    data = path.read_bytes().replace(b'"value":', b'"value":7')
    path.unlink()
    path.write_bytes(data)
    assert [one.outcome for one in store.verify(repair=True).repairs] == [Outcome.QUARANTINED, Outcome.LEFT]


def test_a_link_in_the_place_of_a_log_is_damage(store: Store) -> None:
    (log,) = Path(store.keeper.place(rooted(store).deps.data.record)).glob("*.log")
    log.rename(store.path / "moved")
    log.symlink_to(store.path / "moved")
    assert [kind for kind, _ in told(store.verify())] == [Kind.RUN]
    assert store.verify(repair=True).left == ()
