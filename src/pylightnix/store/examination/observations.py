"""What an examination observes, and how bad it is. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How bad it is."""

    GOOD = "good"
    """As it should be."""
    NOTE = "note"
    """Worth knowing; everything works."""
    WRONG = "wrong"
    """Something does not work, or is not safe."""


class Observation(NamedTuple):
    """One thing that was looked at.

    Attributes:
        topic: what was looked at, in a word or two.
        level: how bad it is.
        what: what was found.
        where: the file or directory; empty if it is the store as a whole.
        hint: what to do; empty if there is nothing to do.
    """

    topic: str
    level: Level
    what: str
    where: str = ""
    hint: str = ""
