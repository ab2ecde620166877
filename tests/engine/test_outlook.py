"""What is left of a realize: by its longest path and by all its work, and whether that is all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pylightnix import Store, stage
from pylightnix.dsl.closure import pin
from pylightnix.engine.outlook import Outlook
from pylightnix.model.build import BuildRequest, BuildResult
from pylightnix.model.closure import Closure
from pylightnix.names import DerivationRef, KeyRef


@stage(code="ignore")
def first(n: int) -> int:
    return n


@stage(code="ignore")
def second(source: Any) -> int:
    return 1


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def home(ref: DerivationRef) -> KeyRef:
    return KeyRef.of(ref.digits, ref.name)


def request(ref: DerivationRef, run: int = 0) -> BuildRequest:
    return BuildRequest(ref.name, first.function, False, {}, {}, home(ref), run, 1, "/o", "/s", "/c", "/l")


def result(seconds: float) -> BuildResult:
    return BuildResult(None, None, "", seconds, {})


def outlook(closure: Closure, place: Path, clock: Clock, slots: int) -> Outlook:
    return Outlook(closure, Store(place).keeper, slots, watched=True, clock=clock)


def learn(outlook: Outlook, ref: DerivationRef, seconds: float) -> None:
    """One run of it was made before."""
    outlook.wanted(ref, home(ref), 1)
    outlook.started(ref, request(ref, 100))
    outlook.ended(request(ref, 100), result(seconds))


def test_nothing_is_known_at_first(tmp_path: Path) -> None:
    assert outlook(pin([second(first(1))]), tmp_path, Clock(), 2).remaining() is None


def test_a_chain_takes_as_long_as_its_links(tmp_path: Path) -> None:
    closure, clock = pin([second(first(1))]), Clock()
    found = outlook(closure, tmp_path, clock, 2)
    one, two = (pinned.ref for pinned in closure.order)
    learn(found, one, 10.0)
    learn(found, two, 5.0)
    found.begin()
    clock.now = 100.0
    assert found.remaining() == (15.0, True)
    found.wanted(one, home(one), 1)
    found.started(one, request(one))
    clock.now = 104.0
    assert found.remaining() == (11.0, True)
    assert found.expected(home(one)) == 10.0
    clock.now = 113.0
    assert found.remaining() == (5.0, False), "the first takes longer than ever: who knows how long"


def test_runs_share_the_slots(tmp_path: Path) -> None:
    closure, clock = pin([first(n) for n in range(4)]), Clock()
    found = outlook(closure, tmp_path, clock, 2)
    learn(found, closure.order[0].ref, 10.0)
    found.begin()
    clock.now = 100.0
    assert found.remaining() == (20.0, True)


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    closure, clock = pin([first(1), second(3)]), Clock()
    found = outlook(closure, tmp_path, clock, 1)
    learn(found, closure.order[0].ref, 10.0)
    found.begin()
    clock.now = 100.0
    assert found.remaining() == (10.0, False)
    found.done(closure.order[0].ref)
    clock.now = 200.0
    assert found.remaining() is None
