"""Takes over, from an earlier realize of the same closure, the choices that would be made again. Unaware of files.

A choice follows from the choices of the inputs, the matcher, and the candidates. So it is taken over where all inputs
are chosen as they were, the matcher prints as it did and is steady, and the keeper vouches for the candidates.
"""

from __future__ import annotations

from typing import NamedTuple

from pylightnix.hashing import digest_document
from pylightnix.model.closure import Closure, Pinned
from pylightnix.model.matching import Matcher
from pylightnix.model.records import InputChoice
from pylightnix.model.remembered import Made, Memory, Remembered
from pylightnix.names import DerivationRef

FEWEST = 16
"""Derivations that a closure must have at least: deciding for a few is faster than remembering."""


class Printed(NamedTuple):
    """A matcher, and how it prints; `steady`: that tells all of it, and its verdict depends on the candidates alone."""

    matcher: Matcher
    text: str
    steady: bool


class Recollection:
    """What is known of a closure from before, and what shall be known of it afterwards.

    Args:
        closure: what is walked.
        memory: where it is remembered.
    """

    def __init__(self, closure: Closure, memory: Memory) -> None:
        self._memory = memory
        self._used = len(closure.order) >= FEWEST
        self._name = digest_document("targets", {"targets": sorted(set(closure.targets))}) if self._used else ""
        self._known = memory.recall(self._name) if self._used else {}
        self._agreed: set[DerivationRef] = set()
        self._made: list[Made] = []
        self._news = False
        self._matchers: dict[int, Printed] = {}

    def printed(self, matcher: Matcher) -> Printed:
        """How a matcher prints; most derivations share theirs."""
        known = self._matchers.get(id(matcher))
        if known is None:
            known = Printed(matcher, repr(matcher), getattr(matcher, "steady", False))
            self._matchers[id(matcher)] = known
        return known

    def of(self, pinned: Pinned) -> Remembered | None:
        """The choice to take over for a derivation whose inputs are chosen, or None: it is to be made anew."""
        found = self._known.get(pinned.ref)
        if found is None or found.stamp is None:
            return None
        for ref, _ in pinned.inputs:
            if ref not in self._agreed:
                return None
        printed = self.printed(pinned.matcher)
        if not printed.steady or printed.text != found.choice.matcher or not self._memory.still_holds(found):
            return None
        self._agreed.add(pinned.ref)
        self._made.append(Made(pinned.ref, found, True))
        return found

    def note(self, pinned: Pinned, choice: InputChoice, why: str, *, lone: bool) -> None:
        """A choice was made anew; `lone`: of one candidate."""
        if not self._used:
            return
        found = self._known.get(pinned.ref)
        same = found is not None and found.choice == choice
        lone = lone and self.printed(pinned.matcher).steady
        if same:
            self._agreed.add(pinned.ref)
        self._news = self._news or lone or not same
        self._made.append(Made(pinned.ref, Remembered(choice, why), lone))

    def keep(self) -> None:
        """Remember the choices of this walk for the next one, if there is anything new in them."""
        if self._news:
            self._memory.remember(self._name, self._made)
            self._news = False
