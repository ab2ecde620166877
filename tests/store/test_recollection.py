"""What was chosen is remembered where it holds, and never believed where it may not hold any more."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import time
from pathlib import Path

import pytest

from pylightnix.model.records import InputChoice, Record
from pylightnix.model.remembered import Made, Remembered
from pylightnix.names import DerivationRef
from pylightnix.store import changes
from pylightnix.store.recollection import MOST
from pylightnix.store.store import Store
from tests.store.conftest import Maker

DERIVATION = DerivationRef(f"{'d' * 40}-model")
CLOSURE = "c" * 64


def remembered(record: Record) -> Remembered:
    return Remembered(InputChoice(record.home, (record.ref,), False, record.made_in or "e" * 64, "latest()"), "why")


def remember(store: Store, record: Record, *, lone: bool = True, after: float = 0.05) -> Remembered:
    """Look at the key as a decision does, wait for the clock of the file system, remember and recall."""
    store.keeper.candidates(record.home, record.key)
    time.sleep(after)
    store.keeper.memory.remember(CLOSURE, [Made(DERIVATION, remembered(record), lone)])
    return store.keeper.memory.recall(CLOSURE)[DERIVATION]


def test_a_lone_candidate_is_remembered_and_holds(store: Store, make: Maker) -> None:
    record = make()
    found = remember(store, record)
    assert found.stamp is not None
    assert found._replace(stamp=None) == remembered(record)
    assert Store(store.path).keeper.memory.still_holds(found)


def test_nothing_is_remembered_of_a_walk_in_which_a_context_could_not_be_noted(store: Store, make: Maker) -> None:
    record = make()
    ref, document = make.describe("model", 1, {})

    def refuse(name: str, about: tuple[object, ...]) -> None:
        if name == "open":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with changes.observed(refuse):
        store.keeper.add_context(record, make.context(ref, {}), document)
    made = [Made(DERIVATION, remembered(record), True)]
    store.keeper.memory.remember(CLOSURE, made)
    assert store.keeper.memory.recall(CLOSURE) == {}
    store.keeper.memory.remember(CLOSURE, made)
    assert DERIVATION in store.keeper.memory.recall(CLOSURE)


def test_a_choice_among_several_has_no_stamp(store: Store, make: Maker) -> None:
    assert remember(store, make(), lone=False).stamp is None


def test_a_key_that_another_run_has_changed_since_the_look_has_no_stamp(store: Store, make: Maker) -> None:
    record = make()
    store.keeper.candidates(record.home, record.key)
    make(content="other")
    time.sleep(0.05)
    store.keeper.memory.remember(CLOSURE, [Made(DERIVATION, remembered(record), True)])
    assert store.keeper.memory.recall(CLOSURE)[DERIVATION].stamp is None


def test_a_key_that_was_changed_at_this_very_moment_has_no_stamp(
    store: Store, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = make()
    base = f"{store.path}/records/{record.home}"
    right = os.stat

    def coarse(path: str, **keywords: object) -> object:
        """A clock that stands still while the file is made, by which others are dated."""
        return right(base if path.endswith(".now") else path, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", coarse)
    assert remember(store, record).stamp is None


@pytest.mark.parametrize("change", ["lost", "another run", "record"])
def test_what_changes_at_once_after_a_stamp_does_not_hold(tmp_path: Path, maker: type[Maker], change: str) -> None:
    """Whatever the clock: where it ticks slowly there is no stamp of what is so new."""
    store = Store(tmp_path / "store", durability="none")
    make = maker(store)
    stamped = 0
    for number in range(30):
        record = make(n=number)
        found = remember(store, record, after=0.0)
        if change == "lost":
            Path(store.path, "records", record.home, f"{record.ref.digits}.lost").touch()
        elif change == "record":
            Path(store.keeper.place(record), "record.json").chmod(0o400)
        else:
            Path(store.path, "records", record.home, "0" * 40).mkdir()
        if found.stamp is not None:
            stamped += 1
            assert not store.keeper.memory.still_holds(found), number
    release = tuple(map(int, re.findall(r"[0-9]+", os.uname().release)[:2])) if hasattr(os, "uname") else (0, 0)
    if sys.platform == "linux" and release >= (6, 13) and _has_fine_times(store.path):
        assert stamped > 20, "the clock is fine enough, and was not believed"


def _has_fine_times(place: Path) -> bool:
    kinds = {line.split()[1]: line.split()[2] for line in Path("/proc/self/mounts").read_text().splitlines()}
    mount = max((point for point in kinds if f"{place}/".startswith(f"{point.rstrip('/')}/")), key=len)
    return kinds[mount] in ("ext4", "xfs", "btrfs", "tmpfs")


@pytest.mark.parametrize("what", ["another run", "record", "record removed", "artifacts", "lost", "removed", "copied"])
def test_what_has_changed_does_not_hold(store: Store, make: Maker, tmp_path: Path, what: str) -> None:
    record = make()
    found = remember(store, record)
    place = Path(store.keeper.place(record))
    match what:
        case "another run":
            make(content="other")
        case "record":
            place.chmod(0o755)
            (place / "record.json").chmod(0o644)
            (place / "record.json").write_text("{}")
        case "record removed":
            (place / "record.json").unlink()
        case "artifacts":
            Path(store.keeper.payload(record)).chmod(0o755)
            os.rename(store.keeper.payload(record), tmp_path / "away")
        case "lost":
            store.keeper.lose(record)
        case "removed":
            store.remove(str(record.ref))
        case "copied":
            shutil.copytree(store.path, tmp_path / "copy", copy_function=shutil.copy2)
            store = Store(tmp_path / "copy")
    assert not store.keeper.memory.still_holds(found)


@pytest.mark.parametrize("damage", [b"", b"\0", b"x" * 1000, None])
def test_a_damaged_memory_is_none(store: Store, make: Maker, damage: bytes | None) -> None:
    remember(store, make())
    (path,) = (store.path / "cache").iterdir()
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data.replace(b'"why"', b'"who"') if damage is None else damage)
    assert store.keeper.memory.recall(CLOSURE) == {}


def test_nothing_is_known_of_another_closure(store: Store, make: Maker) -> None:
    remember(store, make())
    assert store.keeper.memory.recall("f" * 64) == {}


def test_the_oldest_is_forgotten(store: Store, make: Maker) -> None:
    made = Made(DERIVATION, remembered(make()), True)
    for number in range(MOST + 3):
        store.keeper.memory.remember(f"{number:040}", [made])
        os.utime(store.path / "cache" / f"choices-{number:040}", ns=(number, number))
    names = sorted(path.name for path in (store.path / "cache").iterdir())
    assert names == [f"choices-{number:040}" for number in range(3, MOST + 3)]


def test_what_is_not_a_memory_is_not_forgotten(store: Store, make: Maker) -> None:
    made = Made(DERIVATION, remembered(make()), True)
    (store.path / "cache" / "used").mkdir(parents=True, exist_ok=True)
    (store.path / "cache" / "other").write_text("of somebody else")
    for name in ("used", "other"):
        os.utime(store.path / "cache" / name, ns=(0, 0))
    for number in range(MOST + 3):
        store.keeper.memory.remember(f"{number:040}", [made])
    names = {path.name for path in (store.path / "cache").iterdir()}
    assert {"used", "other"} < names
    assert len(names) == MOST + 2


def test_a_store_that_cannot_be_written_remembers_nothing(store: Store, make: Maker) -> None:
    made = Made(DERIVATION, remembered(make()), True)
    (store.path / "cache").write_text("in the way")
    store.keeper.memory.remember(CLOSURE, [made])
    assert store.keeper.memory.recall(CLOSURE) == {}
