"""What cannot have what it wants is told before anything runs: once for each condition that is fine, and lazily."""

from __future__ import annotations

from typing import Any

from pylightnix import stage
from pylightnix.dsl.closure import pin
from pylightnix.engine.room import Room
from pylightnix.engine.wishes import Wishes
from pylightnix.errors import ExecutorError
from pylightnix.executors import InlineExecutor
from pylightnix.model.closure import Pinned
from pylightnix.model.conditions import Conditions


@stage(code="ignore")
def plain(n: int = 0) -> None: ...


@stage(code="ignore", resources={"gpus": 9})
def greedy() -> None: ...


class Picky(InlineExecutor):
    """Refuses what has a time limit."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Conditions] = []

    def accept(self, conditions: Conditions) -> None:
        self.asked.append(conditions)
        if conditions.timeout is not None:
            raise ExecutorError("no time is kept here")


@stage(code="ignore", timeout=5)
def timed() -> None: ...


def refused(*asked: Any, settled: frozenset[str] = frozenset()) -> tuple[list[tuple[str, str]], Picky]:
    closure = pin(tuple(one() if callable(one) else one for one in asked))
    executor = Picky()
    found = Wishes(closure, executor, Room({"gpus": 1})).refused(
        lambda pinned: pinned.conditions, lambda ref: ref.name in settled
    )
    return [(ref.name, str(error)) for ref, error in found], executor


def test_all_that_cannot_have_it_is_told_by_its_name() -> None:
    found, _ = refused(plain, greedy, timed)
    assert [name for name, _ in found] == ["greedy", "timed"]
    assert "greedy" in found[0][1]
    assert "a run needs 9 gpus, and there is 1 gpus" in found[0][1]
    assert found[1][1].startswith("timed ")
    assert "no time is kept here" in found[1][1]


def test_what_is_settled_is_not_looked_at() -> None:
    found, executor = refused(plain, greedy, timed, settled=frozenset({"greedy", "timed"}))
    assert found == []
    assert len(executor.asked) == 1


def test_conditions_that_are_fine_are_asked_for_once() -> None:
    found, executor = refused(*(plain(n=n) for n in range(5)))
    assert found == []
    assert len(executor.asked) == 1


def test_whoever_stops_asking_is_told_no_more() -> None:
    closure = pin((greedy(), timed()))
    executor = Picky()

    def of(pinned: Pinned) -> Conditions:
        return pinned.conditions

    found = Wishes(closure, executor, Room({"gpus": 1})).refused(of, lambda _: False)
    next(found)
    assert executor.asked == []
