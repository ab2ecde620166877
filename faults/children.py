"""Processes of a campaign: forked from this one, which has all that is imported, and heard to their end.

Unaware of stores and of faults.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

PATIENCE = 60.0
"""Seconds after which a process counts as hanging. Nothing is decided by them while all is well."""


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        killed: whether by SIGKILL, and not by us for hanging.
        told: what it returned, through JSON.
        problem: why it returned nothing, if it was not killed.
    """

    killed: bool
    told: Any = None
    problem: str = ""


class Child:
    """A forked process that does something and tells what that returned."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._reader)
            _live(do, writer)
        os.close(writer)

    def join(self, patience: float = PATIENCE) -> Ended:
        """Wait for its end; it is killed if that does not come."""
        parts: list[bytes] = []
        hangs = False
        while True:
            if not select.select([self._reader], [], [], patience)[0]:
                hangs = True
                os.kill(self.pid, signal.SIGKILL)
                break
            part = os.read(self._reader, 1 << 16)
            if not part:
                break
            parts.append(part)
        os.close(self._reader)
        status = os.waitpid(self.pid, 0)[1]
        if hangs:
            return Ended(False, problem=f"it hangs: no end after {patience:g} s")
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            return Ended(number == signal.SIGKILL, problem=f"it was ended by signal {number}")
        told = json.loads(b"".join(parts) or b'{"problem": "it told nothing"}')
        return Ended(False, told.get("returned"), told.get("problem", ""))


def in_child(do: Callable[[], object]) -> Ended:
    """Do it in a forked process, and wait for it."""
    return Child(do).join()


def _live(do: Callable[[], object], writer: int) -> None:
    """What the child does; it never returns."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (what builders print)
    os.dup2(sys.stderr.fileno(), 2)
    os.environ["PATH"] = os.devnull  # no git is asked for the state of a project, which takes longer than all else
    gc.disable()  # it would copy all memory of the parent
    gc.freeze()  # so that who collects nevertheless, sees only what is new
    try:
        told: dict[str, object] = {"returned": do()}
    except BaseException:
        told = {"problem": traceback.format_exc()}
    try:
        _write_all(writer, json.dumps(told).encode())
    finally:
        os._exit(0)


def _write_all(writer: int, data: bytes) -> None:
    while data:
        data = data[os.write(writer, data) :]
