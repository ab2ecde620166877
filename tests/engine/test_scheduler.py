"""The scheduler: readiness, runs, stopping; no I/O to stand in for."""

from __future__ import annotations

import pytest

from pylightnix.engine.room import Demand, Room
from pylightnix.engine.scheduler import PASSED, Scheduler
from pylightnix.names import DerivationRef


def ref(letter: str) -> DerivationRef:
    return DerivationRef.of(letter * 40, letter)


A, B, C, D = (ref(letter) for letter in "abcd")


def drain(scheduler: Scheduler[str]) -> list[DerivationRef]:
    found = []
    while (following := scheduler.next_ready()) is not None:
        found.append(following)
    return found


def test_a_derivation_is_ready_when_its_last_input_is_done() -> None:
    scheduler = Scheduler[str]({A: [], B: [], C: [A, B], D: [C]})
    assert drain(scheduler) == [A, B]
    scheduler.done(A)
    assert drain(scheduler) == []
    scheduler.done(B)
    assert drain(scheduler) == [C]
    scheduler.done(C)
    assert drain(scheduler) == [D]


def test_ready_derivations_come_in_the_order_of_the_plan() -> None:
    scheduler = Scheduler[str]({A: [], B: [A], C: [A], D: []})
    assert scheduler.next_ready() == A
    scheduler.done(A)
    assert drain(scheduler) == [B, C, D]


def test_an_input_used_twice_counts_once() -> None:
    scheduler = Scheduler[str]({A: [], B: [A, A]})
    assert drain(scheduler) == [A]
    scheduler.done(A)
    assert drain(scheduler) == [B]


def test_a_derivation_is_asked_again_when_all_its_runs_have_finished() -> None:
    scheduler = Scheduler[str]({A: []})
    assert drain(scheduler) == [A]
    scheduler.want(A, ["first", "second"])
    assert scheduler.next_task() == (A, "first")
    assert scheduler.next_task() == (A, "second")
    assert scheduler.next_task() is None
    scheduler.finished(A)
    assert drain(scheduler) == []
    scheduler.finished(A)
    assert drain(scheduler) == [A]


def test_nothing_is_handed_out_after_stop() -> None:
    scheduler = Scheduler[str]({A: [], B: []})
    assert scheduler.next_ready() == A
    scheduler.want(A, ["run"])
    scheduler.stop()
    assert scheduler.next_task() is None
    assert scheduler.next_ready() is None


def start_all(scheduler: Scheduler[str]) -> list[str]:
    started = []
    while (following := scheduler.next_task()) is not None:
        started.append(following[1])
    return started


def test_the_longest_run_starts_first_and_one_that_nobody_knows_before_it() -> None:
    scheduler = Scheduler[str]({A: [], B: [], C: []})
    drain(scheduler)
    scheduler.want(A, ["short", "short too"], 1.0)
    scheduler.want(B, ["long"], 60.0)
    scheduler.want(C, ["unknown", "unknown too"])
    assert start_all(scheduler) == ["unknown", "unknown too", "long", "short", "short too"]


def test_a_run_that_does_not_fit_lets_others_pass() -> None:
    scheduler = Scheduler[str]({A: [], B: []})
    drain(scheduler)
    gpu = (("gpus", 1.0),)
    scheduler.want(A, ["a1", "a2"], 9.0, gpu)
    scheduler.want(B, ["b1"], 1.0)
    assert scheduler.next_task(lambda demand: True) == (A, "a1")
    assert scheduler.next_task(lambda demand: not demand) == (B, "b1")
    assert scheduler.next_task(lambda demand: not demand) is None
    assert scheduler.next_task() == (A, "a2")


def test_runs_that_are_withdrawn_leave_those_of_others() -> None:
    scheduler = Scheduler[str]({A: [], B: []})
    drain(scheduler)
    scheduler.want(A, ["a1", "a2", "a3"])
    scheduler.want(B, ["b1"])
    assert scheduler.next_task() == (A, "a1")
    assert not scheduler.withdraw(A)
    assert start_all(scheduler) == ["b1"]


def test_runs_that_are_dropped_are_not_waited_for() -> None:
    scheduler = Scheduler[str]({A: [], B: [], C: [A]})
    drain(scheduler)
    scheduler.want(A, ["a1", "a2"])
    scheduler.want(B, ["b1"])
    scheduler.drop(A)
    scheduler.drop(C)
    assert scheduler.has_tasks
    assert start_all(scheduler) == ["b1"]
    assert not scheduler.has_tasks
    scheduler.failed(A)
    scheduler.finished(B)
    assert drain(scheduler) == [B]


def test_of_what_has_failed_nothing_more_comes_than_what_was_asked_for() -> None:
    scheduler = Scheduler[str]({A: [], B: [A]})
    drain(scheduler)
    scheduler.want(A, ["a1", "a2"])
    assert scheduler.next_task() == (A, "a1")
    scheduler.failed(A)
    assert drain(scheduler) == []
    assert scheduler.next_task() == (A, "a2")
    scheduler.finished(A)
    assert drain(scheduler) == [A], "to be decided, which whoever knows of the failure leaves"
    scheduler.failed(A)


ONE: Demand = (("cpus", 1.0),)
ALL: Demand = (("cpus", 2.0),)


def order_of_starts(scheduler: Scheduler[str], room: Room, lasts: dict[str, float]) -> list[str]:
    """Play runs on a machine with such room: a letter each, in the order in which they start."""
    demands = {"s": ONE, "l": ONE, "b": ALL, "g": (("gpus", 1.0),)}
    under_way: list[tuple[float, DerivationRef, str]] = []
    started, now = "", 0.0
    while True:
        while (following := scheduler.next_task(room.fits)) is not None:
            of, task = following
            room.take(demands[task])
            # the first of two that start together ends half-way through the other
            under_way.append((now + lasts[task] * (0.5 if not under_way else 1), of, task))
            started += task
        if not under_way:
            return list(started)
        under_way.sort()
        now, of, task = under_way.pop(0)
        room.give(demands[task])
        scheduler.finished(of)


@pytest.mark.parametrize("known", [True, False])
def test_one_that_needs_much_is_not_passed_for_ever_by_those_that_need_little(known: bool) -> None:
    scheduler = Scheduler[str]({A: [], B: []})
    drain(scheduler)
    scheduler.want(A, ["s"] * 2, 1.0 if known else None, ONE)
    assert scheduler.next_task() == (A, "s")
    assert scheduler.next_task() == (A, "s")
    room = Room({"cpus": 2})
    room.take(ONE)
    scheduler.finished(A)
    scheduler.want(B, ["b"], 5.0 if known else None, ALL)
    scheduler.want(A, ["s"] * 100, 1.0 if known else None, ONE)
    for _ in range(PASSED):
        assert scheduler.next_task(room.fits) == (A, "s")
        scheduler.finished(A)
    assert scheduler.next_task(room.fits) is None, "what it lacks is kept for it"
    scheduler.finished(A)
    room.give(ONE)
    assert scheduler.next_task(room.fits) == (B, "b")


def test_short_runs_pass_one_that_waits_for_a_long_one() -> None:
    """Else a processor would be idle for all that time."""
    scheduler = Scheduler[str]({A: [], B: [], C: []})
    drain(scheduler)
    scheduler.want(C, ["l"], 1000.0, ONE)
    scheduler.want(B, ["b"], 900.0, ALL)
    scheduler.want(A, ["s"] * 100, 1.0, ONE)
    started = order_of_starts(scheduler, Room({"cpus": 2}), {"l": 1000.0, "b": 900.0, "s": 1.0})
    assert started == ["l", *"s" * 100, "b"]


def test_what_is_kept_for_one_is_only_what_it_lacks() -> None:
    scheduler = Scheduler[str]({A: [], B: [], C: []})
    drain(scheduler)
    room = Room({"cpus": 2, "gpus": 1})
    room.take((("cpus", 2.0),))
    scheduler.want(B, ["b"], None, (("cpus", 1.0), ("gpus", 1.0)))
    scheduler.want(C, ["g"] * 100, 1.0, (("gpus", 1.0),))
    assert start_all_that_fit(scheduler, room) == 100


def start_all_that_fit(scheduler: Scheduler[str], room: Room) -> int:
    count = 0
    while (following := scheduler.next_task(room.fits)) is not None:
        scheduler.finished(following[0])
        count += 1
    return count
