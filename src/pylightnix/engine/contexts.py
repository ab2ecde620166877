"""The contexts of a plan by their hashes; those of choices that were taken over are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pylightnix.model.closure import Pinned
from pylightnix.model.records import Context


class Contexts(Mapping[str, Context]):
    """A mapping from hashes to contexts.

    Args:
        make: gives the context of a derivation whose inputs are chosen.
    """

    def __init__(self, make: Callable[[Pinned], Context]) -> None:
        self._make = make
        self._known: dict[str, Context | Pinned] = {}

    def add(self, context: Context) -> None:
        """A context that is at hand."""
        self._known[context.hash] = context

    def expect(self, digest: str, pinned: Pinned) -> None:
        """A context that can be made: this derivation's."""
        self._known.setdefault(digest, pinned)

    def __getitem__(self, digest: str) -> Context:
        found = self._known[digest]
        if isinstance(found, Pinned):
            found = self._known[digest] = self._make(found)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
