"""How long matchers take to decide among 1,000 realizations of one derivation, once these are loaded."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bench.rows import Row, amount, interleaved
from pylightnix import Build, Store, match, realize_many, stage

COUNT = 1_000
LIMIT = 10.0


@stage
def draw(build: Build) -> dict[str, float]:
    """Another number in each run."""
    return {"luck": build.seed % 1_000_003}


def took(what: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def measure(scale: float, place: Path) -> list[Row]:
    """The rows; the floor is `max` over the same numbers."""
    count = max(2, round(COUNT * scale))
    store = Store(place / "matching")
    realize_many(draw().with_matcher(match.all(of=count)), store=store, quiet=True)
    began = time.perf_counter()
    candidates = store.realizations(name="draw")
    values = [(one.value["luck"], len(one.runs)) for one in candidates]
    loading = time.perf_counter() - began

    latest, best, plain = interleaved(
        [
            lambda: took(lambda: match.latest().match(candidates)),
            lambda: took(lambda: match.best("luck", of=count).match(candidates)),
            lambda: took(lambda: max(values)),
        ],
        7,
    )
    name = f"of {len(candidates):,} loaded realizations (loading took {amount(loading, 's')})"
    return [
        Row(name=f"latest {name}", ours=latest, floor=plain, ratio=latest * 1000, limit=LIMIT, unit="s", of="ms"),
        Row(name=f"best {name}", ours=best, floor=plain, ratio=best * 1000, limit=LIMIT, unit="s", of="ms"),
    ]
