"""Compares files of JSON, one document or one in each line, by what they hold."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import BinaryIO

from pylightnix.comparison.judging import Judge
from pylightnix.comparison.values import compare_values

LARGEST = 64 << 20
"""Bytes up to which a document is read, since all of it has to be in memory."""


def compare_json(recorded: BinaryIO, now: BinaryIO, judge: Judge) -> None:
    """Tell the judge of every difference.

    Raises:
        ValueError: one of them is no JSON, or too large.
        RecursionError: it is nested too deeply.
    """
    old, new = [_parse(stream.read(LARGEST + 1)) for stream in (recorded, now)]
    compare_values(old, new, judge)


def compare_json_lines(recorded: BinaryIO, now: BinaryIO, judge: Judge) -> None:
    """As `compare_json`, for a document in each line; one line at a time is in memory."""
    read = [iter(lambda stream=stream: stream.readline(LARGEST + 1), b"") for stream in (recorded, now)]  # type: ignore[misc]
    for number, (old, new) in enumerate(zip_longest(*read), 1):
        if old is None or new is None:
            before, after = ["nothing more" if one is None else "a line" for one in (old, new)]
            judge.other(f"line {number:,}", before, after, "it")
            return
        if old != new:
            compare_values(_parse(old), _parse(new), judge, f"line {number:,} ")


def _parse(text: bytes) -> object:
    if len(text) > LARGEST:
        raise ValueError(f"more than {LARGEST} bytes")
    return json.loads(text)
