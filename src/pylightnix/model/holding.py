"""How those who make keep from being collected what they have chosen. Pure: a contract.

What is seen to be there while `looking`, and added before that ends, stays until `release`, or until this process
ends, however it ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from pylightnix.names import RealizationRef


class Holding(Protocol):
    """What one realize holds."""

    def looking(self) -> AbstractContextManager[None]:
        """While inside, nothing is collected; what was added by the end of it is held afterwards."""
        ...

    def add(self, refs: Iterable[RealizationRef]) -> None:
        """Hold these, from the end of the `looking` that one is in."""
        ...

    def release(self) -> None:
        """Hold nothing any more. The second time does nothing."""
        ...


class Loose:
    """Holds nothing: for those who only look."""

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        yield

    def add(self, refs: Iterable[RealizationRef]) -> None: ...
    def release(self) -> None: ...
