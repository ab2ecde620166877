"""Signal handlers, blocked signals and the alarm of this process: noted before a builder runs, put back after it.

Unaware of builders.
"""

from __future__ import annotations

import operator
import signal
import threading
from typing import Any

try:
    import _signal as plain  # type: ignore[import-not-found]  # many times as fast: it makes no enumerations
except ImportError:
    plain = signal

_NUMBERS = sorted(map(int, signal.valid_signals()))
_HAS_MASK = hasattr(signal, "pthread_sigmask")
_HAS_ALARM = hasattr(signal, "setitimer")
_BLOCK = int(getattr(signal, "SIG_BLOCK", 0))


class Handlers:
    """What the process does with signals at this moment. A handler that was not set by Python is not known."""

    def __init__(self) -> None:
        self._handlers: list[Any] = list(map(plain.getsignal, _NUMBERS))
        self._blocked = plain.pthread_sigmask(_BLOCK, ()) if _HAS_MASK else set()
        self._alarm = _HAS_ALARM and signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0)

    def restore(self) -> None:
        """Put everything back. A new alarm is called off first; of an alarm that was set before, nothing is known."""
        if _HAS_ALARM and not self._alarm and signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0):
            signal.setitimer(signal.ITIMER_REAL, 0)
        if threading.current_thread() is threading.main_thread():  # else Python sets no handler
            found = list(map(plain.getsignal, _NUMBERS))
            if any(map(operator.is_not, found, self._handlers)):
                self._put_back(found)
        if _HAS_MASK and plain.pthread_sigmask(_BLOCK, ()) != self._blocked:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)

    def _put_back(self, found: list[Any]) -> None:
        for number, before, now in zip(_NUMBERS, self._handlers, found, strict=True):
            if now is not before and before is not None:
                signal.signal(number, before)
