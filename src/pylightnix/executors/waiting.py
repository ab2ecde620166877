"""Whether the process that waits for a run is still there, as a worker elsewhere can tell. Unaware of runs and engines.

On the same machine its number says it. From another one nobody sees it: there it lets itself be heard, and long silence
says it. A machine that slept for so long has lost its runs, as it has lost its connection to the engine.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from collections.abc import Callable

from pylightnix.executors.desk import Desk

BEAT = 20.0
"""Seconds between two signs of life."""

SILENCE = 300.0
"""Seconds without one after which nobody waits: many times what network file systems take to show a change."""

_POOLS = ("multiprocessing", "concurrent", "loky")
_WAITING = ("selectors", "threading", "queue")
_LOOK = 1.0


@functools.cache
def _place() -> str:
    """Where numbers of processes mean the same; empty where that cannot be told."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _began(pid: int) -> str:
    """When a process began, which tells it from others that had its number; empty if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            words = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if words[0] in (b"Z", b"X") else words[19].decode()


def waiter() -> tuple[str, int, str]:
    """This process, for `is_gone`."""
    return _place(), os.getpid(), _began(os.getpid())


class Waiter:
    """Who waits for a run, seen from its worker.

    Args:
        told: what `waiter` gave there; None if the run is to outlast it.
        desk: where it lets itself be heard.
        clock: seconds.
    """

    def __init__(
        self, told: tuple[str, int, str] | None, desk: Desk, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._told = told
        self._desk = desk
        self._clock = clock
        self._heard: float | None = None
        self._since = clock()

    def is_gone(self) -> bool:
        """Whether nobody waits any more."""
        if self._told is None:
            return False
        place, pid, began = self._told
        if place and place == _place():
            return _began(pid) != began
        heard = self._desk.heard()
        if heard != self._heard:
            self._heard, self._since = heard, self._clock()
        return heard is not None and self._clock() - self._since > SILENCE

    def keep_the_desk(self) -> None:
        """Where nobody need wait, let whoever clears up see that there is a run; call it often."""
        if self._told is None and self._clock() - self._since >= BEAT:
            self._since = self._clock()
            self._desk.beat(first=True)

    def end_pool_with_it(self) -> None:
        """End this process when that one has ended, if it is a worker of a pool there, and has nothing else to do.

        Python's pools do not see to that: their workers wait for ever.
        """
        if self._told is not None and self._told[0] == _place() != "" and self._told[1] == _parent():
            _watch_parent(*self._told[1:])


def _parent() -> int:
    """Whose worker this process is; a server that forks workers does it for somebody else."""
    multiprocessing = sys.modules.get("multiprocessing")
    parent = multiprocessing.parent_process() if multiprocessing is not None else None
    return os.getppid() if parent is None or parent.pid is None else int(parent.pid)


@functools.cache
def _watch_parent(pid: int, began: str) -> None:
    def watch() -> None:
        while _began(pid) == began or not _is_idle(main):
            time.sleep(_LOOK)
        os._exit(1)

    main = threading.main_thread().ident
    threading.Thread(target=watch, name="pylightnix-parent", daemon=True).start()


def _is_idle(thread: int | None) -> bool:
    """Whether a thread waits for what a pool gives it."""
    frame = sys._current_frames().get(thread or 0)
    while frame is not None and frame.f_globals.get("__name__") in _WAITING:
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _POOLS
