"""Processes that die at one of their changes of files, to see what they leave."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable

from pylightnix.store import changes

EVERY = int(os.environ.get("PYLIGHTNIX_KILLS", "9"))
"""Of how many changes one is fatal; 1 tries all."""


def dies_at(last: int, work: Callable[[], object]) -> bool:
    """Do it in a child that is killed before it makes its change of this number; whether it died."""
    pid = os.fork()
    if pid == 0:
        left = iter(range(last))

        def die(*_: object) -> None:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            with changes.observed(die):
                work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or status == 0, "it failed instead of dying"
    return os.WIFSIGNALED(status)
