"""The process of one run: reads the request, performs it, tells the result. Imports little; unaware of other runs."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import struct
import sys
import threading
import time
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pylightnix.clock import utc_now
from pylightnix.executors.telling import describe, format_traceback
from pylightnix.executors.work import Outcome, perform
from pylightnix.model.build import BuildRequest, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

LENGTHS = struct.Struct("<QQ")
"""How a request begins: the lengths of its header (JSON) and of its body (a pickle)."""

AFTERWARDS = 5
"""Seconds that exit handlers and threads of the user's get once the result is told."""

OFTEN = 0.1
"""Seconds between two messages of progress, at least."""

_NO_RESULT = 70


def prepare() -> None:
    """Import what nearly every run needs, in a process from which those of runs are forked."""
    import ctypes  # noqa: F401
    import faulthandler  # noqa: F401
    import importlib
    import linecache  # noqa: F401
    import logging  # noqa: F401
    import traceback  # noqa: F401

    import cloudpickle  # type: ignore[import-untyped]  # noqa: F401

    import pylightnix.model.realization  # noqa: F401

    whole = importlib.import_module(__name__.partition(".")[0])
    for name in ("Build", "Dep", "match", "promise", "stage"):  # what modules name that have stages in them
        getattr(whole, name)


def work(control: int, events: int) -> None:
    """Perform the request that comes by `control`, tell what comes of it by `events`; the process ends soon after."""
    process = os.getpid()
    teller = Teller(events)
    header, body = _receive(control)
    os.close(control)
    _streams()
    started, begin = utc_now(), time.perf_counter()
    try:
        _surroundings(header)
        request = _load(header, body)
    except BaseException as error:
        outcome = Outcome(_not_loaded(error), None, started, time.perf_counter() - begin)
    else:
        outcome = _perform(request, teller, started, begin)
    if os.getpid() != process:  # the builder forked, and this is the copy: it has nothing to tell
        _flush()
        os._exit(0)
    _flush()
    teller.result(outcome)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    signal.alarm(AFTERWARDS)
    _leave()


def _leave() -> None:
    """End the process as Python would, but for taking all modules apart: that takes longer than many a run.

    What Python would still write then is written: files that the user has left open.
    """
    import atexit
    import gc
    import io

    threading.__dict__["_shutdown"]()  # as the processes of multiprocessing end
    atexit._run_exitfuncs()
    gc.collect()
    for thing in gc.get_objects():
        if issubclass(type(thing), (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)):
            with contextlib.suppress(Exception):
                thing.flush()
    _flush()
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).exit(0)  # libraries in C have their own last words
    os._exit(0)


def _perform(request: BuildRequest, teller: Teller, started: str, begin: float) -> Outcome:
    try:
        return perform(request, sys.stderr, teller.progress)
    except KeyboardInterrupt as error:
        failure = Failure("exception", "KeyboardInterrupt", format_traceback(error), {"exception": "KeyboardInterrupt"})
        return Outcome(failure, None, started, time.perf_counter() - begin)


def _receive(control: int) -> tuple[dict[str, Any], bytes]:
    with open(control, "rb", closefd=False) as pipe:
        lengths = pipe.read(LENGTHS.size)
        if len(lengths) < LENGTHS.size:
            os._exit(_NO_RESULT)
        header, body = LENGTHS.unpack(lengths)
        return json.loads(pipe.read(header)), pipe.read(body)


def _streams() -> None:
    """Nothing that a builder prints can fail to be encoded, and nothing printed is lost when the process dies."""
    import faulthandler

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable()


def _surroundings(header: Mapping[str, Any]) -> None:
    """The working directory, the import path and the main module: the executor's, or those of an isolated run."""
    if header["umask"] is not None:
        os.umask(header["umask"])
    try:
        os.chdir(header["cwd"])
    except OSError as error:
        if header["umask"] is not None:
            raise
        _remark(f"the working directory is another one than the executor's: {error}")
    sys.path[:] = header["path"]
    sys.argv[:] = header["argv"]
    main = sys.modules["__main__"] = ModuleType("__main__")
    if header["main_file"] is not None:
        main.__file__ = header["main_file"]
    if header["main_name"] is not None:
        from importlib.machinery import ModuleSpec

        main.__spec__ = ModuleSpec(header["main_name"], None)
    if header["sources"]:
        import linecache

        for name, lines in header["sources"].items():
            linecache.cache[name] = (sum(map(len, lines)), None, lines, name)


def _load(header: Mapping[str, Any], body: bytes) -> BuildRequest:
    request = pickle.loads(body)
    if not isinstance(request, BuildRequest):
        raise TypeError(f"a request was expected, not a {type(request).__name__}")
    if header["publish"]:  # what the builder names of the main module is there, so pickle finds it by name
        main = sys.modules["__main__"].__dict__
        for name, value in getattr(request.builder, "__globals__", {}).items():
            main.setdefault(name, value)
    return request


def _not_loaded(error: BaseException) -> Failure:
    hint = ""
    if isinstance(error, ImportError):
        name = error.name or "the module"
        hint = f"install {name}, or put its directory on PYTHONPATH; or run with the inline executor"
    what = f"the worker cannot load the request: {describe(error)}"
    return Failure("transport", what, format_traceback(error), {"exception": type(error).__qualname__}, hint)


def _remark(text: str) -> None:
    """Say something in the log of the run."""
    with contextlib.suppress(OSError):
        os.write(2, f"pylightnix: {text}\n".encode(errors="backslashreplace"))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # the builder closed or replaced it
            continue


class Teller:
    """Writes messages, one JSON document a line, to the executor."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._pipe = _identity(events)
        self._lock = threading.Lock()
        self._next = 0.0
        self._held: list[float | None] | None = None

    def progress(self, done: float, total: float | None) -> None:
        """Tell how far the run is: at most ten times a second, the last one for certain."""
        at = [float(done), None if total is None else float(total)]
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                self._held = at
                return
            self._next = now + OFTEN
            self._held = None
            self._write({"progress": at})

    def result(self, outcome: Outcome) -> None:
        """Tell the result; the process ends if that cannot be done."""
        failure = outcome.failure
        told = failure and [failure.kind, failure.what, failure.traceback, dict(failure.fields), failure.hint]
        message: dict[str, Any] = {"failure": told, "value": outcome.value}
        message |= {"started": outcome.started, "duration": outcome.duration}
        if outcome.findings:
            message |= {"findings": outcome.findings, "more": outcome.more}
        with self._lock:
            if self._held is not None:
                self._write({"progress": self._held})
            if not self._write({"result": message}):
                _remark("the result cannot be told: the builder closed the descriptor that is for it")
                os._exit(_NO_RESULT)

    def _write(self, message: Mapping[str, Any]) -> bool:
        if _identity(self._events) != self._pipe:  # never write into a file that the builder opened in its place
            return False
        view = memoryview(b"\n" + json.dumps(message).encode() + b"\n")
        try:
            while view:
                view = view[os.write(self._events, view) :]
        except OSError:
            return False
        return True


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino
