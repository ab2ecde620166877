"""SIGKILL just before each change, and again just before each change of the recovery. Unaware of other faults."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from faults.children import in_child
from faults.kinds import Row
from faults.points import Watch
from faults.soundness import debris
from faults.stand import Stand, spread

PAIRS = 200
"""Pairs of deaths beyond which those of the second death are spread, in a full campaign."""


def kill(stand: Stand, most: int | None = None) -> Row:
    """One death at each point, or at so many."""
    row = Row("kill", stand.operation.name, stand.calls)
    for point in spread(stand.calls, most):
        path = stand.fresh()
        wrong = _die(stand, path, point) or stand.visible(path) or stand.recover(path)
        left = len(debris(path))
        row.add(f"change {point}", wrong or stand.swept(path), left)
        stand.discard(path)
    return row


def kill_again(stand: Stand, most: int | None = None) -> Row:
    """A death at each point, and after each of them one at each point of the recovery; or at so many pairs."""
    row = Row("kill again", stand.operation.name, stand.calls)
    first = spread(stand.calls, most and max(2, most // 4))
    allowed = most or PAIRS
    for point in first:
        died = stand.fresh()
        wrong = _die(stand, died, point)
        calls = _recovery(stand, died)
        for second in spread(calls, max(2, allowed // len(first))):
            path = stand.copy(died)
            wrong = wrong or _die(stand, path, second) or stand.visible(path) or stand.recover(path)
            left = len(debris(path))
            row.add(f"changes {point} and {second}", wrong or stand.swept(path), left)
            stand.discard(path)
        stand.discard(died)
    return row


def _recovery(stand: Stand, died: Path) -> int:
    """How many changes it takes to do it again."""
    path = stand.copy(died)
    watch = Watch(path.parent, foreign=True)
    ended = in_child(lambda: watch.count(lambda: stand.do(path)))
    stand.discard(path)
    return int(ended.told or 0)


def _die(stand: Stand, path: Path, point: int) -> str:
    """Do it in a process that dies at a point; what is wrong with that, empty if it died there."""
    watch = Watch(path.parent, foreign=True)

    def act() -> None:
        watch.disturb(point, lambda name, about: os.kill(os.getpid(), signal.SIGKILL), lambda: stand.do(path))

    ended = in_child(act)
    return "" if ended.killed else f"it was not killed: {ended.problem or 'it came to its end'}"
