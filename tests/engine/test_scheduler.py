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
