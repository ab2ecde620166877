"""Compares two files by what they are, as their name tells: tables, JSON, arrays; all else as text or bytes."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO

from pylightnix.comparison.arrays import compare_npy, compare_npz
from pylightnix.comparison.differences import Difference, Tolerance, Verdict
from pylightnix.comparison.jsons import compare_json, compare_json_lines
from pylightnix.comparison.judging import Judge
from pylightnix.comparison.tables import compare_tables
from pylightnix.comparison.texts import compare_bytes

Comparer = Callable[[BinaryIO, BinaryIO, Judge], None]

_COMPARERS: dict[str, Comparer] = {
    "csv": compare_tables,
    "json": compare_json,
    "jsonl": compare_json_lines,
    "ndjson": compare_json_lines,
    "npy": compare_npy,
    "npz": compare_npz,
    "tsv": compare_tables,
}
_NOT_READABLE = (
    ValueError, ImportError, RecursionError, EOFError, NotImplementedError, csv.Error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What comes of a file that is not what its name tells, or that we cannot read: it is compared as bytes."""


def compare_contents(name: str, recorded: str, now: str, tolerance: Tolerance) -> Difference | None:
    """What differs between two files; None if they are equal byte for byte.

    Args:
        name: of the file; its end tells what it is.
        recorded: path of the one.
        now: path of the other.
        tolerance: for numbers.

    Raises:
        OSError: one cannot be read.
    """
    by_meaning = _compare_by_meaning(name, recorded, now, tolerance)
    if by_meaning is not None:
        return by_meaning._replace(place=name)
    with open(recorded, "rb") as old, open(now, "rb") as new:
        by_bytes = compare_bytes(old, new)
    return by_bytes._replace(place=name) if by_bytes is not None else None


def _compare_by_meaning(name: str, recorded: str, now: str, tolerance: Tolerance) -> Difference | None:
    """What differs in what they hold; None if that is not to be had, or does not count: where nothing may be off."""
    comparer = _COMPARERS.get(name.rpartition(".")[2].lower())
    if comparer is None:
        return None
    judge = Judge(tolerance)
    try:
        with open(recorded, "rb") as old, open(now, "rb") as new:
            comparer(old, new, judge)
    except _NOT_READABLE:
        return None
    found = judge.difference()
    if found is None and not tolerance.is_exact:
        return Difference("", Verdict.CLOSE, "the bytes differ, what they hold does not")
    return found
