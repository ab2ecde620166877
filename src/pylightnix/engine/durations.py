"""How long a run is likely to take, by those that were made before. Unaware of what is to be run, and when.

What is known of a run comes, in this order, from earlier runs of its key; else of its derivation under other keys, when
its inputs were others; else of its stage's name, when code and parameters were others. Of these it is the median of the
newest five: one that was slow for once counts for little, and what ran long ago for nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable

from pylightnix.model.keeping import Keeper, Past
from pylightnix.model.records import Run
from pylightnix.names import DerivationRef, KeyRef

NEWEST = 5
"""Runs that an estimate is made of."""

READ = 16
"""Runs that are read for each name of a stage, to find some of the same derivation among them."""


class Durations:
    """What is known of one store. Nothing is read before `look`, and each key and each name once.

    Args:
        keeper: has the runs.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._past: Past | None = None
        self._known: dict[Hashable, deque[float]] = {}
        self._looked: set[str] = set()

    def look(self, ref: DerivationRef, home: KeyRef | None = None) -> None:
        """Read what there is to know of runs of this derivation, with its key if that is known."""
        if self._past is None:
            self._past = self._keeper.past()
        if home is not None and home not in self._looked:
            self._looked.add(home)
            self._note(home, self._past.of_key(home, NEWEST))
        if ref.name not in self._looked and (home is None or home not in self._known):
            self._looked.add(ref.name)
            runs = self._past.of_stage(ref.name, READ)
            self._note(ref.name, runs)
            for derivation in {run.derivation for run in runs}:
                self._note(derivation, [run for run in runs if run.derivation == derivation])

    def learn(self, ref: DerivationRef, home: KeyRef, seconds: float) -> None:
        """A run of this derivation has ended well, after so many seconds."""
        for of in (home, ref, ref.name):
            self._known.setdefault(of, deque(maxlen=NEWEST)).append(seconds)

    def of(self, ref: DerivationRef, home: KeyRef | None = None) -> float | None:
        """How many seconds a run is likely to take, by what was looked at and learnt; None if nothing is known."""
        for of in (home, ref, ref.name):
            if (known := self._known.get(of)) is not None:
                return sorted(known)[(len(known) - 1) // 2]
        return None

    def _note(self, of: Hashable, runs: Iterable[Run]) -> None:
        """Put earlier runs before what was learnt meanwhile."""
        times = [run.duration for run in runs]
        if times:
            self._known[of] = deque([*times, *self._known.get(of, ())], NEWEST)
