"""What verifying finds: kinds of damage, each at its place. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pylightnix.names import KeyRef, RealizationRef


class Kind(StrEnum):
    """What is wrong, by what it takes to mend it."""

    MODE = "mode"
    """An artifact is not read-only."""
    ARTIFACTS = "artifacts"
    """An artifact is not what was registered."""
    RECORD = "record"
    """The record cannot be used: so there is no realization."""
    MANIFEST = "manifest"
    """The list of artifacts cannot be used."""
    RUN = "run"
    """The document of a run cannot be used."""
    CONTEXT = "context"
    """The document of a context cannot be used."""
    DERIVATION = "derivation"
    """A derivation's document cannot be used, or is not there and is needed."""
    ENVIRONMENT = "environment"
    """The description of an environment cannot be used, or is not there and is needed."""


class Finding(NamedTuple):
    """One damage.

    Attributes:
        kind: which.
        file: its path below the store.
        what: what is wrong with it.
        ref: the realization that it is part of, if it is.
        home: the key of that realization.
    """

    kind: Kind
    file: str
    what: str
    ref: RealizationRef | None = None
    home: KeyRef | None = None

    def line(self) -> str:
        """One line for people."""
        owner = f"{self.ref.short} {self.ref.name}: " if self.ref is not None else ""
        return f"{owner}{self.file}: {self.what}"
