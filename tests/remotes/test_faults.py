"""Every fault at every call of a push and a pull: an error or no harm, nothing wrong is visible, the next one heals."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Dep, Realization, Remote, Store, promise, pull, push, realize, stage
from pylightnix.errors import PylightnixError
from pylightnix.remotes.directory import Directory
from pylightnix.remotes.pieces import PACKED
from pylightnix.testing.faulty import FAULTS, Faulty


@stage(code="ignore")
def data(build: Build, table: Path = promise("table.txt")) -> None:
    print("a line for the log")
    table.write_text("one two")
    (build.out / "large").write_bytes(b"0123456789abcdef" * (PACKED // 16) + b"end")


@stage(code="ignore")
def model(source: Dep = data(), weights: Path = promise("w.bin")) -> float:
    weights.write_text(source.table.read_text())
    return 0.5


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("faults") / "one", durability="none")


@pytest.fixture(scope="module")
def done(source: Store) -> Realization[Any]:
    return realize(model(), store=source, quiet=True)


def whole(store: Store, done: Realization[Any]) -> None:
    """See that all of it is there, and right."""
    assert store.verify().findings == ()
    there = store.realization(done.ref)
    assert there.weights.read_bytes() == done.weights.read_bytes()
    assert there.deps.source.table.read_bytes() == done.deps.source.table.read_bytes()


ANSWERS = ("wrong bytes", "another's bytes", "truncated", "a web page", "nothing", "endless")
"""Faults of what is fetched."""


EVERY = int(os.environ.get("PYLIGHTNIX_KILLS", "3"))
"""Of how many calls one goes wrong, beginning with another for each fault; 1 tries all."""


def _failed(work: Callable[[], object]) -> bool:
    """Whether it ends in an error of ours."""
    try:
        work()
    except PylightnixError:
        return True
    return False


@pytest.mark.parametrize("fault", FAULTS)
def test_while_pushing(fault: str, source: Store, done: Realization[Any], tmp_path: Path) -> None:
    tried = 0
    for at in itertools.count(FAULTS.index(fault) % EVERY, EVERY):
        place = tmp_path / f"remote{at}"
        faulty = Faulty(Directory(str(place)), fault, at)
        failed = _failed(lambda: push(done, Remote(place, backend=faulty), store=source))  # noqa: B023
        assert faulty.done or not failed
        if faulty.calls <= at:
            break
        if not faulty.done:  # it is a fault of another verb
            continue
        tried += 1
        if (place / "remote.json").exists():
            _what_is_claimed_is_there(place, tmp_path / f"half{at}")
        push(done, place, store=source)
        two = Store(tmp_path / f"two{at}", durability="none")
        pull(done.ref, place, store=two, unsigned=True)
        whole(two, done)
    assert tried or fault in ANSWERS, "a push asks for one document alone, and it is not there yet"


def _what_is_claimed_is_there(place: Path, half: Path) -> None:
    """Whatever has a claim can be fetched, with all that it was made from."""
    for path in place.glob("claims/*/*@*.json"):
        pull(path.name[:40], place, store=Store(half, durability="none"), unsigned=True)
    if half.exists():
        assert Store(half).verify().findings == ()


@pytest.mark.parametrize("fault", FAULTS)
def test_while_pulling(fault: str, source: Store, done: Realization[Any], tmp_path: Path) -> None:
    place = tmp_path / "remote"
    push(done, place, store=source)
    tried = 0
    for at in itertools.count(FAULTS.index(fault) % EVERY, EVERY):
        two = Store(tmp_path / f"two{at}", durability="none")
        faulty = Faulty(Directory(str(place)), fault, at)
        if _failed(lambda: pull(done.ref[:12], Remote(place, backend=faulty), store=two, unsigned=True)):  # noqa: B023
            assert faulty.done
        else:
            whole(two, done)
        if faulty.calls <= at:
            break
        if not faulty.done:
            continue
        tried += 1
        if two.path.exists():
            assert two.verify().findings == ()
        pull(done.ref[:12], place, store=two, unsigned=True)
        whole(two, done)
        assert two.gc(unreachable=True, older_than="1d").victims == ()
    assert tried


def test_an_old_state_that_is_played_again(source: Store, done: Realization[Any], tmp_path: Path) -> None:
    """Whoever can write a remote can take away what was added, and nothing more."""
    place = tmp_path / "remote"
    push(done.deps.source, place, store=source)
    before = shutil.copytree(place, tmp_path / "before")
    push(done, place, store=source)
    two = Store(tmp_path / "two", durability="none")
    pull(done.ref, place, store=two, unsigned=True)
    with pytest.raises(PylightnixError, match="nothing is named"):
        pull(done.ref, before, store=two, unsigned=True)
    whole(two, done)
