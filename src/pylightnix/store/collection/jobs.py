"""Places of Slurm's jobs that nobody will ask for: who waits for one has it locked, who works in one touches it.

A result that was left there is taken by the next realize of the same, so it is kept as long as failed runs are. A job
that finds its place gone ends at once. Unaware of jobs.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from pylightnix.clock import now
from pylightnix.hashing import DIGITS
from pylightnix.store import changes
from pylightnix.store.files import ID, fresh_id
from pylightnix.store.layout import Layout
from pylightnix.store.locks import held, is_free
from pylightnix.store.removal import remove_tree

FEWEST_DAYS = 1.0
"""Even where failed runs are not kept: a job may be queued, and whoever waits for it be on the way back."""

_FORM = re.compile(rf"[0-9a-f]{{{DIGITS}}}-[0-9]{{1,9}}-{ID.pattern}")
_DESK = ".desk"


def abandoned_places(layout: Layout, days: float) -> Iterator[str]:
    """The paths of those to which nothing has happened for so many days, and that nobody has locked."""
    limit = now() - max(days, FEWEST_DAYS) * 86_400
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(f"{layout.tmp}/slurm")):
            path = f"{layout.tmp}/slurm/{name}"
            with contextlib.suppress(OSError):
                if _FORM.fullmatch(name) and _last_change(path) <= limit and is_free(f"{path}/lock"):
                    yield path


def remove_place(layout: Layout, path: str) -> bool:
    """Remove one, so that nobody can ask for it meanwhile; whether that was done.

    Raises:
        StoreError: something in it cannot be removed.
        OSError: it cannot be moved away.
    """
    away = f"{layout.tmp}/{fresh_id()}"
    with held(f"{path}/lock", wait=False) as ours:
        if not ours:
            return False
        changes.move(path, away)
    remove_tree(away)
    return True


def _last_change(path: str) -> float:
    """Of the place, its files, and the files of its desk, which a job at work touches."""
    times = [os.lstat(path).st_mtime]
    for entry in os.scandir(path):
        times.append(entry.stat(follow_symlinks=False).st_mtime)
        if entry.name.endswith(_DESK):
            times += [inner.stat(follow_symlinks=False).st_mtime for inner in os.scandir(entry.path)]
    return max(times)
