"""`python -m bench [--scale 0.1] [NAME …]`: measures against floors of the same run and prints the table."""

from __future__ import annotations

import platform
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import chain, durability, engines, imports, matching, parallel, remotes, trees, undeclared, upkeep
from bench.chain import discard
from bench.rows import Row, holds, table

GROUPS: Mapping[str, Callable[[float, Path], list[Row]]] = {
    "chain": chain.measure,
    "durability": durability.measure,
    "engines": engines.measure,
    "imports": lambda scale, place: imports.measure(imports.TIMES if scale >= 0.1 else 3),
    "matching": matching.measure,
    "parallel": parallel.measure,
    "remotes": remotes.measure,
    "trees": lambda scale, place: trees.measure(scale),
    "undeclared": undeclared.measure,
    "upkeep": upkeep.measure,
}


def main() -> None:
    """Measure what was asked for, one group after the other."""
    parser = ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="factor on all sizes (default 1; 0.1 is a quick sample)"
    )
    parser.add_argument("groups", nargs="*", metavar="NAME", help=f"of {', '.join(GROUPS)} (default all)")
    asked = parser.parse_args()
    unknown = set(asked.groups) - GROUPS.keys()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    print(f"Python {platform.python_version()}, {platform.python_compiler()}, {platform.machine()}", flush=True)
    place = Path(tempfile.mkdtemp(prefix="bench-"))
    missed = 0
    try:
        for name in asked.groups or GROUPS:
            rows = GROUPS[name](asked.scale, place)
            print(table(rows), end="\n\n", flush=True)
            missed += sum(not holds(row) for row in rows)
    finally:
        discard(place)
    print(f"{missed} limits missed" if missed else "all limits hold")
    if asked.scale != 1:
        print(f"(limits are meant for scale 1; this was {asked.scale:g})")


if __name__ == "__main__":
    main()
