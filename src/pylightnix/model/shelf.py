"""What reading a realization needs of the store that keeps it. Unaware of files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pylightnix.model.records import Context, InputChoice, Record, Run
from pylightnix.names import DerivationRef


class Shelf(Protocol):
    """What reading a realization needs of the store that keeps it."""

    def payload(self, record: Record) -> Path:
        """The directory of the artifacts; it need not exist any more."""
        ...

    def present(self, record: Record) -> bool:
        """Whether the artifacts are there."""
        ...

    def runs(self, record: Record) -> tuple[Run, ...]:
        """All runs that gave this realization, oldest first."""
        ...

    def files(self, record: Record) -> tuple[str, ...]:
        """The relative names of all files and links."""
        ...

    def log(self, record: Record, run: Run) -> str:
        """What a run wrote."""
        ...

    def origin(self, record: Record) -> Context:
        """The context of the run that first made this realization."""
        ...

    def context(self, record: Record, digest: str) -> Context:
        """A context of this realization."""
        ...

    def chosen(self, choice: InputChoice) -> tuple[Record, ...]:
        """The records that a choice names."""
        ...

    def derivation(self, ref: DerivationRef) -> Mapping[str, Any]:
        """The document of a derivation."""
        ...

    def kept(self, record: Record, name: str) -> Path | None:
        """Where one promised file is, if it is there and the other artifacts are not."""
        ...

    def fetch(self, record: Record, name: str | None) -> Path:
        """Where one promised file is, or all artifacts are, after they were had from elsewhere if need be."""
        ...

    def artifact(self, path: Path) -> bytes:
        """The bytes of a small artifact."""
        ...
