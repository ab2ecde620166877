"""Python's cyclic garbage collector, paused where very many objects are made and none of them is garbage."""

from __future__ import annotations

import gc


class collector_paused:  # noqa: N801  (used as a function; every stage needs it, and this costs a quarter of a generator)
    """No cyclic collection inside: with 10,000 stages it takes a tenth of a warm realize and finds nothing.

    Not for anything that runs a user's code for long.
    """

    __slots__ = ("_pauses",)

    def __enter__(self) -> None:
        self._pauses = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._pauses:
            gc.enable()
