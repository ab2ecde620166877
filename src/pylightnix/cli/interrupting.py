"""Ctrl-C and SIGTERM: the first one ends a command in order, the second one at once. Unaware of commands.

In order: nothing new starts, builders are ended, what was held is given back, what was finished stays. At once: this
process ends as if it had been killed; the processes of builders end because it is gone, and so do its locks.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import NoReturn

from pylightnix.cli.output import is_terminal

INTERRUPTED = 130

_SHOW_CURSOR = "\x1b[?25h"
_heard = False


def hear() -> None:
    """From now on; a signal that is ignored, as in a job in the background, stays so."""
    global _heard  # noqa: PLW0603
    _heard = False
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):  # not the main thread
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _interrupt)


def _interrupt(*_: object) -> NoReturn:
    global _heard  # noqa: PLW0603
    if _heard:
        _end_at_once()
    _heard = True
    raise KeyboardInterrupt


def _end_at_once() -> NoReturn:
    with contextlib.suppress(OSError):  # by descriptor: the streams may be in use just now
        cursor = _SHOW_CURSOR if is_terminal(sys.stderr) else ""
        os.write(2, f"{cursor}\ninterrupted again: ended at once; what was finished is kept\n".encode())
    os._exit(INTERRUPTED)
