"""The model: which runs there were, what they must have given, what a matcher then chooses. Unaware of the package.

It is the plain reading of the documentation, kept in memory: no hashes, no files, nothing taken from the code of the
engine, the matchers or the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pylightnix.testing.worlds.arithmetic import Outcome
from pylightnix.testing.worlds.world import Picks

ALL_RUNS = 1 << 60


class Execution(NamedTuple):
    """A run of a builder, as the builder told it."""

    sight: str
    run: int
    seed: int
    failed: bool = False


@dataclass(eq=False)
class Kept:
    """A realization: what it is, the seeds of its runs by index, and whether its artifacts are there.

    `ref` is the name that the package gave it: nothing is concluded from it but an order among those that tie.
    """

    sight: str
    outcome: Outcome
    seeds: dict[int, int]
    present: bool = True
    ref: str = ""

    def before(self, run: int) -> list[int]:
        """The indices of its runs below this one."""
        return sorted(index for index in self.seeds if index < run)


@dataclass
class Ledger:
    """All realizations that must be in the store, by what their builder saw; how many runs of each there ever were."""

    kept: dict[str, list[Kept]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Kept]:
        return (each for group in self.kept.values() for each in group)

    def count(self, sight: str) -> int:
        """How many runs there ever were, those of removed realizations included."""
        return self.counts.get(sight, 0)

    def seed(self, sight: str, run: int) -> int | None:
        """The seed of a run, None if it is not kept."""
        return next((kept.seeds[run] for kept in self.kept.get(sight, []) if run in kept.seeds), None)

    def use_up(self, execution: Execution) -> None:
        """Note that the index of a run was used, whatever came of it."""
        self.counts[execution.sight] = max(self.count(execution.sight), execution.run + 1)

    def add(self, execution: Execution, outcome: Outcome) -> None:
        """Note what came of a run; equal results fold."""
        group = self.kept.setdefault(execution.sight, [])
        equal = next((each for each in group if each.outcome == outcome), None)
        if equal is None:
            equal = Kept(execution.sight, outcome, {})
            group.append(equal)
        equal.seeds[execution.run] = execution.seed
        equal.present = True

    def remove(self, kept: Kept) -> None:
        """Forget a realization and its runs, but not that their indices were used."""
        self.kept[kept.sight].remove(kept)

    def missing(self, sight: str, picks: Picks, before: int = ALL_RUNS) -> int:
        """How many runs a matcher still wants, given those with an index below `before`."""
        runs = sum(len(each.before(before)) for each in self.kept.get(sight, []))
        return max(0, max(picks.n or 1, picks.of) - runs)

    def chosen(self, sight: str, picks: Picks, before: int = ALL_RUNS) -> list[Kept]:
        """What a satisfied matcher chooses, in its order."""
        candidates = [each for each in self.kept.get(sight, []) if each.before(before)]
        ordered = _ordered(candidates, picks, before)
        return ordered if picks.kind == "all" else ordered[: picks.n or 1]


def _ordered(candidates: Iterable[Kept], picks: Picks, before: int) -> list[Kept]:
    """The candidates as the matcher prefers them."""
    by_name = sorted(candidates, key=lambda kept: kept.ref)
    match picks.kind:
        case "latest":
            return sorted(by_name, key=lambda kept: -kept.before(before)[-1])
        case "first":
            return sorted(by_name, key=lambda kept: kept.before(before)[0])
        case "best":
            return sorted(by_name, key=lambda kept: -kept.outcome.value["score"])
        case "worst":
            return sorted(by_name, key=lambda kept: kept.outcome.value["score"])
        case _:
            return by_name
