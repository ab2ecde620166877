"""What a measurement gives, and how a table of them looks. Unaware of what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import NotRequired, TypedDict


class Row(TypedDict):
    """One line of the table.

    Attributes:
        name: what was measured, with its unit.
        ours: what this package took.
        floor: what the floor took in the same run.
        ratio: what is held against the limit.
        limit: the most that `ratio` may be; None if there is no limit.
        unit: of ours and floor, such as "s".
        of: the unit of ratio and limit; default "×", times the floor.
    """

    name: str
    ours: float
    floor: float
    ratio: float
    limit: float | None
    unit: NotRequired[str]
    of: NotRequired[str]


def against(name: str, ours: float, floor: float, limit: float | None, *, per: int = 1) -> Row:
    """A row for two times in seconds, for each of the stages (or whatever there are `per` of)."""
    return Row(name=name, ours=ours / per, floor=floor / per, ratio=ours / floor, limit=limit, unit="s")


def interleaved(sides: Sequence[Callable[[], float]], times: int) -> list[float]:
    """The median of each side, taken in turn (A B A B …), so that a slow moment of the machine hits all."""
    taken: list[list[float]] = [[] for _ in sides]
    for _ in range(times):
        for side, results in zip(sides, taken, strict=True):
            results.append(side())
    return [median(results) for results in taken]


def holds(row: Row) -> bool:
    """Whether the limit is kept."""
    return row["limit"] is None or row["ratio"] <= row["limit"]


def amount(number: float, unit: str) -> str:
    """With three digits; seconds in the unit that suits them."""
    if unit == "s":
        factor, unit = next(
            scale for scale in ((1, "s"), (1e3, "ms"), (1e6, "µs")) if number * scale[0] >= 1 or scale[0] == 1e6
        )
        number *= factor
    digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
    return f"{number:,.{digits}f} {unit}"


def table(rows: Iterable[Row]) -> str:
    """The rows for people."""
    lines = [("", "ours", "floor", "ratio", "limit", "")]
    for row in rows:
        of = row.get("of", "×")
        limit = "" if row["limit"] is None else f"≤ {row['limit']:.3g} {of}"
        lines.append(
            (
                row["name"],
                amount(row["ours"], row.get("unit", "")),
                amount(row["floor"], row.get("unit", "")),
                f"{row['ratio']:.2f} {of}",
                limit,
                "" if not limit else "holds" if holds(row) else "MISSED",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 5) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
