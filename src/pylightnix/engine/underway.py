"""The runs of one realize that have begun and not ended: how many, of what, and which ends next. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pylightnix.engine.room import Room
from pylightnix.engine.runs import Running
from pylightnix.engine.wishes import Wishes
from pylightnix.model.build import BuildResult, Executor, Finished, Progress
from pylightnix.names import DerivationRef

if TYPE_CHECKING:
    from concurrent.futures import Future


class Underway:
    """What an executor was given and has not given back.

    Args:
        executor: runs the builders.
        room: what they take together.
        wishes: knows what each takes.
    """

    def __init__(self, executor: Executor, room: Room, wishes: Wishes) -> None:
        self._executor = executor
        self._room = room
        self._wishes = wishes
        self._open: dict[str, Running] = {}
        self._awaited: dict[Future[BuildResult], Running] = {}

    def __iter__(self) -> Iterator[Running]:
        """All that have begun, also those of which the builder has returned."""
        return iter(list(self._open.values()))

    @property
    def busy(self) -> bool:
        """Whether some builder is at work."""
        return bool(self._awaited)

    @property
    def full(self) -> bool:
        """Whether the executor takes no more."""
        return len(self._awaited) >= self._executor.slots

    def count(self, ref: DerivationRef) -> int:
        """How many builders of a derivation are at work."""
        return sum(running.job.pinned.ref == ref for running in self._awaited.values())

    def add(self, running: Running) -> None:
        """It has begun."""
        self._open[running.workspace.notes] = running

    def remove(self, running: Running) -> None:
        """It has ended."""
        del self._open[running.workspace.notes]

    def submit(self, running: Running, progress: Progress) -> BuildResult | None:
        """Let its builder run; what came of it, if that is known at once."""
        future = self._executor.submit(running.request, progress)
        if isinstance(future, Finished) or future.done():
            return future.result()
        self._awaited[future] = running
        self._room.take(self._wishes.demand(running.job.pinned))
        return None

    def ended(self, timeout: float | None) -> Iterator[tuple[Running, BuildResult]]:
        """Wait until some builder has returned, at most so many seconds; those that have, and what came of them."""
        from concurrent.futures import FIRST_COMPLETED, wait  # slow to import, and a warm realize waits for nothing

        for future in wait(self._awaited, timeout=timeout, return_when=FIRST_COMPLETED).done:
            running = self._awaited.pop(future)
            self._room.give(self._wishes.demand(running.job.pinned))
            yield running, future.result()

    def forget(self) -> None:
        """Await nothing any more."""
        self._awaited.clear()
