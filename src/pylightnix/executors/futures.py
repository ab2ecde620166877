"""Runs builders on an engine that the user already has: any `concurrent.futures.Executor` whose workers see the store.

Unaware of which engine that is; `engines` knows them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Future
from typing import TYPE_CHECKING, Any

from pylightnix.clock import utc_now
from pylightnix.errors import ExecutorError
from pylightnix.executors.desk import Desk
from pylightnix.executors.making import making_variable
from pylightnix.executors.modules import Modules
from pylightnix.executors.remote import LOOK, PYTHON, carry
from pylightnix.executors.telling import describe, host_facts
from pylightnix.executors.transport import NotPortableError, pack
from pylightnix.executors.waiting import BEAT, waiter
from pylightnix.model.build import BuildRequest, BuildResult, Failure, Progress

if TYPE_CHECKING:
    from concurrent.futures import Executor as Pool

POLITE = 6.0
"""Seconds that `stop` waits before it wants what is left to end at once."""

LAST = 10.0
"""Seconds that it waits after that."""

INLINE = 2**18
"""Bytes of a request that are given to the engine; a larger one is a file that the worker reads."""

TAKEN_BACK = "taken back"
"""Who began a run that nobody may begin."""

Options = Callable[[BuildRequest], Mapping[str, Any]]


@dataclasses.dataclass(slots=True, eq=False)
class _Order:
    """A run that the engine has."""

    request: BuildRequest
    desk: Desk
    progress: Progress | None
    future: Future[BuildResult]
    inner: Future[BuildResult] | None = None
    heard: int = 0
    settled: bool = False
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)


class FuturesExecutor:
    """Gives runs to a pool of workers; there each has a process of its own, as with the process executor.

    Args:
        pool: of the user's; it is not shut down here.
        name: a word, for records and messages.
        slots: how many runs the pool gets at a time, those that it queues included.
        capacity: what runs may take together, see `Executor`; None where the pool itself sees to that.
        options: keywords for `pool.submit`, from a request; may raise ExecutorError.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        name: str = "pool",
        slots: int = 64,
        capacity: Mapping[str, float] | None = None,
        options: Options | None = None,
    ) -> None:
        self.name = name
        self.slots = slots
        self.capacity = capacity
        self._pool = pool
        self._options = options
        self._modules = Modules()
        self._open: set[_Order] = set()
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self._listener: threading.Thread | None = None
        self._stopped = False

    def submit(self, request: BuildRequest, progress: Progress | None = None) -> Future[BuildResult]:
        """Give a run to the pool; what it needs of this process is read now.

        Raises:
            ExecutorError: the executor was stopped, or the pool takes no runs, or none like this.
        """
        self._refuse_if_stopped()
        options = dict(self._options(request)) if self._options is not None else {}
        future: Future[BuildResult] = Future()
        future.set_running_or_notify_cancel()
        try:
            parcel = self._parcel(request)
            desk = self._desk(request)
        except NotPortableError as error:
            future.set_result(self._without_run(error.failure))
            return future
        except OSError as error:
            failure = Failure("transport", f"nothing can be written beside the store's unfinished runs: {error}")
            future.set_result(self._without_run(failure))
            return future
        order = _Order(request, desk, progress, future)
        with self._lock:
            self._refuse_if_stopped()
            self._open.add(order)
            self._listen_if_needed()
        try:
            if len(parcel) > INLINE:
                desk.put(parcel)
            inner = self._submit(request, desk, parcel, options)
        except BaseException as error:
            self._settle(order, None)
            if isinstance(error, ExecutorError) or not isinstance(error, Exception):
                raise
            raise ExecutorError(
                f"the engine takes no runs: {describe(error)}", where=self.name, executor=self.name,
                hint="see whether its workers are up; Python's own pool takes none after one of its workers has died",
            ) from error  # fmt: skip
        order.inner = inner
        inner.add_done_callback(functools.partial(self._done, order))
        return future

    def _parcel(self, request: BuildRequest) -> bytes:
        return packed(request, self._modules)

    def _desk(self, request: BuildRequest) -> Desk:
        desk = Desk.make(os.path.dirname(request.scratch))
        if not self._outlasts(request):
            desk.beat(first=True)
        return desk

    def _outlasts(self, request: BuildRequest) -> bool:
        """Whether a run goes on when this process has died."""
        return False

    def _lost(self, error: BaseException, begun: str) -> Failure:
        return lost(error, begun)

    def _submit(
        self, request: BuildRequest, desk: Desk, parcel: bytes, options: Mapping[str, Any]
    ) -> Future[BuildResult]:
        small = parcel if len(parcel) <= INLINE else None
        return self._pool.submit(carry, self._about(request, desk), pickle.dumps(lean(request)), small, **options)

    def _about(self, request: BuildRequest, desk: Desk) -> dict[str, Any]:
        """What `carry` is told."""
        conditions, here = request.conditions, os.environ
        hidden = conditions.secrets  # what is told may be written down
        passed = {name: here[name] for name in conditions.pass_variables if name in here and name not in hidden}
        declared = {name: here.get(name) for name in conditions.variables if name not in hidden}
        return {
            "python": PYTHON,
            "desk": desk.path,
            "name": self.name,
            "waiter": None if self._outlasts(request) else waiter(),
            "path": project_path(),
            "secrets": [name for name in hidden if here.get(name)],
            "variables": {**passed, **declared, **making_variable(request.key)},
        }

    def stop(self) -> None:
        """End all runs, queued ones too, and wait until they have ended; interrupted, end them at once."""
        with self._lock:
            self._stopped = True
            orders = list(self._open)
        try:
            for order in orders:
                self._end(order)
            if self._join(POLITE):
                return
        except BaseException:
            self._hurry()
            raise
        self._hurry()
        with self._lock:
            left = list(self._open)
        for order in left:
            what = "the worker did not end the run when it was told to; whatever it left may still run"
            self._settle(order, self._without_run(Failure("killed", what, fields={"stopped": True})))

    def _end(self, order: _Order) -> None:
        """Take a run back that was not begun, else have it ended."""
        taken = False
        with contextlib.suppress(OSError):
            taken = order.desk.take(TAKEN_BACK)
        if not taken:
            order.desk.order("stop")
            return
        failure = Failure("killed", "the executor was stopped before the run began", fields={"stopped": True})
        self._settle(order, self._without_run(failure))
        if order.inner is not None:
            order.inner.cancel()

    def _hurry(self) -> None:
        with self._lock:
            left = list(self._open)
        for order in left:
            order.desk.order("now")
        self._join(LAST)

    def _join(self, patience: float) -> bool:
        with self._ended:
            return self._ended.wait_for(lambda: not self._open, patience)

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise ExecutorError("this executor was stopped", hint="make a new one", executor=self.name)

    def _without_run(self, failure: Failure) -> BuildResult:
        return BuildResult(failure, None, utc_now(), 0.0, {**host_facts(), "executor": self.name})

    def _done(self, order: _Order, inner: Future[BuildResult]) -> None:
        """The engine is ready with a run; called in a thread of its own."""
        try:
            result = inner.result(0)
        except BaseException as error:
            result = self._without_run(self._lost(error, order.desk.taken_by()))
        self._settle(order, result)

    def _settle(self, order: _Order, result: BuildResult | None) -> None:
        """Tell the result, once; without one there is nobody who waits for it."""
        with self._lock:
            if order.settled:
                return
            order.settled = True
        try:
            self._pass_on(order)
            order.desk.remove()
            if result is not None:
                order.future.set_result(result)
        finally:
            with self._lock:  # not before: who waits for the end expects results
                self._open.discard(order)
                self._ended.notify_all()

    def _listen_if_needed(self) -> None:
        if self._listener is None:
            self._listener = threading.Thread(target=self._listen, name=f"pylightnix-{self.name}", daemon=True)
            self._listener.start()

    def _listen(self) -> None:
        """Pass on how far runs are, and let workers know that somebody waits, as long as there are runs."""
        beat = time.monotonic() + BEAT
        while True:
            time.sleep(LOOK)
            with self._lock:
                orders = list(self._open)
                if not orders:
                    self._listener = None
                    return
            beats = time.monotonic() >= beat
            beat = time.monotonic() + BEAT if beats else beat
            for order in orders:
                self._pass_on(order)
                if beats and not self._outlasts(order.request):
                    order.desk.beat()

    @staticmethod
    def _pass_on(order: _Order) -> None:
        if order.progress is None:
            return
        with order.lock:
            for done, total in order.desk.told(order.heard):
                order.heard += 1
                with contextlib.suppress(Exception):
                    order.progress(order.request, done, total)


def packed(request: BuildRequest, modules: Modules) -> bytes:
    """The request with all that is not installed by value; by name what cannot go so, for workers that find it."""
    try:
        return pack(request, modules, whole=True)
    except NotPortableError:
        return pack(request, modules)


def _nothing() -> None:
    """Stands for a builder that is in the parcel."""


def lean(request: BuildRequest) -> BuildRequest:
    """What a worker of the engine needs to know itself: nothing of the user's, which it may not be able to load."""
    promises = {name: dataclasses.replace(promise, check=None) for name, promise in request.promises.items()}
    return request._replace(builder=_nothing, arguments={}, promises=promises)


def project_path() -> list[str]:
    """Where this process imports from, but for the standard library and what is installed: a worker has its own."""
    installed = {os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    found = [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]
    return [entry for entry in dict.fromkeys(found) if not _is_below(os.path.realpath(entry), installed)]


def _is_below(path: str, places: set[str]) -> bool:
    parts = ("site-packages", "dist-packages")
    below = any(path == place or path.startswith((f"{place}/lib", f"{place}\\lib")) for place in places)
    return below or any(part in path for part in parts)


def lost(error: BaseException, begun: str) -> Failure:
    """What it means that an engine gave an exception of its own for a run.

    Args:
        error: the exception.
        begun: which worker had begun the run; empty if none had.
    """
    fields = {"exception": type(error).__qualname__}
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return Failure("killed", f"the worker of the engine was interrupted: {describe(error)}", fields=fields)
    if isinstance(error, CancelledError) or type(error).__name__ == "FutureCancelledError":
        hint = "somebody cancelled it there, or the engine is gone: see whether its scheduler is up"
        return Failure("killed", "the run was cancelled in the engine", fields=fields, hint=hint)
    if isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker":
        where = f"; {begun} had begun this run" if begun else "; this run had not begun"
        hint = (
            'a pool of processes loses all its runs with one of its workers; executor="process" and Dask do not'
            if isinstance(error, BrokenExecutor)
            else "the logs of the engine may tell why"
        )
        return Failure("killed", f"a worker of the engine died: {describe(error)}{where}", fields=fields, hint=hint)
    hint = ""
    if isinstance(error, ImportError) and (error.name or "").startswith("pylightnix"):
        hint = "install the same version of pylightnix where the workers run"
    return Failure("transport", f"the engine lost the run: {describe(error)}", fields=fields, hint=hint)
