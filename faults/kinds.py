"""What a campaign of one kind of fault against one operation comes to: a row of the table. Unaware of the kinds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Row:
    """How it went.

    Attributes:
        fault: the kind of fault.
        operation: what was disturbed.
        calls: changes that the operation makes when nothing disturbs it.
        points: disturbances that were tried.
        failures: for each that the store did not take well: where it was, and what was wrong.
        left: the most names that were left in `tmp/` and `locks/` for a collection.
    """

    fault: str
    operation: str
    calls: int
    points: int = 0
    failures: list[str] = field(default_factory=list)
    left: int = 0
    seconds: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    def merge(self, points: int, failures: list[str]) -> None:
        """What another process tried for this row."""
        self.points += points
        self.failures += failures
        self.seconds = time.monotonic() - self._began

    def add(self, where: str, wrong: str, left: int = 0) -> None:
        """One more point; `wrong` is empty if all is well."""
        self.points += 1
        self.left = max(self.left, left)
        self.seconds = time.monotonic() - self._began
        if wrong:
            self.failures.append(f"{self.fault}, {self.operation}, {where}: {wrong}")


def table(rows: list[Row]) -> str:
    """For people."""
    width = max(len(row.operation) for row in rows)
    kind = max(len(row.fault) for row in rows)
    lines = [f"{'fault':{kind}}  {'operation':{width}}  calls  points  failures  left  seconds"]
    lines += [
        f"{row.fault:{kind}}  {row.operation:{width}}  {row.calls:5}  {row.points:6}  {len(row.failures):8}"
        f"  {row.left:4}  {row.seconds:7.1f}"
        for row in rows
    ]
    points, failures = sum(row.points for row in rows), sum(len(row.failures) for row in rows)
    lines.append(
        f"{'all':{kind}}  {'':{width}}         {points:6}  {failures:8}        {sum(r.seconds for r in rows):7.1f}"
    )
    return "\n".join(lines)
