"""What a worker of an engine does with a run: see that it shares our files, and carry it in a process of its own.

Unaware of engines. Its one function is importable wherever pylightnix is installed.
"""

from __future__ import annotations

import functools
import os
import pickle
import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pylightnix.clock import utc_now
from pylightnix.executors.desk import Desk
from pylightnix.executors.telling import describe, host_facts
from pylightnix.executors.waiting import Waiter
from pylightnix.model.build import BuildRequest, BuildResult, Failure
from pylightnix.model.hidden import LEAST

if TYPE_CHECKING:
    from pylightnix.executors.launch import Launch
    from pylightnix.executors.starting import Nurseries

LOOK = 0.5
"""Seconds between two looks at what the executor wants, and between two messages of progress."""

PYTHON = ".".join(map(str, sys.version_info[:2]))
"""Functions that go by value are the bytecode of one such version."""


def carry(about: Mapping[str, Any], request: bytes, parcel: bytes | None) -> BuildResult:
    """Carry a run; never raises for what can be told.

    Args:
        about: python (version), desk (its path), name (of the executor), waiter (who waits; None: nobody need), path
            (of the project, for imports), variables (of the environment; None: not set), secrets (names of those that
            the builder reads, and that this worker must have itself).
        request: pickled, without what is the user's: builder, arguments, checks.
        parcel: the whole request as a worker process reads it; None if it lies on the desk.
    """
    name = str(about["name"])
    desk = Desk(str(about["desk"]))
    try:
        waiter = Waiter(about["waiter"], desk)
        waiter.end_pool_with_it()
        failure = _refusal(about, desk, waiter)
        if failure is None:
            return _carry(about, desk, waiter, pickle.loads(request), desk.parcel() if parcel is None else parcel)
    except KeyboardInterrupt:  # of a terminal that this worker shares with whoever interrupts the work
        failure = Failure("killed", "the worker of the engine was interrupted", fields={"stopped": True})
    except Exception as error:
        failure = Failure("transport", f"the worker on {_host()} cannot carry the run: {describe(error)}")
    return BuildResult(failure, None, utc_now(), 0.0, {**host_facts(), "executor": name})


def _refusal(about: Mapping[str, Any], desk: Desk, waiter: Waiter) -> Failure | None:
    """Why this worker cannot carry the run, or may not any more."""
    if waiter.is_gone():
        return Failure("killed", "nobody waits for the run any more", fields={"stopped": True})
    if about["python"] != PYTHON:
        return Failure(
            "transport",
            f"the worker on {_host()} has Python {PYTHON}, and functions that are sent are of {about['python']}",
            hint="start the workers with the same minor version of Python",
        )
    lacking = ", ".join(name for name in about.get("secrets", ()) if not os.environ.get(name))
    if lacking:
        return Failure(
            "exception",
            f"the worker on {_host()} has no {lacking} in its environment, and secrets are not sent to workers",
            hint="set it where the workers are started: what is sent to them could be read by others on the way",
        )
    if short := ", ".join(name for name in about.get("secrets", ()) if len(os.environ[name]) < LEAST):
        return Failure(
            "exception",
            f"the worker on {_host()} has less than {LEAST} characters in {short}, which stand everywhere by chance",
            hint="let the workers have the same secret as whoever realizes",
        )
    if not desk.is_seen():
        return Failure(
            "transport",
            f"the worker on {_host()} does not see the files of the store: {desk.path} is not there",
            fields={"missing": desk.path},
            hint="keep the store on a file system that this machine and all workers mount under the same path, and let "
            "the workers run as a user who may write there; or let inputs and results go through a remote: through=URL",
        )
    if not desk.take(f"{_host()} {os.getpid()}"):
        return Failure(
            "killed",
            f"the worker that had begun the run ({desk.taken_by()}) is gone, and the engine tried to begin it again",
            hint="another attempt is made where the stage has retries=",
        )
    return None


def _carry(about: Mapping[str, Any], desk: Desk, waiter: Waiter, request: BuildRequest, parcel: bytes) -> BuildResult:
    from pylightnix.executors.launch import Launch
    from pylightnix.executors.sandbox import fence_for
    from pylightnix.executors.surroundings import environment
    from pylightnix.executors.transport import with_path

    environ = {**os.environ, **{name: value for name, value in about["variables"].items() if value is not None}}
    for name, value in about["variables"].items():
        if value is None:
            environ.pop(name, None)
    teller = _Teller(desk)
    path = [*about["path"], *(entry for entry in sys.path if entry not in about["path"])]
    launch = Launch(
        request, with_path(parcel, path), environment(request, environ), str(about["name"]), teller.hear,
        fence_for(request.conditions), _nurseries(), path,
    )  # fmt: skip
    over = threading.Event()
    listener = threading.Thread(
        target=_listen, args=(desk, waiter, launch, over), name="pylightnix-orders", daemon=True
    )
    listener.start()
    try:
        result = launch.carry()
        return result if request.hide is None else request.hide(request, result)
    finally:
        over.set()
        teller.close()


@functools.cache
def _nurseries() -> Nurseries:
    """Those of this worker, for as long as it lives."""
    from pylightnix.executors.starting import Nurseries

    return Nurseries()


def _listen(desk: Desk, waiter: Waiter, launch: Launch, over: threading.Event) -> None:
    """End the run when the executor wants that, or does not wait any more."""
    heard = ""
    while not over.wait(LOOK):
        waiter.keep_the_desk()
        wanted = "stop" if waiter.is_gone() else desk.wanted()
        if wanted and wanted != heard:
            launch.end(now=wanted == "now")
            heard = wanted


class _Teller:
    """Passes progress on: the first message at once, then one in a while, and the last for certain."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._next = 0.0
        self._held: tuple[float, float | None] | None = None

    def hear(self, _: BuildRequest, done: float, total: float | None) -> None:
        self._held = (done, total)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LOOK
            self.close()

    def close(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._desk.tell(*held)


def _host() -> str:
    return str(host_facts()["host"])
