"""How long a run is likely to take, by what a real store has of earlier ones."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Store, plan, realize, realize_many, stage
from pylightnix.dsl import match
from pylightnix.engine.durations import Durations
from pylightnix.engine.events import Silent
from pylightnix.model.build import BuildRequest
from pylightnix.names import DerivationRef, KeyRef


@stage(code="ignore")
def nap(seconds: float, n: int = 0) -> int:
    time.sleep(seconds)
    return n


@stage(code="ignore", name="nap")
def other_nap(seconds: float, depth: int = 0) -> int:
    time.sleep(seconds)
    return depth


def known(store: Store, asked: Any) -> float | None:
    step = list(plan(asked, store=store))[-1]
    durations = Durations(store.keeper)
    home = KeyRef(step.key) if step.key else None
    durations.look(DerivationRef(step.derivation), home)
    return durations.of(DerivationRef(step.derivation), home)


def test_nothing_is_known_of_what_never_ran(tmp_path: Path) -> None:
    assert known(Store(tmp_path / "store"), nap(0.0)) is None


def test_runs_of_the_same_key_come_before_those_of_the_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    realize([nap(0.3), other_nap(0.0, depth=1), other_nap(0.0, depth=2)], store=store, quiet=True)
    own = known(store, nap(0.3))
    assert own is not None
    assert 0.3 <= own < 3
    like = known(store, nap(0.9))
    assert like is not None
    assert like < 0.3, "the median of three, of which two took no time"


def test_what_is_learnt_meanwhile_counts(tmp_path: Path) -> None:
    durations = Durations(Store(tmp_path / "store").keeper)
    ref, home = DerivationRef.of("a" * 40, "nap"), KeyRef.of("b" * 40, "nap")
    durations.look(ref, home)
    durations.learn(ref, home, 5.0)
    assert durations.of(ref, home) == 5.0
    assert durations.of(DerivationRef.of("c" * 40, "nap")) == 5.0
    for seconds in (1.0, 1.0, 1.0, 1.0, 9.0):
        durations.learn(ref, home, seconds)
    assert durations.of(ref, home) == 1.0, "of the newest five"


class Order(Silent):
    def __init__(self) -> None:
        self.started_in: list[object] = []

    def started(self, request: BuildRequest) -> None:
        self.started_in.append(request.arguments["n"])


def test_the_longest_starts_first(tmp_path: Path) -> None:
    """Of what ran before under the same code: one that is known to be long does not wait until the end."""

    @stage(code="ignore", matcher=match.all(of=2))
    def work(n: int, seconds: float) -> int:
        time.sleep(seconds)
        return n

    store, order = Store(tmp_path / "store"), Order()
    asked = [work(0, 0.0), work(1, 0.1), work(2, 0.4)]
    realize_many(asked, store=store, quiet=True)
    again = [derivation.with_matcher(match.all(of=3)) for derivation in asked]
    realize_many(again, store=store, jobs=2, listener=order)
    assert order.started_in == [2, 1, 0]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_warm_realize_reads_nothing_of_the_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    from pylightnix.store import past

    store = Store(tmp_path / "store")
    realize(nap(0.0), store=store, quiet=True)
    read: list[str] = []
    monkeypatch.setattr(past, "_names", lambda directory: read.append(directory) or [])
    realize(nap(0.0), store=store, jobs=jobs, quiet=True)
    assert read == []


@stage(code="ignore")
def seeded(build: Build) -> int:
    return build.seed


def test_one_run_after_the_other_and_nobody_who_asks_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pylightnix.store import past

    read: list[str] = []
    monkeypatch.setattr(past, "_names", lambda directory: read.append(directory) or [])
    realize(seeded(), store=tmp_path / "store", quiet=True)
    assert read == []
