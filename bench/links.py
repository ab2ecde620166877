"""No-op stages in a chain and in a fan, by the public interface alone. Run as a script: prints the seconds it took.

Usage: links.py chain|fan COUNT; the store is $PYLIGHTNIX_STORE.
"""

from __future__ import annotations

import sys
import time

from pylightnix import Dep, Derivation, realize, stage


@stage
def link(before: Dep | None, i: int) -> None:
    """Does nothing."""


@stage
def gather(parts: list[Dep]) -> None:
    """Does nothing with many inputs."""


def chain(count: int) -> Derivation[None]:
    """Each link has the one before as its input."""
    last = link(None, 0)
    for i in range(1, count):
        last = link(last, i)
    return last


def fan(count: int) -> Derivation[None]:
    """All links have one and the same input, and one stage takes them all."""
    source = link(None, -1)
    return gather([link(source, i) for i in range(count)])


if __name__ == "__main__":
    shape = {"chain": chain, "fan": fan}[sys.argv[1]]
    began = time.perf_counter()
    realize(shape(int(sys.argv[2])))
    print(time.perf_counter() - began)
