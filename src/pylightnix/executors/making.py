"""Which runs a process is part of: what it, or a process above it, is making just now. Unaware of stores.

So a builder that asks for what itself is to make is told so, instead of waiting for itself.
"""

from __future__ import annotations

import os

_VARIABLE = "PYLIGHTNIX_MAKING"


def making() -> frozenset[str]:
    """The keys of the runs that this process is part of."""
    return frozenset(os.environ.get(_VARIABLE, "").split())


def making_variable(key: str) -> dict[str, str]:
    """The variable that tells a process that makes a run of a key."""
    return {_VARIABLE: " ".join(sorted(making() | {key}))}


def environment_of(key: str) -> dict[str, str]:
    """The environment of this moment, for a process that makes a run of a key."""
    return {**os.environ, **making_variable(key)}
