"""Many runs at a time: as soon as they can, and with the same outcome in whatever order they end."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Deps, Store, match, realize, realize_many, stage


@stage(code="ignore")
def total(pairs: list[Deps]) -> int:
    return sum(one.value for pair in pairs for one in pair)


def outcome(store: Store) -> set[str]:
    return {str(one.ref) for one in store.realizations()}


@pytest.mark.parametrize("order", ["1", "2", "3"])
def test_the_outcome_does_not_depend_on_the_order_of_completion(tmp_path: Path, order: str) -> None:
    """How long each run sleeps is read from a file, and so in no key."""

    @stage(code="ignore", matcher=match.best("score", of=3))
    def drawn(build: Build, n: int, file: str) -> dict[str, float]:
        delays = Path(file).read_text()
        time.sleep(random.Random(f"{delays}{n}{build.run}").random() / 5 if delays else 0)
        return {"score": build.seed % 1000}

    @stage(code="ignore", matcher=match.some(2))
    def paired(build: Build, draws: list[Any], file: str) -> float:
        delays = Path(file).read_text()
        time.sleep(random.Random(f"{delays}{build.run}").random() / 5 if delays else 0)
        return sum(one.value["score"] for one in draws) + build.run

    file = tmp_path / "delays"
    draws = [drawn(n, str(file)) for n in range(4)]
    asked = total([paired(draws[:2], str(file)), paired(draws[1:3], str(file)), paired(draws, str(file))])
    file.write_text("")
    alone = Store(tmp_path / "alone")
    first = realize(asked, store=alone, quiet=True)
    file.write_text(order)
    beside = Store(tmp_path / "beside")
    second = realize(asked, store=beside, jobs=4, quiet=True)
    assert first.ref == second.ref
    assert outcome(alone) == outcome(beside)
    assert [[one.ref for one in pair] for pair in first.deps.pairs] == [
        [one.ref for one in pair] for pair in second.deps.pairs
    ]


@stage(code="ignore")
def meet(place: str, n: int, of: int) -> int:
    """Return when all have come: they must run at the same time."""
    Path(place, str(n)).touch()
    until = time.monotonic() + 20
    while sum(1 for _ in Path(place).iterdir()) < of:
        if time.monotonic() > until:
            raise TimeoutError("the others did not come")
        time.sleep(0.01)
    return n


@stage(code="ignore", matcher=match.all(of=3))
def meet_own(build: Build, place: str) -> int:
    Path(place, str(build.run)).touch()
    until = time.monotonic() + 20
    while sum(1 for _ in Path(place).iterdir()) < 3:
        if time.monotonic() > until:
            raise TimeoutError("the others did not come")
        time.sleep(0.01)
    return build.run


def test_stages_run_at_the_same_time(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    realize([meet(str(place), n, 3) for n in range(3)], store=tmp_path / "s", jobs=3, quiet=True)


def test_runs_of_one_stage_run_at_the_same_time(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    found = realize_many(meet_own(str(place)), store=tmp_path / "s", jobs=3, quiet=True)
    assert sorted(one.value for one in found) == [0, 1, 2]


@stage(code="ignore")
def wait_for_user(place: str) -> str:
    """Return when the stage that uses another one has begun."""
    until = time.monotonic() + 20
    while not Path(place, "user").exists():
        if time.monotonic() > until:
            raise TimeoutError("the user of the quick one did not begin")
        time.sleep(0.01)
    return "met"


@stage(code="ignore")
def quick(n: int) -> int:
    return n


@stage(code="ignore")
def user(source: Any, place: str) -> int:
    Path(place, "user").touch()
    return int(source.value)


def test_a_run_starts_as_soon_as_its_inputs_are_chosen(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    realize([wait_for_user(str(place)), user(quick(1), str(place))], store=tmp_path / "s", jobs=2, quiet=True)
