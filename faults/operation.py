"""What an operation of a campaign is. Unaware of which there are.

An act may be done again after whatever happened to it, and then leaves what it leaves undisturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pylightnix import Store

Act = Callable[[Store], object]
"""What it returns is what it has in hand; the artifacts of realizations among that must be there."""


def nothing(store: Store) -> None:
    """Leave it as it is."""


class Operation(NamedTuple):
    """Something that is done to a store.

    Attributes:
        name: of it.
        act: does it.
        prepare: makes the store that it begins with.
        holds: raises unless the store, after all, is as it must be; beside what must hold of every store.
        rival: what another process does meanwhile, beside verifying; None: the same.
        differs: whether results differ with the index of their run, so that only their number can be foretold.
        spare: runs of a realization that may be missing in the end, since they were made and not noted.
        thin: stages of which the artifacts may be gone, since it collects them.
        lasts: whether all results must be there after power was lost once it had returned.
    """

    name: str
    act: Act
    prepare: Act = nothing
    holds: Act = nothing
    rival: Act | None = None
    differs: bool = False
    spare: int = 0
    thin: tuple[str, ...] = ()
    lasts: bool = True
