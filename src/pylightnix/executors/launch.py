"""One run in a process of its own, as the thread sees it that waits for it. Unaware of other runs and of queues."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pylightnix.clock import utc_now
from pylightnix.executors.events import Told, why_lost
from pylightnix.executors.outputs import check
from pylightnix.executors.runlog import RunLog
from pylightnix.executors.starting import Fence, Nurseries, Pipes, Started, start_fresh
from pylightnix.executors.starving import starved
from pylightnix.executors.surroundings import drop_unused, is_isolated, make_directories
from pylightnix.executors.telling import bytes_of_maxrss, host_facts
from pylightnix.model.build import BuildRequest, BuildResult, Failure, Finding, Progress

_CHUNK = 2**16
_LOOK = 0.5
"""Seconds of silence after which we look whether the supervisor is still there."""
_LINGER = 5.0
"""Seconds that are left to read what is in the pipes of a supervisor that is gone."""


class _Channel:
    """A pipe whose ends are closed once, in whatever order."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()

    def close(self, *, read: bool = True, write: bool = True) -> None:
        if read and self.read >= 0:
            os.close(self.read)
            self.read = -1
        if write and self.write >= 0:
            os.close(self.write)
            self.write = -1


def _opened(stack: contextlib.ExitStack) -> _Channel:
    channel = _Channel()
    stack.callback(channel.close)
    return channel


@dataclass(slots=True, eq=False)
class Launch:
    """A run to be carried out in a new process.

    Attributes:
        request: the run.
        parcel: the same as bytes.
        environ: the environment for the process.
        name: of the executor, for the facts.
        progress: hears of the progress, in the waiting thread.
        fence: the program that puts the process into a sandbox, if it is to be in one.
        nurseries: fork the process if it is to be in none; None starts a new one.
        path: where modules are looked for, which a sandbox has to show.
    """

    request: BuildRequest
    parcel: bytes
    environ: dict[str, str]
    name: str
    progress: Progress | None
    fence: str | None = None
    nurseries: Nurseries | None = None
    path: Sequence[str] = field(default_factory=lambda: sys.path)
    _process: Started | None = None
    _orders: _Channel | None = None
    _ending: bool = False
    _late: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def carry(self) -> BuildResult:
        """Start the process, wait for its end, and tell what came of it; call it once."""
        started, begin = utc_now(), time.perf_counter()
        log = RunLog(self.request.log)
        told = Told()
        try:
            with contextlib.ExitStack() as stack:
                failure = self._converse(stack, log, told)
        finally:
            log.close()
        facts = self._facts(told, log)
        if failure is not None or told.result is None:
            return BuildResult(failure, None, started, time.perf_counter() - begin, facts)
        failed = self._hinted(Failure(*told.result["failure"])) if told.result["failure"] else self._gone_since()
        if told.result.get("more"):
            facts["more_findings"] = told.result["more"]
        findings = tuple(Finding(*one) for one in told.result.get("findings", ()))
        result = BuildResult(failed, told.result["value"], told.result["started"], told.result["duration"], facts)
        return result._replace(findings=findings)

    def _hinted(self, failure: Failure) -> Failure:
        if self.fence is None:
            return failure
        from pylightnix.executors.sandbox import hint_for

        return replace(failure, hint=failure.hint or hint_for(failure))

    def end(self, *, now: bool = False) -> None:
        """End the run: SIGTERM and, two seconds later or `now`, SIGKILL to all its processes; any thread may call."""
        with self._lock:
            self._ending = True
            if self._process is not None:
                self._tell(signal.SIGHUP if now else signal.SIGTERM)

    def kill(self) -> None:
        """The last resort: kill the supervisor, and with it the worker."""
        with self._lock:
            if self._process is not None:
                self._process.send_signal(signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        """Signal the supervisor; within a sandbox it has another number, and hears by a pipe."""
        if self._orders is not None:
            with contextlib.suppress(OSError):
                os.write(self._orders.write, bytes([number]))
        elif self._process is not None:
            self._process.send_signal(number)

    def _converse(self, stack: contextlib.ExitStack, log: RunLog, told: Told) -> Failure | None:
        """Start the process, hear it out, and wait for its end; why there is no result that counts, or None."""
        before = starved()
        try:
            control, events, output = (_opened(stack) for _ in range(3))
            if is_isolated(self.request):
                stack.callback(drop_unused, self.request)
                make_directories(self.request)
            process = self._start(stack, control, events, output)
        except OSError as error:
            return Failure("transport", f"no process could be started for the run: {error}")
        control.close(write=False)
        events.close(read=False)
        output.close(read=False)
        try:
            self._exchange(process, control, events, output, log, told)
        finally:
            control.close()  # the supervisor, if it still lives, ends all
            code = process.wait()
            with self._lock:
                self._orders = None
        if told.end is None and told.worker is not None and self.fence is None:  # a sandbox has numbers of its own
            with contextlib.suppress(OSError):
                os.killpg(told.worker, signal.SIGKILL)
        late = self.request.conditions.timeout if self._late else None
        now = starved()
        kills = None if now is None or before is None else now - before
        failure = why_lost(told, code, stopped=self._ending, late=late, starved=kills)
        if failure is not None and failure.kind == "timeout" and self.request.apart:  # nobody gets its checkpoint
            return replace(failure, hint="timeout= of the stage gives it longer")
        return failure

    def _start(self, stack: contextlib.ExitStack, control: _Channel, events: _Channel, output: _Channel) -> Started:
        """Start the process, in a sandbox if it is to be in one."""
        pipes = Pipes(control.read, events.write, output.write)
        if self.fence is None:
            start = start_fresh if self.nurseries is None else self.nurseries.start
            return self._begun(start(pipes, self.environ, self.request.stage))
        from pylightnix.executors.sandbox import Sandbox, lent_checkpoint  # slow to import, and few need it

        stack.enter_context(lent_checkpoint(self.request))
        orders = _opened(stack)
        with self._lock:
            self._orders = orders
        sandbox = Sandbox(self.request, self.fence, self.path)
        try:
            fence = Fence(sandbox.command(), sandbox.descriptors, orders.read)
            return self._begun(start_fresh(pipes, self.environ, self.request.stage, fence))
        finally:
            sandbox.close()
            orders.close(write=False)

    def _begun(self, process: Started) -> Started:
        """It is there now; whoever wanted to end it before, which takes a while, did not wait for that."""
        with self._lock:
            self._process = process
            if self._ending:
                self._tell(signal.SIGTERM)
        return process

    def _exchange(
        self,
        process: Started,
        control: _Channel,
        events: _Channel,
        output: _Channel,
        log: RunLog,
        told: Told,
    ) -> None:
        """Send the request, keep the log, hear the events, until nobody is left to say anything."""
        parcel = memoryview(self.parcel)

        def send(descriptor: int) -> bool:
            nonlocal parcel
            parcel = _send(descriptor, parcel)
            return bool(parcel)

        def hear(descriptor: int) -> bool:
            data = os.read(descriptor, _CHUNK)
            for done, total in told.hear(data):
                if self.progress is not None:
                    with contextlib.suppress(Exception):
                        self.progress(self.request, done, total)
            return bool(data)

        def keep(descriptor: int) -> bool:
            data = os.read(descriptor, _CHUNK)
            log.write(data)
            return bool(data)

        os.set_blocking(control.write, False)
        with selectors.DefaultSelector() as selector:
            selector.register(control.write, selectors.EVENT_WRITE, send)
            selector.register(events.read, selectors.EVENT_READ, hear)
            selector.register(output.read, selectors.EVENT_READ, keep)
            self._serve(selector, process, {events.read, output.read})

    def _serve(self, selector: selectors.BaseSelector, process: Started, pipes: set[int]) -> None:
        """Serve what is ready until these pipes have ended, or the supervisor has: what survived it is not waited for.

        A run that takes longer than it may is ended.
        """
        gone: float | None = None
        timeout = self.request.conditions.timeout
        until = None if timeout is None else time.monotonic() + timeout
        while selector.get_map().keys() & pipes:
            now = time.monotonic()
            if until is not None and now >= until:
                self._late, until = True, None
                self.end()
            pause = _LOOK if until is None else min(_LOOK, until - now)
            ready = selector.select(pause if gone is None else 0)
            if gone is not None and (not ready or time.monotonic() - gone > _LINGER):
                return
            if gone is None and process.poll() is not None:  # what it told last may have come after that look
                gone = time.monotonic()
            for key, _ in ready:
                if not key.data(key.fd):
                    selector.unregister(key.fd)

    def _gone_since(self) -> Failure | None:
        """What is broken of the promises now that all has ended: what the builder left had time to break them."""
        if not self.request.has_out:
            return None
        promises = {name: replace(promise, check=None) for name, promise in self.request.promises.items()}
        return check(self.request.out, promises)

    def _facts(self, told: Told, log: RunLog) -> dict[str, Any]:
        facts = {**host_facts(), "executor": self.name, "isolation": self.request.conditions.isolation or "none"}
        if told.worker is not None:
            facts["pid"] = told.worker if self.fence is None or self._process is None else self._process.pid
        if told.end is not None:
            facts["peak_memory"] = bytes_of_maxrss(told.end["maxrss"])
            facts["peak_memory_of"] = "run"
            if told.end["swept"]:
                facts["ended_processes"] = told.end["swept"]
        if log.problem:
            facts["log_problem"] = log.problem
        return facts


def _send(descriptor: int, data: memoryview) -> memoryview:
    """Write what can be written now; what is left, nothing if nobody reads any more."""
    try:
        return data[os.write(descriptor, data[: 2**20]) :]
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return data[:0]
