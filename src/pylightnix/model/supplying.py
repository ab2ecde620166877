"""Other places where results may be had instead of being made: what those who make need of them. Pure: a contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from pylightnix.model.records import Record
from pylightnix.model.shelf import Shelf
from pylightnix.names import KeyRef


class Supply(Protocol):
    """Other places, for one walk over a closure. What goes wrong there is told elsewhere: nothing is had then.

    Attributes:
        there: whether there is any.
    """

    there: bool

    def seek(self, keys: Mapping[KeyRef, str]) -> None:
        """Ask all places for candidates under these keys (full, by home), at once.

        In a walk that may write, the keeper has their records afterwards; in one that looks, `candidates` gives them.
        """
        ...

    def candidates(self, home: KeyRef) -> Sequence[tuple[Record, Shelf]]:
        """Those that were found under a key and of which the keeper does not have all, each with what knows more."""
        ...

    def whence(self, record: Record) -> str:
        """Where the artifacts of a realization can be had, as people are told; empty if nowhere that was asked."""
        ...

    def fetch(self, records: Iterable[Record]) -> None:
        """Bring artifacts to the keeper, as far as that can be done."""
        ...


class Nowhere:
    """There is no other place."""

    there = False

    def seek(self, keys: Mapping[KeyRef, str]) -> None:
        """Nothing is found."""

    def candidates(self, home: KeyRef) -> Sequence[tuple[Record, Shelf]]:
        """None."""
        return ()

    def whence(self, record: Record) -> str:
        """From nowhere."""
        return ""

    def fetch(self, records: Iterable[Record]) -> None:
        """Nothing comes."""


NOWHERE: Supply = Nowhere()
