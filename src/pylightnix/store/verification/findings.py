"""What verifying finds and repairing does: kinds of damage, each at its place, and what became of it. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pylightnix.names import KeyRef, RealizationRef, printable


class Kind(StrEnum):
    """What is wrong, by what it takes to mend it; what others need comes first."""

    RIGHTS = "rights"
    """It is there, and we may not read it: nothing is known about it."""
    NEWER = "newer"
    """A document of a version that this version of the package does not know: it may be right."""
    RECORD = "record"
    """The record cannot be used, or says what is not so."""
    ARTIFACTS = "artifacts"
    """An artifact is not what was registered."""
    MODE = "mode"
    """An artifact is not read-only."""
    MANIFEST = "manifest"
    """The list of artifacts cannot be used."""
    KEPT = "kept"
    """What a collection kept of the artifacts is not what was promised."""
    RUN = "run"
    """The document of a run cannot be used."""
    CONTEXT = "context"
    """The document of a context cannot be used."""
    INDEX = "index"
    """The mark is not there that says that the index of a run is used."""
    ORIGIN = "origin"
    """No document is left that says what it was made from."""
    DERIVATION = "derivation"
    """A derivation's document cannot be used, or is not there and is needed."""
    ENVIRONMENT = "environment"
    """The description of an environment cannot be used, or is not there and is needed."""
    NEEDED = "needed"
    """A context is not there that others name."""
    ROOT = "root"
    """A root cannot be read, or leads to what is not there."""
    REMOTES = "remotes"
    """The list of remotes cannot be used."""


class Finding(NamedTuple):
    """One damage.

    Attributes:
        kind: which.
        file: its path below the store, as the file system has it.
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
        return printable(f"{owner}{self.file}: {self.what}")


class Outcome(StrEnum):
    """What became of a damage."""

    RESTORED = "restored"
    """All is again as it was."""
    FETCHED = "fetched"
    """It came again from another place."""
    QUARANTINED = "quarantined"
    """What is damaged lies in quarantine, and the next realize makes anew what it needs."""
    LEFT = "left"
    """Nothing could be done."""


class Repair(NamedTuple):
    """What was done about one damage.

    Attributes:
        finding: the damage.
        outcome: what became of it.
        what: the same in words, with what to do next.
        place: where in the store the damaged thing lies now; empty if it was not moved.
    """

    finding: Finding
    outcome: Outcome
    what: str
    place: str = ""

    def line(self) -> str:
        """One line for people."""
        return f"{self.outcome}: {self.finding.line()}; {self.what}"
