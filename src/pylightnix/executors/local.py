"""Runs builders on this machine, each where its conditions want it: in this process, or in one of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pylightnix.executors.inline import InlineExecutor
from pylightnix.executors.machine import machine_capacity, scope
from pylightnix.model.build import BuildRequest, BuildResult, Finished, Progress
from pylightnix.model.conditions import Conditions

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pylightnix.executors.process import ProcessExecutor


class LocalExecutor:
    """Runs a builder in this process, unless it is to be isolated or to be ended in time: then in a new one.

    Args:
        capacity: what a run may take, see `Executor`; default: what this machine has.
    """

    name = "local"
    slots = 1

    def __init__(self, capacity: Mapping[str, float] | None = None) -> None:
        self.capacity = machine_capacity() if capacity is None else capacity
        self._inline = InlineExecutor(self.capacity)
        self._process: ProcessExecutor | None = None

    @property
    def scope(self) -> str:
        """See `Executor`."""
        return scope()

    def takes_turns(self, conditions: Conditions) -> bool:
        """Whether such a run waits for others of this process."""
        return _goes_inline(conditions)

    def submit(self, request: BuildRequest, progress: Progress | None = None) -> Future[BuildResult] | Finished:
        """Run the builder here, or let another process run it.

        Raises:
            ExecutorError: the executor was stopped, or there can be no such process.
        """
        if _goes_inline(request.conditions):
            return self._inline.submit(request, progress)
        return self._in_process().submit(request, progress)

    def accept(self, conditions: Conditions) -> None:
        """See that a run could have these.

        Raises:
            ExecutorError: there can be no such process.
        """
        if not _goes_inline(conditions):
            self._in_process().accept(conditions)

    def stop(self) -> None:
        """End what runs, and take no more."""
        self._inline.stop()
        if self._process is not None:
            self._process.stop()

    def _in_process(self) -> ProcessExecutor:
        if self._process is None:
            from pylightnix.executors.process import ProcessExecutor

            self._process = ProcessExecutor(1, self.capacity)
        return self._process


def _goes_inline(conditions: Conditions) -> bool:
    return conditions.isolation in (None, "none") and conditions.timeout is None
