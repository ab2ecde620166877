"""The store as its users see it: what is in it, found by reference, by derivation or by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from pylightnix.errors import UnknownReferenceError
from pylightnix.hashing import DIGITS
from pylightnix.model.realization import Realization
from pylightnix.model.records import Record
from pylightnix.names import DerivationRef, is_prefix, printable
from pylightnix.store.layout import Layout
from pylightnix.store.writing import Writer


class HasRef(Protocol):
    """A derivation, as far as the store is concerned."""

    @property
    def ref(self) -> str: ...


class Store:
    """Immutable results and what is known of them, in one directory, with no server and no database.

    Args:
        path: the directory; absolute from now on. It is created at the first write.

    Raises:
        FormatError: the directory is not a store, or one of a newer format.
    """

    def __init__(self, path: Path | str) -> None:
        self.keeper = Writer(Layout(path))

    @property
    def path(self) -> Path:
        """The store's directory."""
        return Path(self.keeper.layout.root)

    def create(self) -> None:
        """Make the directory a store now instead of at the first write."""
        self.keeper.layout.ensure()

    def realization(self, ref: str) -> Realization[Any]:
        """The realization of this reference, or of this unique prefix of one.

        Raises:
            UnknownReferenceError: nothing, or more than one thing, is named so.
        """
        return Realization(self.record(ref), self.keeper)

    def record(self, ref: str) -> Record:
        """The record of a realization, found like `realization`."""
        if not is_prefix(ref):
            raise UnknownReferenceError(
                f"{printable(repr(ref))} is no reference",
                hint=f"a reference begins with up to {DIGITS} hexadecimal digits",
            )
        found = list(self._matching(ref))
        if len(found) == 1:
            return found[0]
        raise _not_one(ref, [str(record.ref) for record in found], str(self.path))

    def _matching(self, prefix: str) -> Iterator[Record]:
        digits, _, name = prefix.partition("-")
        complete = len(digits) == DIGITS
        for home in self.keeper.homes():
            if not home.name.startswith(name):
                continue
            for entry in self.keeper.entries(home):
                if entry.startswith(digits) and (complete or len(prefix) <= DIGITS):
                    record = self.keeper.record_at(home, entry)
                    if record is not None:
                        yield record

    def realizations(self, derivation: HasRef | None = None, *, name: str | None = None) -> list[Realization[Any]]:
        """The realizations of a derivation, of all derivations of a name, or all, in a stable order."""
        if derivation is None:
            return [Realization(record, self.keeper) for record in self.keeper.records(name)]
        ref = DerivationRef.parse(derivation.ref)
        return [
            Realization(record, self.keeper, context)
            for record in self.keeper.records(ref.name)
            for context in [next((c for c in self.keeper.contexts(record) if c.derivation == ref), None)]
            if context is not None
        ]

    def derivations(self) -> list[DerivationRef]:
        """The references of all derivations in the store."""
        return self.keeper.derivations()

    def remove(self, ref: str | Realization[Any]) -> None:
        """Remove a realization, artifacts and record. Its run indices, and so its seeds, are not used again."""
        self.keeper.remove(ref.record if isinstance(ref, Realization) else self.record(ref))

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)


def _not_one(prefix: str, found: list[str], where: str) -> UnknownReferenceError:
    if not found:
        return UnknownReferenceError(
            f"nothing is named {prefix}", where=where, hint="pylightnix ls shows what there is", ref=prefix
        )
    shown = ", ".join(found[:5]) + (" …" if len(found) > 5 else "")
    return UnknownReferenceError(
        f"{prefix} names {len(found)} realizations",
        where=where,
        hint=f"give more digits: {shown}",
        ref=prefix,
        found=found,
    )
