"""Finds the first difference between two files, a line if they are text and else a byte. Constant memory."""

from __future__ import annotations

import codecs
from typing import BinaryIO, NamedTuple

from pylightnix.comparison.differences import Difference, Verdict
from pylightnix.comparison.judging import cut

_CHUNK = 1 << 20
_BEFORE = 24
"""Bytes of a long line that are shown before the first that differs."""

_SHOWN = 160
_HEX = 8


class _Spot(NamedTuple):
    """Where two files differ first: the byte, its line (from 1), and the byte with which that line begins."""

    byte: int
    line: int
    start: int


def compare_bytes(recorded: BinaryIO, now: BinaryIO) -> Difference | None:
    """The first difference between two files, both at their start; None if they are equal."""
    spot = _find(recorded, now)
    if spot is None:
        return None
    begin = max(spot.start, spot.byte - _BEFORE)
    windows = [_window(stream, begin) for stream in (recorded, now)]
    texts = [text for window in windows if (text := _as_text(window, whole=begin == spot.start)) is not None]
    if len(texts) == len(windows):
        what, at = "this line is the first that differs", f"line {spot.line:,}"
        before, after = [cut(told) if window else "nothing more" for told, window in zip(texts, windows, strict=True)]
    else:
        what, at = "this byte is the first that differs", f"byte {spot.byte:,}"
        before, after = [_as_hex(window[spot.byte - begin :]) for window in windows]
    return Difference("", Verdict.DIFFERENT, what, at, before, after)


def _find(recorded: BinaryIO, now: BinaryIO) -> _Spot | None:
    passed, line, start = 0, 1, 0
    while True:
        old, new = recorded.read(_CHUNK), now.read(_CHUNK)
        alike = old if old == new else old[: _common(old, new)]
        newlines = alike.count(b"\n")
        if newlines:
            line += newlines
            start = passed + alike.rindex(b"\n") + 1
        passed += len(alike)
        if old != new:
            return _Spot(passed, line, start)
        if not old:
            return None


def _common(old: bytes, new: bytes) -> int:
    """How many bytes two different texts have in common at their beginning."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _window(stream: BinaryIO, begin: int) -> bytes:
    stream.seek(begin)
    return stream.read(_SHOWN)


def _as_text(window: bytes, *, whole: bool) -> str | None:
    """The rest of a line; None if that is no text. `whole`: from its beginning, else maybe from within a character."""
    line = window.partition(b"\n")[0].rstrip(b"\r")
    if not whole:
        line = line.lstrip(bytes(range(0x80, 0xC0)))
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(line)
    except UnicodeDecodeError:
        return None
    if not text.replace("\t", " ").isprintable():
        return None
    return text if whole else f"…{text}"


def _as_hex(data: bytes) -> str:
    return " ".join(f"{byte:02x}" for byte in data[:_HEX]) or "nothing more"
