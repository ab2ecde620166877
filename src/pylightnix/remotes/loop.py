"""A loop of asyncio in a thread of its own, for calls that let no signal through and may hang for minutes.

What is called is waited for in Python, where signals get to, and is really given up when nobody wants it any more: no
thread stays behind in native code, which would meet the end of the interpreter there. Unaware of what is called.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

R = TypeVar("R")

PARTING = 1.0
"""Seconds that what is given up gets to end."""

_all: weakref.WeakSet[Loop] = weakref.WeakSet()


class Loop:
    """Runs coroutines for any number of threads; made when it is first used, and anew after `close` or a fork."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._running: tuple[asyncio.AbstractEventLoop, threading.Thread, int] | None = None
        _all.add(self)

    def call(self, do: Callable[[], Coroutine[Any, Any, R]]) -> R:
        """What a coroutine gives, or what it raises; it is cancelled if whoever waits is interrupted.

        Raises:
            CancelledError: this was closed meanwhile.
        """
        future = asyncio.run_coroutine_threadsafe(do(), self._loop())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _loop(self) -> asyncio.AbstractEventLoop:
        with self._mutex:
            if self._running is None or self._running[2] != os.getpid():
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_run, args=(loop,), name="pylightnix-loop", daemon=True)
                self._running = loop, thread, os.getpid()
                thread.start()
            return self._running[0]

    def close(self) -> None:
        """Cancel what is under way."""
        with self._mutex:
            running, self._running = self._running, None
        if running is None or running[2] != os.getpid():
            return
        loop, thread, _ = running
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            asyncio.run_coroutine_threadsafe(_end(), loop)
        thread.join(PARTING)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _end() -> None:
    loop = asyncio.get_running_loop()
    others = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for one in others:
        one.cancel()
    if others:
        await asyncio.wait(others, timeout=PARTING / 2)
    loop.call_soon(loop.stop)


@atexit.register
def _close_all() -> None:
    """What still hangs is given up before the interpreter ends."""
    for one in list(_all):
        one.close()
