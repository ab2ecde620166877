"""Ctrl-C and SIGTERM: the first one ends a command in order, the second one at once. Unaware of commands.

In order: nothing new starts, builders are ended, what was held is given back, what was finished stays. At once: this
process ends as if it had been killed; the processes of builders end because it is gone, and so do its locks.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from pylightnix.cli.output import is_terminal

INTERRUPTED = 130

_SHOW_CURSOR = "\x1b[?25h"
_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_heard = False
_over = False


Handlers = Mapping[signal.Signals, Any]
"""What a process does with some signals."""


def hear() -> Handlers:
    """From now on; a signal that is ignored, as in a job in the background, stays so. Gives what was done before."""
    global _heard, _over  # noqa: PLW0603
    _heard = _over = False
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    for number, handler in before.items():
        with contextlib.suppress(ValueError):  # not the main thread
            if handler != signal.SIG_IGN:
                signal.signal(number, _interrupt)
    atexit.register(_ignore)  # as the first, so that it is called last
    return before


def give_back(before: Handlers) -> None:
    """The command is over, and the process goes on: signals are its own again."""
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) is _interrupt:  # one that Python did not set is not known
            signal.signal(number, handler)


def let_end() -> None:
    """The command is over, and the process too: a signal interrupts nothing from now on; two still end it."""
    global _over  # noqa: PLW0603
    _over = True


def is_behind(error: BaseException | None) -> bool:
    """Whether an error is what Python, or somebody's code, has made of the interruption."""
    while _heard and error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _interrupt(*_: object) -> None:
    global _heard  # noqa: PLW0603
    if _heard:
        _end_at_once()
    _heard = True
    if not _over:
        raise KeyboardInterrupt


def _ignore() -> None:
    """Python gives its signals back to the system before it takes its modules apart, and they would kill it."""
    for number in _NUMBERS:
        if signal.getsignal(number) is _interrupt:
            signal.signal(number, signal.SIG_IGN)


def _end_at_once() -> NoReturn:
    with contextlib.suppress(OSError):  # by descriptor: the streams may be in use just now
        cursor = _SHOW_CURSOR if is_terminal(sys.stderr) else ""
        os.write(2, f"{cursor}\ninterrupted again: ended at once; what was finished is kept\n".encode())
    os._exit(INTERRUPTED)
