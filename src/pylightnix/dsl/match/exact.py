"""The matcher that names its realizations: `exact`. It never builds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pylightnix.dsl.match.counting import Candidates, in_order
from pylightnix.dsl.match.simple import AcceptsAll
from pylightnix.dsl.match.wording import count, literal, place
from pylightnix.errors import ConfigError, MatcherError, UnknownReferenceError
from pylightnix.model.matching import Reuse, Verdict
from pylightnix.model.realization import Realization
from pylightnix.names import is_prefix

_DIGITS = re.compile(r"[0-9a-f]{8,}(-|\Z)")


def reference(given: object) -> str:
    """The text that names a realization: of itself, or as given if it can begin a reference and is long enough."""
    if isinstance(given, Realization):
        return str(given.ref)
    if isinstance(given, str) and is_prefix(given) and _DIGITS.match(given):
        return str(given)
    raise ConfigError(
        f"no reference to a realization: {given!r}",
        where="match.exact",
        hint="give a realization, its reference (.ref), or at least the first 8 hexadecimal digits of it",
    )


@dataclass(frozen=True, slots=True, repr=False)
class Exact(AcceptsAll):
    """See `match.exact`."""

    refs: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.refs:
            raise ConfigError("no reference is given", where="match.exact", hint='such as match.exact("3f6c2a91")')
        for position, ref in enumerate(self.refs):
            if ref in self.refs[:position]:
                raise ConfigError(f"{literal(ref)} is given twice", where="match.exact", hint="give each one once")

    @property
    def many(self) -> bool:
        """Whether several references were given."""
        return len(self.refs) > 1

    def match(self, candidates: Candidates) -> Verdict:
        """The candidates of these references, in their order."""
        chosen: list[Realization[Any]] = []
        for ref in self.refs:
            found = self._find(ref, candidates)
            if found in chosen:
                what = f"{literal(ref)} and another of its references name one realization, {found.ref}"
                raise MatcherError(
                    what, where=place(self, candidates), hint="give each realization once", ref=found.ref
                )
            chosen.append(found)
        return Reuse(tuple(chosen), f"given by {count('reference', len(chosen))}")

    def _find(self, ref: str, candidates: Candidates) -> Realization[Any]:
        digits, dash, name = ref.partition("-")
        found = [c for c in candidates if c.ref.digits.startswith(digits) and (not dash or c.name.startswith(name))]
        if len(found) == 1:
            return found[0]
        what = "several candidates begin with" if found else "no candidate has the reference"
        raise self._error(ref, f"{what} {literal(ref)}", found or candidates)

    def _error(self, ref: str, what: str, listed: Candidates) -> UnknownReferenceError:
        refs = [candidate.ref for candidate in in_order(listed)]
        known = ", ".join(refs[:20]) + (", …" if len(refs) > 20 else "")
        return UnknownReferenceError(
            what,
            where=place(self, listed),
            hint=f"candidates: {known}" if refs else "there is no candidate: under the present key nothing is realized",
            ref=ref,
            candidates=refs,
        )

    def __repr__(self) -> str:
        return f"exact({', '.join(literal(ref) for ref in self.refs)})"
