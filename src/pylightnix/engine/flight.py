"""Single flight: which runs are ours to begin, and for whom we wait. Unaware of how slots are held."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence

from pylightnix.engine.decide import Decider
from pylightnix.engine.events import Listener
from pylightnix.engine.runs import Job
from pylightnix.errors import GraphError
from pylightnix.model.claiming import Other, Slot
from pylightnix.model.keeping import Keeper
from pylightnix.model.plan import Step
from pylightnix.names import DerivationRef

FIRST_PAUSE = 0.001
LONGEST_PAUSE = 0.2
"""Seconds between two looks whether somebody has given a slot back: an eighth of the time waited, within these."""


def rest(seconds: float) -> None:
    """Let time pass."""
    time.sleep(seconds)


class Flight:
    """The claims of one realize; see `model.claiming` for the rule.

    Args:
        decider: knows how many runs are missing.
        keeper: has the slots.
        listener: is told for whom we wait.
        making: keys of runs that this process is part of.
    """

    def __init__(
        self, decider: Decider, keeper: Keeper, listener: Listener, making: Collection[str] = frozenset()
    ) -> None:
        self._decider = decider
        self._keeper = keeper
        self._listener = listener
        self._making = making
        self._before: Sequence[Other] = ()
        self._awaited: dict[DerivationRef, Sequence[Other]] = {}
        self._told: set[tuple[DerivationRef, str]] = set()

    def enter(self, job: Job, under_way: int) -> Slot | None:
        """A slot for a run that we may begin; None if it is not missing any more, or others make it.

        Args:
            job: the run.
            under_way: how many runs of the derivation we make already.
        """
        slot = self._keeper.claim(job.key.home)
        try:
            self._before = slot.others
            if job.extra or self._may_begin(job, under_way, nothing_there=slot.first):
                return slot
        except BaseException:
            slot.release()
            raise
        slot.release()
        return None

    def _may_begin(self, job: Job, under_way: int, *, nothing_there: bool) -> bool:
        """The second look, with the slot held."""
        missing = self._decider.missing(job.pinned, job.key, job.remake, nothing_there=nothing_there)
        if job.remake is not None:
            return missing > 0 and not self._before
        return missing - len(self._before) - under_way > 0

    def awaits(self, ref: DerivationRef, step: Step) -> bool:
        """Whether others make what was not to be begun; if so we wait for them, and tell for whom, once.

        Raises:
            GraphError: it is made by the very run that this process is part of.
        """
        if not self._before:
            return False
        if step.key in self._making:
            raise GraphError(
                "a builder asked for what itself is to make, and would wait for ever",
                where=f"{ref.name} {ref.short}",
                hint="a builder can realize other stages, none that needs its own run",
                derivation=ref,
            )
        self._awaited[ref] = self._before
        new = [other for other in self._before if (ref, other.name) not in self._told]
        if new:
            self._told.update((ref, other.name) for other in new)
            self._listener.waiting(step, [other.holder for other in new])
        return True

    @property
    def is_waiting(self) -> bool:
        """Whether we wait for others with anything."""
        return bool(self._awaited)

    def freed(self) -> list[DerivationRef]:
        """The derivations of which one of the others has given a slot back, or died; they are not awaited any more."""
        found = [ref for ref, others in self._awaited.items() if any(other.is_gone() for other in others)]
        for ref in found:
            del self._awaited[ref]
        return found

    def wait(self, is_room: Callable[[], bool]) -> list[DerivationRef]:
        """Wait until there is something freed, or room. Our own results are visible before, so we hold no slot then."""
        self._keeper.settle()
        for pause in self.pauses():
            if (found := self.freed()) or is_room():
                return found
            rest(pause)
        raise AssertionError("BUG: pauses have no end")

    @staticmethod
    def pauses() -> Iterator[float]:
        """How long to wait before each further look."""
        began = time.monotonic()
        while True:
            yield min(max((time.monotonic() - began) / 8, FIRST_PAUSE), LONGEST_PAUSE)
