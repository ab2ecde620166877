"""A warm realize, in a process of its own: `held|loose COUNT`; the store is $PYLIGHTNIX_STORE.

`held` passes the collector's gate, notes what it holds and sets a root; `loose` does nothing of that.
Prints seconds of the processor, since a machine with other work to do says nothing by the time that passes.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from bench.links import chain
from pylightnix import realize
from pylightnix.model.holding import Loose
from pylightnix.store.writing import Writer


def main(kind: str, count: int) -> float:
    """Seconds of the processor that a realize of a chain takes."""
    if kind == "loose":
        keeper: Any = Writer
        keeper.holding = lambda self: Loose()
    target = chain(count)
    began = time.process_time()
    realize(target, quiet=True, root="bench" if kind == "held" else None)
    return time.process_time() - began


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
