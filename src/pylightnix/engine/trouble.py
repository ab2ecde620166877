"""What becomes of failures: which runs get another attempt, what a failure blocks, and what is raised at the end.

Unaware of how runs are started, and of what is kept of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pylightnix.errors import FailuresError, PylightnixError
from pylightnix.model.build import BuildRequest, Failure
from pylightnix.model.closure import Closure
from pylightnix.names import DerivationRef

_SHOWN = 10
"""Names of blocked derivations that stand in a message."""

_WHOLE, _LINES = 10, 40
"""Failures that are told at length, and further ones of which a line is told."""


class Attempts:
    """Counts the attempts of one run against what its stage allows.

    Args:
        retries: further attempts by cause.
    """

    __slots__ = ("_failed", "_retries")

    def __init__(self, retries: Mapping[str, int]) -> None:
        self._retries = retries
        self._failed: Counter[str] = Counter()

    def grant(self, failure: Failure) -> bool:
        """Whether there is one more attempt after this failure; if so it is counted."""
        if failure.fields.get("stopped"):
            return False
        for cause in causes(failure):
            if self._failed[cause] < self._retries.get(cause, 0):
                self._failed[cause] += 1
                return True
        return False


def causes(failure: Failure) -> list[str]:
    """The names under which retries of a failure may be allowed: its kind, or its exception and what that is one of."""
    if failure.kind != "exception":
        return [failure.kind]
    named = failure.fields.get("exceptions") or [failure.fields.get("exception")]
    return [str(name) for name in named]


class Troubles:
    """The failures of one realize.

    Args:
        closure: what was to be made.
        keep_going: whether all that does not depend on a failure is made.
    """

    def __init__(self, closure: Closure, *, keep_going: bool) -> None:
        self.keep_going = keep_going
        self._closure = closure
        self._failed: dict[DerivationRef, list[PylightnixError]] = {}
        self._attempts: dict[tuple[str, int], Attempts] = {}

    def __bool__(self) -> bool:
        return bool(self._failed)

    @property
    def end_all(self) -> bool:
        """Whether nothing more is to be started."""
        return bool(self._failed) and not self.keep_going

    def grant(self, request: BuildRequest, failure: Failure) -> bool:
        """Whether a run that has failed gets one more attempt; if so that is counted."""
        retries = request.conditions.retries
        if not retries or self.end_all:
            return False
        return self._attempts.setdefault((request.key, request.run), Attempts(retries)).grant(failure)

    def has(self, ref: DerivationRef) -> bool:
        """Whether a derivation has failed."""
        return ref in self._failed

    def add(self, ref: DerivationRef, error: PylightnixError) -> None:
        """One more."""
        self._failed.setdefault(ref, []).append(error)

    def error(self) -> PylightnixError:
        """What is to be raised: the first failure, or where the rest went on, all of them and what they blocked."""
        errors = [error for several in self._failed.values() for error in several]
        if not self.keep_going:
            first, *others = errors
            for other in others:
                first.add_note(f"and: {other}")
            return first
        blocked = self._blocked()
        behind = {ref for below in blocked.values() for ref in below}
        pairs = [(error, blocked[ref]) for ref, several in self._failed.items() for error in several]
        parts = [_told(error, below) for error, below in pairs[:_WHOLE]]
        parts += [_told_in_a_line(error, below) for error, below in pairs[_WHOLE : _WHOLE + _LINES]]
        if len(pairs) > _WHOLE + _LINES:
            parts.append(f"and {len(pairs) - _WHOLE - _LINES:,} more")
        never = f", and {len(behind)} more could not be made" if behind else ""
        made = FailuresError(
            f"{len(self._failed)} of {len(self._closure.order)} derivations failed{never}",
            hint="\n  ".join(parts),
            failures=[dict(error.fields) | {"what": error.what} for error in errors],
            blocked={ref: list(below) for ref, below in blocked.items()},
        )
        made.failures = tuple(errors)
        return made

    def _blocked(self) -> dict[DerivationRef, list[DerivationRef]]:
        """For each derivation that failed those that depend on it, in the order of the plan."""
        above: dict[DerivationRef, set[DerivationRef]] = {}
        found: dict[DerivationRef, list[DerivationRef]] = {ref: [] for ref in self._failed}
        for pinned in self._closure.order:
            needs = set[DerivationRef]()
            for ref, _ in pinned.inputs:
                needs |= above.get(ref, set())
                if ref in self._failed:
                    needs.add(ref)
            if needs and pinned.fixed is None:
                above[pinned.ref] = needs
                for ref in needs:
                    found[ref].append(pinned.ref)
        return found


def _told(error: PylightnixError, blocked: Sequence[DerivationRef]) -> str:
    text = str(error).replace("\n", "\n  ")
    if not blocked:
        return text
    names = ", ".join(ref.name for ref in blocked[:_SHOWN])
    more = f" and {len(blocked) - _SHOWN} more" if len(blocked) > _SHOWN else ""
    return f"{text}\n  blocked by this: {names}{more}"


def _told_in_a_line(error: PylightnixError, blocked: Sequence[DerivationRef]) -> str:
    first = f"{error.where}: {error.what}".splitlines()[0]
    return f"{first} (blocks {len(blocked):,})" if blocked else first
