"""Runs each builder in a fresh process of its own, a few at a time. Here is the queue; `launch` has the process."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pylightnix.clock import utc_now
from pylightnix.errors import ExecutorError
from pylightnix.executors.machine import Devices, machine_capacity, scope
from pylightnix.executors.making import environment_of
from pylightnix.executors.modules import Modules
from pylightnix.executors.surroundings import environment
from pylightnix.executors.telling import host_facts
from pylightnix.model.build import BuildRequest, BuildResult, Failure, Progress
from pylightnix.model.conditions import Conditions

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pylightnix.executors.launch import Launch
    from pylightnix.executors.starting import Nurseries

POLITE = 4.0
"""Seconds that `stop` waits before it ends what is left at once; the runs' own supervisors need two."""


class ProcessExecutor:
    """Runs each builder in a new interpreter, which sees nothing of other runs and leaves no process behind.

    Builders of scripts, notebooks and functions within functions are carried by value, those of modules by name.
    Standard output and error, also of child processes, go to the log of the run; standard input is empty.

    Args:
        slots: how many runs at a time; more are queued.
        capacity: what the runs may take together, see `Executor`; default: what this machine has.

    Raises:
        ExecutorError: there is no `fork` here, no Python to start, or no slot.
    """

    name = "process"

    def __init__(self, slots: int = 1, capacity: Mapping[str, float] | None = None) -> None:
        if slots < 1:
            raise ExecutorError(f"an executor cannot have {slots} slots", hint="give 1 or more", executor=self.name)
        if not hasattr(os, "fork") or not sys.executable:
            missing = "fork" if sys.executable else "a Python interpreter"
            raise ExecutorError(f"there is no {missing} here", hint="use the inline executor", executor=self.name)
        self.slots = slots
        self.capacity = machine_capacity() if capacity is None else capacity
        self._devices = Devices(self.capacity.get("gpus", 0))
        self._modules = Modules()
        self._nurseries: Nurseries | None = None
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self._queue: deque[tuple[Launch, Future[BuildResult]]] = deque()
        self._running: set[Launch] = set()
        self._threads: set[threading.Thread] = set()
        self._stopped = False

    @property
    def scope(self) -> str:
        """See `Executor`."""
        return scope()

    def submit(self, request: BuildRequest, progress: Progress | None = None) -> Future[BuildResult]:
        """Take a run; what it needs of this process is read now, before this returns.

        Raises:
            ExecutorError: the executor was stopped, or there can be no sandbox for the run.
        """
        from concurrent.futures import Future

        from pylightnix.executors.launch import Launch
        from pylightnix.executors.sandbox import fence_for
        from pylightnix.executors.starting import Nurseries
        from pylightnix.executors.transport import NotPortableError, pack

        self._refuse_if_stopped()
        fence = fence_for(request.conditions)
        future: Future[BuildResult] = Future()
        try:
            parcel = pack(request, self._modules)
        except NotPortableError as error:
            future.set_result(self._without_process(error.failure))
            return future
        with self._lock:
            self._refuse_if_stopped()
            if self._nurseries is None:
                self._nurseries = Nurseries()
            launch = Launch(
                request,
                parcel,
                environment(request, environment_of(request.key)),
                self.name,
                progress,
                fence,
                self._nurseries,
            )
            self._queue.append((launch, future))
            if len(self._threads) < self.slots:
                thread = threading.Thread(target=self._work, name=f"pylightnix-{self.name}", daemon=True)
                self._threads.add(thread)
                thread.start()
        return future

    def accept(self, conditions: Conditions) -> None:
        """See that a run could have these.

        Raises:
            ExecutorError: it is to be in a sandbox, and there can be none here.
        """
        from pylightnix.executors.sandbox import fence_for

        fence_for(conditions)

    def stop(self) -> None:
        """End all runs, waiting ones too, and wait until their processes are gone; interrupted, end them at once."""
        with self._lock:
            self._stopped = True
            waiting = list(self._queue)
            self._queue.clear()
        for _, future in waiting:
            if future.set_running_or_notify_cancel():
                failure = Failure("killed", "the executor was stopped before the run began", fields={"stopped": True})
                future.set_result(self._without_process(failure))
        try:
            self._end_all()
        finally:
            if self._nurseries is not None:
                self._nurseries.close()

    def _end_all(self) -> None:
        try:
            self._end(now=False)
            if self._join(POLITE):
                return
        except BaseException:
            self._end(now=True)
            self._join(POLITE)
            raise
        self._end(now=True)
        if not self._join(POLITE):
            for launch in self._now_running():
                launch.kill()
            self._join(POLITE)

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise ExecutorError("this executor was stopped", hint="make a new one", executor=self.name)

    def _without_process(self, failure: Failure) -> BuildResult:
        return BuildResult(failure, None, utc_now(), 0.0, {**host_facts(), "executor": self.name})

    def _now_running(self) -> list[Launch]:
        with self._lock:
            return list(self._running)

    def _end(self, *, now: bool) -> None:
        for launch in self._now_running():
            launch.end(now=now)
        if now and self._nurseries is not None:
            self._nurseries.give_up()

    def _join(self, patience: float) -> bool:
        """Wait until the threads that wait for runs have ended; whether they have.

        Not by `Thread.join`: interrupted, that takes the thread for dead.
        """
        me = {threading.current_thread()}
        with self._ended:
            return self._ended.wait_for(lambda: not self._threads - me, patience)

    def _work(self) -> None:
        """Carry runs, one after the other, until none is waiting."""
        while True:
            with self._lock:
                if not self._queue:
                    self._threads.discard(threading.current_thread())
                    self._ended.notify_all()
                    return
                launch, future = self._queue.popleft()
                self._running.add(launch)
            try:
                if future.set_running_or_notify_cancel():
                    future.set_result(self._carry(launch))
            finally:
                with self._lock:
                    self._running.discard(launch)

    def _carry(self, launch: Launch) -> BuildResult:
        settled = launch.request.devices
        taken = self._devices.take(launch.request.conditions) if settled is None else None
        devices = taken if settled is None else self._devices.named(settled)
        if devices is not None:
            launch.environ["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
        try:
            return launch.carry()
        except Exception as error:  # whoever waits for the future must hear of it
            return self._without_process(Failure("transport", f"the run was lost: {error!r}"))
        finally:
            self._devices.give(taken)
