"""`python -m faults [--most N] [--kind KIND]… [OPERATION]…`: the campaign; exits with 1 if a fault was taken badly.

Without a kind and an operation, all of them and a storm.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

from faults.campaign import KINDS, run
from faults.eager import eager
from faults.kinds import table
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
    rows = []
    with eager(), tempfile.TemporaryDirectory(prefix="faults-", dir=quick_place()) as place:
        for kind in asked.kind or [name for name, kind in KINDS.items() if kind.promised]:
            for operation in operations:
                row = run(kind, operation, Path(place) / f"{kind}-{operation.name}", asked.most)
                print(table([row]).splitlines()[1], file=sys.stderr, flush=True)
                rows.append(row)
        if not asked.kind and not asked.operations:
            rows.append(storm(Path(place) / "storm", STORM if asked.most is None else min(STORM, asked.most)))
    print(table(rows))
    failures = [failure for row in rows for failure in row.failures]
    for failure in failures[:SHOWN]:
        print(failure)
    if len(failures) > SHOWN:
        print(f"and {len(failures) - SHOWN} more")
    return 1 if failures else 0


def _asked() -> Namespace:
    parser = ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--most", type=int, help="points of each row at most, spread evenly (default all)")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="of fault (default all that are promised)")
    names = [operation.name for operation in OPERATIONS]
    parser.add_argument("operations", nargs="*", metavar="OPERATION", help=f"of {', '.join(names)} (default all)")
    asked = parser.parse_args()
    if unknown := set(asked.operations) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
