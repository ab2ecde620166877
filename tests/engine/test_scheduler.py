"""The scheduler: readiness, runs, stopping; no I/O to stand in for."""

from __future__ import annotations

from pylightnix.engine.scheduler import Scheduler
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
