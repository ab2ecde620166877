"""The matchers that look at no values: `latest`, `first`, `only`, `some`, `all`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pylightnix.dsl.match.counting import Candidates, in_order, known_runs, missing_runs, whole, whole_or_none
from pylightnix.dsl.match.wording import count, place
from pylightnix.errors import MatcherError
from pylightnix.model.matching import Build, Reuse, Verdict
from pylightnix.model.realization import Realization
from pylightnix.model.records import Run
from pylightnix.names import RealizationRef


class AcceptsAll:
    """A matcher that lets every new realization in, and whose verdict depends on the candidates alone."""

    __slots__ = ()

    @property
    def lenient(self) -> bool:
        """True: `refuse` need not be asked."""
        return True

    @property
    def steady(self) -> bool:
        """Whether equal texts (`repr`) and equal candidates mean equal verdicts, so that these can be remembered."""
        return True

    def refuse(self, candidates: Candidates, new: RealizationRef) -> str | None:
        """None: nothing is refused."""
        return None


@dataclass(frozen=True, slots=True, repr=False)
class ByAge(AcceptsAll):
    """See `match.latest` and `match.first`."""

    newest: bool
    n: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", whole_or_none(self._word(), "n", self.n))

    @property
    def many(self) -> bool:
        """Whether `n` was given."""
        return self.n is not None

    def match(self, candidates: Candidates) -> Verdict:
        """Choose by age, or ask for the missing runs."""
        wanted = self.n or 1
        if len(candidates) == wanted == 1:
            return Reuse(tuple(candidates), "the only realization")
        pairs = [(candidate, candidate.runs) for candidate in in_order(candidates)]
        missing = missing_runs(self._word(), sum(max(1, len(runs)) for _, runs in pairs), wanted)
        if missing is not None:
            return missing
        chosen = tuple(_by_age(pairs, self.newest)[:wanted])
        which = "newest" if self.newest else "oldest"
        total = count("realization", len(candidates))
        if len(candidates) == 1:
            return Reuse(chosen, "the only realization")
        if len(chosen) == len(candidates):
            return Reuse(chosen, f"all {total}, {which} first")
        return Reuse(chosen, f"the {f'{len(chosen)} ' if len(chosen) > 1 else ''}{which} of {total}")

    def _word(self) -> str:
        return "latest" if self.newest else "first"

    def __repr__(self) -> str:
        return f"{self._word()}({f'n={self.n}' if self.n is not None else ''})"


def _by_age(pairs: list[tuple[Realization[Any], tuple[Run, ...]]], newest: bool) -> list[Realization[Any]]:
    """By the newest run of each, newest first, or by the oldest run, oldest first; those without runs are last."""
    edge = max if newest else min
    aged = [(edge(run.order() for run in runs), candidate) for candidate, runs in pairs if runs]
    aged.sort(key=lambda pair: pair[0], reverse=newest)  # stable, in reverse too: those that tie stay by reference
    return [candidate for _, candidate in aged] + [candidate for candidate, runs in pairs if not runs]


@dataclass(frozen=True, slots=True, repr=False)
class Only:
    """See `match.only`."""

    @property
    def many(self) -> bool:
        """False: it is one."""
        return False

    @property
    def steady(self) -> bool:
        """True: it counts, and nothing else."""
        return True

    def match(self, candidates: Candidates) -> Verdict:
        """The one candidate; `MatcherError` if there are more."""
        if not candidates:
            return Build(1, "nothing is realized yet")
        if len(candidates) == 1:
            return Reuse(tuple(candidates), "the only realization")
        refs = [candidate.ref for candidate in in_order(candidates)]
        raise MatcherError(
            f"wants one realization and there are {len(refs)}: {', '.join(refs)}",
            where=place(self, candidates),
            hint="remove all but one (`Store.remove`), or choose one with match.exact(…)",
            candidates=refs,
        )

    def refuse(self, candidates: Candidates, new: RealizationRef) -> str | None:
        """A reason, if a different realization is there already."""
        others = [candidate.ref for candidate in candidates if candidate.ref != new]
        if not others:
            return None
        return (
            f"match.only() keeps one realization: {others[0]} is there, and this run gave {new}; "
            "the builder is not deterministic, or it sees something that is not in its key"
        )

    def __repr__(self) -> str:
        return "only()"


@dataclass(frozen=True, slots=True, repr=False)
class Some(AcceptsAll):
    """See `match.some`."""

    n: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", whole("some", "n", self.n))

    @property
    def many(self) -> bool:
        """True: it is a tuple."""
        return True

    def match(self, candidates: Candidates) -> Verdict:
        """The first `n` by reference, or ask for the missing runs."""
        missing = missing_runs("some", known_runs(candidates, self.n), self.n)
        if missing is not None:
            return missing
        chosen = tuple(in_order(candidates)[: self.n])
        return Reuse(chosen, f"{len(chosen)} of {count('realization', len(candidates))}")

    def __repr__(self) -> str:
        return f"some({self.n})"


@dataclass(frozen=True, slots=True, repr=False)
class All(AcceptsAll):
    """See `match.all`."""

    of: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", whole("all", "of", self.of))

    @property
    def many(self) -> bool:
        """True: it is a tuple."""
        return True

    def match(self, candidates: Candidates) -> Verdict:
        """All candidates, or ask for the missing runs."""
        missing = missing_runs("all", known_runs(candidates, self.of), self.of)
        if missing is not None:
            return missing
        return Reuse(tuple(in_order(candidates)), f"all {count('realization', len(candidates))}")

    def __repr__(self) -> str:
        return f"all(of={self.of})" if self.of != 1 else "all()"
