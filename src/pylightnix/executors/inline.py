"""Runs builders in this process and this thread: easy to debug, nothing to carry. Unaware of other processes."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from pylightnix.errors import ExecutorError
from pylightnix.executors.handlers import Handlers
from pylightnix.executors.machine import machine_capacity, scope
from pylightnix.executors.runlog import RunLog
from pylightnix.executors.streams import tees
from pylightnix.executors.telling import bytes_of_maxrss, host_facts
from pylightnix.executors.watching import Unwatched
from pylightnix.executors.work import Outcome, perform
from pylightnix.model.build import BuildRequest, BuildResult, Finished, Progress
from pylightnix.model.conditions import Conditions

try:
    from resource import RUSAGE_SELF, getrusage
except ImportError:  # not everywhere
    getrusage = None  # type: ignore[assignment]

_turn = threading.RLock()
"""Streams, directory and environment belong to the whole process, so its runs take turns; a run may hold another."""


class Surroundings:
    """What of the process a builder may change and we put back: streams, directory, environment, umask, signals.

    The state of random generators is not touched, and what descriptors, threads and imports do stays done.
    """

    def __init__(self) -> None:
        self.stdout, self.stderr = sys.stdout, sys.stderr
        self._environ = os.environ
        self._variables = _variables().copy()
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._cwd = _cwd()
        self._handlers = Handlers()

    def restore(self) -> None:
        """Put everything back."""
        self._handlers.restore()
        sys.stdout, sys.stderr = self.stdout, self.stderr
        os.umask(self._umask)
        os.environ = self._environ  # noqa: B003  (the very same object, if another was put there)
        if _variables() != self._variables:
            self._restore_variables()
        if self._cwd is not None and _cwd() != self._cwd:
            with contextlib.suppress(OSError):
                os.chdir(self._cwd)

    def _restore_variables(self) -> None:
        store: Any = os.environb if os.supports_bytes_environ else os.environ
        for name in set(store) - self._variables.keys():
            del store[name]
        for name, value in self._variables.items():
            if store.get(name) != value:
                store[name] = value


def _variables() -> dict[Any, Any]:
    """The environment as it is kept inside `os.environ`: copying that costs a hundredth of decoding it."""
    inner = getattr(os.environ, "_data", None)
    return inner if isinstance(inner, dict) else dict(os.environb if os.supports_bytes_environ else os.environ)


def _cwd() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


class InlineExecutor:
    """Runs each builder at once, in the thread that submits it.

    What the builder prints goes to the log of the run and to this process's standard error. Runs see one another's
    state: imported modules, caches, random generators. KeyboardInterrupt passes through. A timeout is not looked at:
    nothing could end the builder but the builder itself.

    Args:
        capacity: what a run may take, see `Executor`; default: what this machine has.
    """

    name = "inline"
    slots = 1

    def __init__(self, capacity: Mapping[str, float] | None = None) -> None:
        self.capacity = machine_capacity() if capacity is None else capacity
        self._stopped = False

    @property
    def scope(self) -> str:
        """See `Executor`."""
        return scope()

    def takes_turns(self, conditions: Conditions) -> bool:
        """Whether such a run waits for others of this process: here all do."""
        return True

    def submit(self, request: BuildRequest, progress: Progress | None = None) -> Finished:
        """Run the builder.

        Raises:
            ExecutorError: the executor was stopped, or the run is to be isolated.
        """
        if self._stopped:
            raise ExecutorError("this executor was stopped", hint="make a new one", executor=self.name)
        if request.conditions.isolation is not None:
            self.accept(request.conditions)
        with _turn:
            return Finished(self._run(request, progress))

    def accept(self, conditions: Conditions) -> None:
        """See that a run could have these.

        Raises:
            ExecutorError: it is to be isolated.
        """
        if conditions.isolation not in (None, "none"):
            raise ExecutorError(
                f"a builder in this process cannot have isolation={conditions.isolation!r}",
                hint='leave the executor to the call, use executor="process", or say isolation="none" in the call',
                executor=self.name,
            )

    def stop(self) -> None:
        """Take no more."""
        self._stopped = True

    def _run(self, request: BuildRequest, progress: Progress | None) -> BuildResult:
        process = os.getpid()
        log = RunLog(request.log)
        around = Surroundings()

        def tell(done: float, total: float | None) -> None:
            if progress is None:
                return
            inside = sys.stdout, sys.stderr
            sys.stdout, sys.stderr = around.stdout, around.stderr  # what the listener prints is not the builder's
            try:
                with contextlib.suppress(Exception), Unwatched():
                    progress(request, done, total)
            finally:
                sys.stdout, sys.stderr = inside

        out, err = tees(log, around.stdout, around.stderr)
        sys.stdout, sys.stderr = out, err
        try:
            outcome = perform(request, err, tell)  # type: ignore[arg-type]
        finally:
            if os.getpid() != process:  # the builder forked, and this is the copy: what comes next is not its own
                os._exit(0)
            around.restore()
            log.close()
            if log.made or log.problem:
                with contextlib.suppress(Exception):  # it is a stream of the user's, and may be anything
                    out.flush()
        return _result(outcome, log, process)


def _result(outcome: Outcome, log: RunLog, process: int) -> BuildResult:
    facts = {**host_facts(), "executor": "inline", "isolation": "none", "pid": process}
    if getrusage is not None:
        facts["peak_memory"] = bytes_of_maxrss(getrusage(RUSAGE_SELF).ru_maxrss)
        facts["peak_memory_of"] = "process"
    if log.problem:
        facts["log_problem"] = log.problem
    if outcome.more:
        facts["more_findings"] = outcome.more
    return BuildResult(
        outcome.failure,
        outcome.value,
        outcome.started,
        outcome.duration,
        facts,
        outcome.error,
        log.made,
        outcome.findings,
    )
