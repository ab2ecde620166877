"""The matcher that a plain function decides: `by`. What the function returns is checked here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from pylightnix.dsl.match.counting import Candidates, in_order, whole
from pylightnix.dsl.match.identity import same_function
from pylightnix.dsl.match.simple import AcceptsAll
from pylightnix.dsl.match.wording import count, function_name, place
from pylightnix.errors import ConfigError, MatcherError
from pylightnix.model.matching import Build, Reuse, Verdict
from pylightnix.model.realization import Realization


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class By(AcceptsAll):
    """See `match.by`."""

    function: Callable[[tuple[Realization[Any], ...]], object]
    many: bool = False
    limit: int = 100

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ConfigError(
                f"no function: {self.function!r}", where="match.by", hint="give a function of a tuple of realizations"
            )
        if not isinstance(self.many, bool):
            raise ConfigError(f"many={self.many!r} is unknown", where="match.by", hint="True or False")
        object.__setattr__(self, "limit", whole("by", "limit", self.limit))

    @property
    def steady(self) -> bool:
        """False: what the function says may depend on anything."""
        return False

    def match(self, candidates: Candidates) -> Verdict:
        """Ask the function, and check what it says."""
        given = tuple(in_order(candidates))
        try:
            answer = self.function(given)
        except Exception as error:
            raise self._broken(f"raised {type(error).__name__}: {error}", candidates) from error
        if answer is None:
            return Build(1, f"{self._name()} wants one more run, has {count('realization', len(given))}")
        if isinstance(answer, bool):
            raise self._broken(f"returned {answer}", candidates)
        if isinstance(answer, Integral):
            return self._build(int(answer), candidates)
        chosen = self._chosen(answer, given)
        which = "none" if not chosen else str(len(chosen)) if self.many else "one"
        return Reuse(chosen, f"{self._name()} chose {which} of {count('realization', len(given))}")

    def _build(self, wanted: int, candidates: Candidates) -> Build:
        if wanted < 1:
            raise self._broken(f"asked for {wanted} runs", candidates)
        have = count("realization", len(candidates))
        return Build(wanted, f"{self._name()} wants {count('more run', wanted)}, has {have}")

    def _chosen(self, answer: object, given: tuple[Realization[Any], ...]) -> tuple[Realization[Any], ...]:
        """What was chosen, as the candidates that were given."""
        if self.many != isinstance(answer, (list, tuple)):
            raise self._broken(f"returned a {type(answer).__name__}", given)
        answers = answer if isinstance(answer, (list, tuple)) else [answer]
        known = {candidate.ref: candidate for candidate in given}
        chosen: dict[str, Realization[Any]] = {}
        for one in answers:
            if not isinstance(one, Realization):
                raise self._broken(f"chose {one!r}", given)
            if one.ref not in known:
                raise self._broken(f"chose {one.ref}, which is no candidate", given)
            if one.ref in chosen:
                raise self._broken(f"chose {one.ref} twice", given)
            chosen[one.ref] = known[one.ref]
        return tuple(chosen.values())

    def _broken(self, what: str, candidates: Candidates) -> MatcherError:
        expected = "a list of candidates ([]: none)" if self.many else "one of the candidates (with many=True: a list)"
        return MatcherError(
            f"the function {self._name()} {what}",
            where=place(self, candidates),
            hint=f"it returns {expected}, None for one more run, or an int above 0 for so many more",
        )

    def _name(self) -> str:
        return function_name(self.function, "candidates")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, By):
            return NotImplemented
        return (self.many, self.limit) == (other.many, other.limit) and same_function(self.function, other.function)

    def __hash__(self) -> int:
        # Not of the function: its code identity may change while this stands in a dict.
        return hash((self.many, self.limit))

    def __repr__(self) -> str:
        shown = [self._name()]
        shown += ["many=True"] if self.many else []
        shown += [f"limit={self.limit}"] if self.limit != 100 else []
        return f"by({', '.join(shown)})"
