"""Compares tables in text (CSV) row by row and cell by cell. Constant memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import zip_longest
from typing import BinaryIO

from pylightnix.comparison.judging import Judge, Number, cut

_DELIMITERS = ",;\t|"
_LOOKED_AT = 64 << 10


def compare_tables(recorded: BinaryIO, now: BinaryIO, judge: Judge) -> None:
    """Tell the judge of every cell that differs.

    Raises:
        ValueError, csv.Error: one of them is no table that can be read.
    """
    delimiter = _delimiter(recorded)
    texts = [io.TextIOWrapper(stream, encoding="utf-8", newline="") for stream in (recorded, now)]
    try:
        old, new = [csv.reader(text, delimiter=delimiter) for text in texts]
        _compare(old, new, judge)
    finally:
        for text in texts:
            text.detach()  # the files are for others to close


def _compare(recorded: Iterator[list[str]], now: Iterator[list[str]], judge: Judge) -> None:
    head: list[str] = []
    for number, (old, new) in enumerate(zip_longest(recorded, now), 1):
        if old is None or new is None:
            longer = "it was recorded" if new is None else "it is there now"
            judge.other(f"row {number:,}", _told(old), _told(new), f"that {longer}, and no other row,")
            return
        if number == 1:
            head = old
        if old != new:
            _compare_rows(number, head, old, new, judge)


def _told(row: list[str] | None) -> str:
    return "nothing more" if row is None else cut(", ".join(row))


def _compare_rows(number: int, head: list[str], old: list[str], new: list[str], judge: Judge) -> None:
    if len(old) != len(new):
        judge.other(f"row {number:,}", f"{len(old)} cells", f"{len(new)} cells", "its length")
    for column, (one, other) in enumerate(zip(old, new, strict=False)):
        if one == other:
            continue
        name = f" ({cut(head[column])})" if number > 1 and column < len(head) and _number(head[column]) is None else ""
        at = f"row {number:,}, column {column + 1}{name}"
        before, after = _number(one), _number(other)
        if before is None or after is None:
            judge.other(at, cut(repr(one)), cut(repr(other)), "a cell")
        else:
            judge.numbers(at, before, after, (cut(one), cut(other)))


def _number(cell: str) -> Number | None:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return None


def _delimiter(stream: BinaryIO) -> str:
    """What stands between the cells: what the first line has most of."""
    line = stream.readline(_LOOKED_AT).decode(errors="replace")
    stream.seek(0)
    return max(_DELIMITERS, key=line.count)
