"""What a matcher is: given the candidates, it chooses or asks for more, and says why. Unaware of stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pylightnix.model.realization import Realization
    from pylightnix.names import RealizationRef


@dataclass(frozen=True, slots=True)
class Reuse:
    """These candidates count, in this order."""

    chosen: tuple[Realization[Any], ...]
    why: str


@dataclass(frozen=True, slots=True)
class Build:
    """The candidates do not do: `count` more runs are wanted."""

    count: int
    why: str


Verdict = Reuse | Build


@runtime_checkable
class Matcher(Protocol):
    """Decides which of the candidates count.

    A matcher is a value: frozen, comparable, printable. `many` says whether what depends on the derivation sees a
    tuple of realizations or one. `match` gets the candidates in a stable order (by reference) and may only return
    some of them. `refuse` is asked before a new realization is registered: a reason refuses it, None lets it in.
    A matcher may have `steady`, which says that `repr` tells all of it and that its verdict follows from the candidates
    alone: then a choice among one candidate need not be made again; and `lenient`, which says that it refuses nothing.
    Without them, the matcher is always asked.
    """

    @property
    def many(self) -> bool: ...
    def match(self, candidates: Sequence[Realization[Any]]) -> Verdict: ...
    def refuse(self, candidates: Sequence[Realization[Any]], new: RealizationRef) -> str | None: ...
