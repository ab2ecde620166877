"""The command line `pylightnix`: the library's verbs for people and shell scripts. It decides nothing by itself.

Nothing beyond click is imported before a command is chosen; the module of a command is imported when it is used.
Nothing at all is imported before Ctrl-C is heard.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all else up to here
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """What the installed command calls: does what the arguments say and ends the process with an exit code."""
    _end_when_interrupted()
    from pylightnix.cli.commands import pylightnix
    from pylightnix.cli.ending import run
    from pylightnix.cli.interrupting import INTERRUPTED

    try:
        status = run(pylightnix, sys.argv[1:], last=True)
    except KeyboardInterrupt:  # before it heard of that itself, or after
        status = INTERRUPTED
    _forget_interruption()
    sys.exit(status)


def _forget_interruption() -> None:
    """What interrupts a text that is executed, as a new named tuple is, else lets Python end by SIGINT in our place."""
    exec("")


def _end_when_interrupted() -> None:
    """While nothing is held there is nothing to give back: until a command hears of Ctrl-C, that ends the process."""
    # `signal` makes enumerations of it, for a moment in which it would not be heard
    import _signal  # type: ignore[import-not-found]
    import os

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # else it is ignored, or somebody's own
        _signal.signal(_signal.SIGINT, lambda *_: os._exit(130))
