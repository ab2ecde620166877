"""`python -m faults [--most N] [--jobs N] [--kind KIND]… [OPERATION]…`: the campaign; exits with 1 for any failure.

Without a kind and an operation, all of them and a storm.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from faults.campaign import KINDS, run
from faults.eager import eager
from faults.kinds import Row, table
from faults.operation import Operation
from faults.operations import OPERATIONS
from faults.stand import quick_place
from faults.storm import storm

SHOWN = 20

STORM = 30.0
"""Seconds."""


def main() -> int:
    """Run what was asked for, row by row."""
    asked = _asked()
    operations = [operation for operation in OPERATIONS if not asked.operations or operation.name in asked.operations]
    kinds = asked.kind or [name for name, kind in KINDS.items() if kind.promised]
    with eager(), tempfile.TemporaryDirectory(prefix="faults-", dir=quick_place()) as place:
        rows = _rows(kinds, operations, Path(place), asked)
        if not asked.kind and not asked.operations:
            rows.append(storm(Path(place) / "storm", STORM if asked.most is None else min(STORM, asked.most)))
    print(table(rows))
    failures = [failure for row in rows for failure in row.failures]
    for failure in failures[:SHOWN]:
        print(failure)
    if len(failures) > SHOWN:
        print(f"and {len(failures) - SHOWN} more")
    return 1 if failures else 0


def _rows(kinds: Sequence[str], operations: Sequence[Operation], place: Path, asked: Namespace) -> list[Row]:
    """All rows in their order, some at a time, each told as soon as it is there. They know nothing of each other."""
    forked = multiprocessing.get_context("fork")  # with what `eager` has put in place
    with ProcessPoolExecutor(asked.jobs, mp_context=forked) as processes:
        tried = [
            processes.submit(run, kind, operation, place / f"{kind}-{operation.name}", asked.most)
            for kind in kinds
            for operation in operations
        ]
        for row in as_completed(tried):
            print(table([row.result()]).splitlines()[1], file=sys.stderr, flush=True)
    return [row.result() for row in tried]


def _asked() -> Namespace:
    parser = ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--most", type=int, help="points of each row at most, spread evenly (default all)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="rows at a time (default: one for each processor)"
    )
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="of fault (default all that are promised)")
    names = [operation.name for operation in OPERATIONS]
    parser.add_argument("operations", nargs="*", metavar="OPERATION", help=f"of {', '.join(names)} (default all)")
    asked = parser.parse_args()
    if unknown := set(asked.operations) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
