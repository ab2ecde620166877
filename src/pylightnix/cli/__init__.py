"""The command line `pylightnix`: the library's verbs for people and shell scripts. It decides nothing by itself.

Nothing beyond click is imported before a command is chosen; the module of a command is imported when it is used.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from pylightnix.cli.commands import pylightnix
from pylightnix.cli.ending import run


def main() -> NoReturn:
    """What the installed command calls: does what the arguments say and ends the process with an exit code."""
    sys.exit(run(pylightnix, sys.argv[1:], last=True))
