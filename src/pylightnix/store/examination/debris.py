"""What processes that are gone have left in a store, and what lies there for people. Counts, and removes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pylightnix.store.checkpoints import is_alive
from pylightnix.store.claims import Claims
from pylightnix.store.examination.observations import Level, Observation
from pylightnix.store.files import ID
from pylightnix.store.layout import Layout

_GC = "a collection removes it, with whatever scope; while no process works with the store it can be deleted by hand"


def debris(layout: Layout) -> Iterator[Observation]:
    """What nobody will use any more, each kind with its number."""
    dead = _of_the_dead(layout.tmp)
    if dead:
        what = f"{dead} unfinished things of processes that are not on this machine any more"
        yield Observation("debris", Level.NOTE, what, layout.tmp, _GC)
    slots = Claims(layout.locks).count_dead()
    if slots:
        yield Observation(
            "debris", Level.NOTE, f"{slots} locks of the dead", layout.locks, "the next builds remove them"
        )
    for topic, place, what in (
        ("failures", layout.failed, "failed runs are kept"),
        ("quarantine", layout.quarantine, "damaged things lie in quarantine"),
    ):
        if count := len(_listed(place)):
            yield Observation(topic, Level.NOTE, f"{count} {what}", place, "look at them, then delete them")
    if not dead and not slots:
        yield Observation("debris", Level.GOOD, "nothing of dead processes is left", layout.tmp)


def _of_the_dead(tmp: str) -> int:
    owners = {found[0]: int(found[1]) for name in _listed(tmp) if (found := ID.match(name)) is not None}
    return sum(not is_alive(process) for process in owners.values())


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
