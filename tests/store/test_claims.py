"""Slots: who has one of a key, as others see it; and what is left of them."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylightnix.errors import StoreError
from pylightnix.names import KeyRef
from pylightnix.store import changes, locks
from pylightnix.store.claims import Claims

HOME, OTHER = KeyRef(f"{'a' * 40}-model"), KeyRef(f"{'b' * 40}-data")


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path / "locks")


def named(directory: str) -> list[str]:
    """All that stands in a directory, but for what stays."""
    found = [path.name for path in Path(directory).rglob("*.lock")]
    return sorted(name for name in found if name != "key.lock")


@pytest.fixture(params=[None, errno.EMLINK, errno.EPERM])
def linking(request: pytest.FixtureRequest) -> Iterator[int | None]:
    """Where a file can have several names, and where the system refuses that."""

    def refuse(name: str, about: tuple[object, ...]) -> None:
        if name == "link" and request.param is not None:
            raise OSError(request.param, os.strerror(request.param))

    with changes.observed(refuse):
        yield request.param


def test_who_has_a_slot_is_seen_until_it_is_given_back(directory: str, linking: int | None) -> None:
    first, second = Claims(directory), Claims(directory)
    held = [first.claim(HOME), first.claim(HOME), first.claim(OTHER)]
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(len(second.claim(HOME).others)))
    thread.start()
    thread.join()
    assert seen == [2]
    assert len({os.stat(path).st_ino for path in Path(directory).rglob("*@*@*.lock")}) == (2 if linking is None else 4)
    held[0].release()
    held[0].release()
    other = threading.Thread(target=lambda: seen.append(len(second.claim(HOME).others)))
    other.start()
    other.join()
    assert seen == [2, 2], "one of the first and one of the second"
    for slot in held:
        slot.release()
    assert len([name for name in named(directory) if name.startswith(HOME)]) == 2


def test_who_makes_what_stays_is_the_first_and_whoever_is_not_sees_him(directory: str, linking: int | None) -> None:
    kept: list[str] = []

    def begin() -> bool:
        kept.append("")
        return len(kept) == 1

    slot = Claims(directory).claim(HOME, begin)
    assert (slot.first, slot.others) == (True, [])
    seen: list[tuple[bool, int]] = []

    def late() -> None:
        second = Claims(directory).claim(HOME, begin)
        seen.append((second.first, len(second.others)))
        second.release()

    thread = threading.Thread(target=late)
    thread.start()
    thread.join()
    assert seen == [(False, 1)]
    slot.release()
    assert named(directory) == []


def test_who_cannot_tell_whether_it_is_the_first_has_no_slot(directory: str) -> None:
    def begin() -> bool:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StoreError, match="No space"):
        Claims(directory).claim(HOME, begin)
    assert named(directory) == []


def test_what_this_thread_has_itself_is_no_other(directory: str) -> None:
    claims = Claims(directory)
    outer = claims.claim(HOME)
    assert claims.claim(HOME).others == []
    outer.release()


def test_nothing_is_left_open_or_lying_about(directory: str, linking: int | None) -> None:
    before = set(locks._descriptors)
    claims = Claims(directory)
    for _ in range(2):
        slots = [claims.claim(KeyRef(f"{digit:x}{'0' * 39}-model")) for digit in range(16)]
        for slot in slots:
            slot.release()
        assert named(directory) == []
        assert locks._descriptors <= before


def test_a_forked_child_neither_has_nor_gives_back_its_parents_slots(directory: str) -> None:
    claims = Claims(directory)
    slot = claims.claim(HOME)
    child = os.fork()
    if child == 0:
        try:
            slot.release()
            own = claims.claim(OTHER)
            own.release()
        finally:
            os._exit(len(named(directory)))
    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 2, "the slot, and the file of which it is a name"
    assert len(named(directory)) == 2
    slot.release()
    assert named(directory) == []


def test_a_child_that_is_forked_while_another_thread_has_the_turn_does_not_wait_for_it(directory: str) -> None:
    claims = Claims(directory)
    slot = claims.claim(HOME)
    with claims._gates.closed(f"{directory}/{OTHER[0]}"):
        child = os.fork()
        if child == 0:
            try:
                claims.claim(KeyRef(f"{'c' * 40}-model")).release()
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    slot.release()


def test_threads_with_one_store_take_turns(directory: str) -> None:
    claims, most = Claims(directory), 0
    inside: list[int] = []

    def work() -> None:
        nonlocal most
        for _ in range(50):
            with claims._gates.closed(f"{directory}/a"):
                inside.append(1)
                most = max(most, len(inside))
                inside.pop()

    claims.claim(HOME).release()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_what_was_removed_meanwhile_is_made_again(directory: str) -> None:
    claims = Claims(directory)
    claims.claim(HOME).release()
    shutil.rmtree(directory)
    os.makedirs(directory)
    slot = claims.claim(HOME)
    assert [name for name in named(directory) if name.startswith(HOME)] != []
    slot.release()
    assert named(directory) == []


def test_slots_of_the_dead_are_counted_and_swept(directory: str) -> None:
    child = os.fork()
    if child == 0:
        claims = Claims(directory)
        claims.claim(HOME)
        claims.claim(OTHER)
        os._exit(0)
    os.waitpid(child, 0)
    living = Claims(directory)
    slot = living.claim(HOME)
    assert living.count_dead() == 2, "the claim above has removed the one of the same key"
    assert living.sweep() == 1
    assert living.count_dead() == 0
    slot.release()
    assert named(directory) == []
