"""How slowly something may come from a remote: a byte now and then would hold us for ever. Unaware of what comes."""

from __future__ import annotations

import time

IDLE = 30.0
"""Seconds in which nothing may come, and after which `SLOWEST` counts."""

SLOWEST = 1024.0
"""Bytes a second."""


class Pace:
    """Counts what comes and goes since something was asked.

    Args:
        idle: seconds in which nothing may come; default `IDLE`.
    """

    def __init__(self, idle: float | None = None) -> None:
        self._idle = idle
        self.begin()

    def begin(self) -> None:
        """Something new is asked."""
        self._since = time.monotonic()
        self.moved = 0

    def count(self, size: int) -> None:
        """So many bytes have come, or gone.

        Raises:
            TimeoutError: they are too few for the time that has passed.
        """
        self.moved += size
        passed = time.monotonic() - self._since
        idle = IDLE if self._idle is None else self._idle
        if passed > idle and self.moved < SLOWEST * (passed - idle):
            raise TimeoutError(f"it comes too slowly: {self.moved} bytes in {passed:.0f} s")
