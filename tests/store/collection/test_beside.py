"""Collections beside realizes and verifies, in chosen interleavings: what is chosen is there while somebody has it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Dep, match, promise, stage
from pylightnix.dsl.closure import pin
from pylightnix.engine.events import Silent
from pylightnix.engine.realize import Realizer
from pylightnix.errors import PylightnixError
from pylightnix.executors import InlineExecutor
from pylightnix.store.store import Store
from pylightnix.testing.schedules import Schedule, seeds

SECONDS = 4.0
"""How long schedules are tried, unless the environment asks for a number of them."""
FEWEST = 5
"""How many at least, however slow the machine is."""


@stage(code="ignore")
def bottom(out: Path = promise("out")) -> None:
    out.write_text("bottom")


@stage(code="ignore", matcher=match.best("n", of=2))
def middle(source: Dep, out: Path = promise("out")) -> dict[str, int]:
    assert source.out.read_text() == "bottom"
    out.write_text("middle")
    return {"n": 1}


@stage(code="ignore")
def top(a: Dep, b: Dep, out: Path = promise("out")) -> None:
    assert a.out.read_text() == "middle"
    assert b.out.read_text() == "bottom"
    out.write_text("top")


ASKED = top(middle(bottom()), bottom())


def realizing(
    schedule: Schedule, path: Path, root: str | None = None, rooted: set[str] | None = None
) -> Callable[[], None]:
    """Realizes as a process of its own would, and looks whether all that was chosen is there while it has it.

    But for what was collected before, and which nothing needed. Notes of what was there in `rooted`.
    """

    def work() -> None:
        store = Store(path)
        keeper = schedule.stepwise(store.keeper)
        in_hand = keeper.holding()
        realizer = Realizer(pin((ASKED,)), keeper, InlineExecutor(), Silent(), lambda _: {})
        realizer.run()
        decider = realizer.decider
        refs = [ref for of, choice in decider.choices.items() if not decider.is_bare(of) for ref in choice.chosen]
        assert decider.choices[ASKED.ref].chosen[0] in refs
        if root is not None:
            store.root(root, decider.realization(pin((ASKED,)).targets[0]))
            if rooted is not None:
                rooted.update(ref.name for ref in refs)
        for ref in refs:
            schedule.step()
            assert (path / "store" / ref / "out").exists(), f"{ref} is gone, and somebody has it"
        in_hand.release()

    return work


def collecting(path: Path, **scopes: Any) -> Callable[[], None]:
    def work() -> None:
        Store(path).gc(**{"unreachable": True, "trash": "0d", **scopes})

    return work


def verifying(schedule: Schedule, path: Path) -> Callable[[], None]:
    """Looks at one realization after the other, and must find no damage whatever comes and goes meanwhile."""

    def work() -> None:
        report = Store(path).verify(progress=lambda done, of: schedule.step())
        assert report.sound, report.findings

    return work


def play(seed: int, path: Path, *, warm: bool, root: str | None = None) -> str | None:
    """One schedule; what is wrong with it."""
    if warm:
        realizing(Schedule(seed), path)()
    schedule = Schedule(seed)
    forget = seed % 3 == 0
    rooted: set[str] = set()
    try:
        more = [realizing(schedule, path), collecting(path)] if seed % 4 == 3 else []
        more += [verifying(schedule, path)] if seed % 4 in (1, 2) else []
        schedule.run(realizing(schedule, path, root, rooted), collecting(path, forget=forget), *more)
        report = Store(path).verify()
        assert report.sound, report.findings
        Store(path).gc(unreachable=True, trash="0d")
        left = {name[41:] for name in os.listdir(path / "store")}
        assert rooted <= left, left
        assert root or not left, left
        assert os.listdir(path / "tmp") == []
        assert os.listdir(path / "locks" / "held") == []
    except (AssertionError, PylightnixError, OSError) as error:
        return f"seed {seed}: {type(error).__name__}: {error}"
    return None


def search(place: Path, most: int, *, seconds: float = SECONDS) -> tuple[int, str | None]:
    """How many schedules were tried, and the first that went wrong."""
    asked = os.environ.get("PYLIGHTNIX_SCHEDULES")
    began = time.monotonic()
    tried = 0
    for seed in seeds(most, asked):
        wrong = play(seed, place / str(seed), warm=seed % 2 == 0, root="paper" if seed % 5 == 1 else None)
        tried += 1
        late = time.monotonic() - began > seconds
        if wrong is not None or (asked is None and late and tried >= FEWEST):
            return tried, wrong
    return tried, None


def test_what_is_chosen_is_there(tmp_path: Path) -> None:
    tried, wrong = search(tmp_path, 10_000)
    assert wrong is None
    assert tried >= FEWEST


@pytest.mark.parametrize("root", [None, "paper"])
def test_warm_ones_too(tmp_path: Path, root: str | None) -> None:
    for seed in range(5):
        assert play(seed, tmp_path / str(seed), warm=True, root=root) is None
