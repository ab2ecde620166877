"""What was chosen in an earlier realize, in the form in which a later one may take it over. Pure: a contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from pylightnix.model.records import InputChoice
from pylightnix.names import DerivationRef


class Remembered(NamedTuple):
    """A choice, and what a keeper needs to see at once that it would be made again.

    Attributes:
        choice: what was chosen.
        why: the reason.
        stamp: what the keeper saw of the key; None where it cannot vouch for the choice, which is then made anew.
    """

    choice: InputChoice
    why: str
    stamp: tuple[int, int] | None = None


class Made(NamedTuple):
    """A choice that is to be remembered; `lone` says that it was the only candidate, of a matcher that is steady."""

    derivation: DerivationRef
    remembered: Remembered
    lone: bool


class Memory(Protocol):
    """A keeper's memory of whole closures. It may forget at any time, and must not be wrong."""

    def recall(self, closure: str) -> Mapping[str, Remembered]:
        """What was chosen when this closure was last realized, by derivation; nothing if that is not known."""
        ...

    def still_holds(self, remembered: Remembered) -> bool:
        """Whether the key has the same one candidate as when the stamp was taken, and its artifacts are there."""
        ...

    def remember(self, closure: str, made: Iterable[Made]) -> None:
        """Note what was chosen; a store that cannot be written remembers nothing."""
        ...
