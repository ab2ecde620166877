"""The matcher that ranks by a metric: `best`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pylightnix.dsl.match.counting import Candidates, in_order, known_runs, missing_runs, whole, whole_or_none
from pylightnix.dsl.match.identity import same_function
from pylightnix.dsl.match.metric import Metric, Missing, brief, is_nan, measure, metric_name, nobody_has
from pylightnix.dsl.match.simple import AcceptsAll
from pylightnix.dsl.match.wording import count, function_name, literal, place
from pylightnix.errors import ConfigError
from pylightnix.model.matching import Reuse, Verdict
from pylightnix.model.realization import Realization

Measured = tuple[Realization[Any], float | Missing]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Best(AcceptsAll):
    """See `match.best`."""

    metric: Metric
    of: int = 1
    n: int | None = None
    mode: str = "max"

    def __post_init__(self) -> None:
        if not callable(self.metric) and not (isinstance(self.metric, str) and self.metric):
            raise ConfigError(
                f"a metric is a name or a function, not {self.metric!r}",
                where="match.best",
                hint='such as "accuracy", or a function of a realization',
            )
        if self.mode not in ("max", "min"):
            raise ConfigError(f"mode={self.mode!r} is unknown", where="match.best", hint='"max" or "min"')
        object.__setattr__(self, "of", whole("best", "of", self.of))
        object.__setattr__(self, "n", whole_or_none("best", "n", self.n))
        if self.n is not None and self.n > self.of:
            raise ConfigError(
                f"the {self.n} best of {self.of} are wanted", where="match.best", hint=f"give of={self.n} or more"
            )

    @property
    def many(self) -> bool:
        """Whether `n` was given."""
        return self.n is not None

    @property
    def steady(self) -> bool:
        """Whether the metric has a name: what a function says may depend on anything."""
        return isinstance(self.metric, str)

    def match(self, candidates: Candidates) -> Verdict:
        """Rank by the metric, or ask for the missing runs."""
        runs = known_runs(candidates, self.of)
        missing = missing_runs("best", runs, self.of)
        if missing is not None:
            return missing
        measured: list[Measured] = [(c, measure(self.metric, c)) for c in in_order(candidates)]
        absent = [number for _, number in measured if isinstance(number, Missing)]
        if len(absent) == len(measured):
            raise nobody_has(self.metric, candidates, absent, place(self, candidates))
        ranked = self._rank(measured)[: self.n or 1]
        return Reuse(tuple(candidate for candidate, _ in ranked), self._why(ranked, measured, runs))

    def _rank(self, measured: list[Measured]) -> list[Measured]:
        """Numbers, NaN, missing; the sort is stable, in reverse too, so those that tie stay by reference."""
        numbers = [(c, x) for c, x in measured if not isinstance(x, Missing) and not is_nan(x)]
        numbers.sort(key=lambda pair: pair[1], reverse=self.mode == "max")
        nans = [(c, x) for c, x in measured if not isinstance(x, Missing) and is_nan(x)]
        return [*numbers, *nans, *((c, x) for c, x in measured if isinstance(x, Missing))]

    def _why(self, ranked: list[Measured], measured: list[Measured], runs: int) -> str:
        word = "best" if self.mode == "max" else "lowest"
        name = metric_name(self.metric)
        (_, top), (_, last) = ranked[0], ranked[-1]
        total = f"{runs} runs" if runs > len(measured) else count("realization", len(measured))
        if len(ranked) > 1:
            return f"the {len(ranked)} {word} by {name}, {brief(top)} to {brief(last)}, of {total}"
        ties = sum(number == top for _, number in measured)
        return f"{word} {name} {brief(top)} of {total}{f' ({ties} tie)' if ties > 1 else ''}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Best):
            return NotImplemented
        if (self.of, self.n, self.mode) != (other.of, other.n, other.mode):
            return False
        if isinstance(self.metric, str) or isinstance(other.metric, str):
            return self.metric == other.metric
        return same_function(self.metric, other.metric)

    def __hash__(self) -> int:
        # Not of the function: its code identity may change while this stands in a dict.
        return hash((self.of, self.n, self.mode, self.metric if isinstance(self.metric, str) else None))

    def __repr__(self) -> str:
        metric = self.metric
        shown = [literal(metric) if isinstance(metric, str) else function_name(metric, "candidate")]
        shown += [f"of={self.of}"] if self.of != 1 else []
        shown += [f"n={self.n}"] if self.n is not None else []
        shown += [f'mode="{self.mode}"'] if self.mode != "max" else []
        return f"best({', '.join(shown)})"
