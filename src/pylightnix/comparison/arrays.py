"""Compares NumPy's files, `.npy` and `.npz`, number by number. Constant memory; nothing is unpickled.

NumPy is imported here, and only when such files differ. Where it is not installed, they are compared as bytes.
"""

from __future__ import annotations

import math
import zipfile
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NamedTuple

from pylightnix.comparison.judging import Judge, cut

if TYPE_CHECKING:
    import numpy as np

_CHUNK = 1 << 22


class _Header(NamedTuple):
    """What the head of a file says of the array in it."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


def compare_npy(recorded: BinaryIO, now: BinaryIO, judge: Judge) -> None:
    """Tell the judge of every number that differs.

    Raises:
        ImportError: NumPy is not installed.
        ValueError: one of them is no such file, cut off, or holds Python objects.
    """
    _compare(recorded, now, judge, "")


def compare_npz(recorded: BinaryIO, now: BinaryIO, judge: Judge) -> None:
    """As `compare_npy`, for each array of an archive.

    Raises:
        zipfile.BadZipFile, NotImplementedError: one is no archive that can be read.
    """
    with zipfile.ZipFile(recorded) as old, zipfile.ZipFile(now) as new:
        names, others = old.namelist(), set(new.namelist())
        for name in names:
            if name not in others:
                judge.other(_label(name), "an array", "nothing", "it")
        for name in others.difference(names):
            judge.other(_label(name), "nothing", "an array", "it")
        for name in (name for name in names if name in others):
            with old.open(name) as one, new.open(name) as other:
                _compare(one, other, judge, _label(name))


def _label(name: str) -> str:
    return cut(name.removesuffix(".npy"))


def _compare(recorded: IO[bytes], now: IO[bytes], judge: Judge, label: str) -> None:
    old, new = _header(recorded), _header(now)
    for what, before, after in (
        ("its dtype", old.dtype, new.dtype),
        ("its shape", old.shape, new.shape),
        ("its order", _order(old), _order(new)),
    ):
        if before != after:
            judge.other(label, str(before), str(after), what)
            return
    size = old.dtype.itemsize
    left, passed = math.prod(old.shape), 0
    portion = max(1, _CHUNK // size) if size else left
    while left:
        count = min(portion, left)
        one, other = _read(recorded, count * size), _read(now, count * size)
        if one != other:
            _compare_portion(one, other, old, judge, label, passed)
        left -= count
        passed += count


def _header(stream: IO[bytes]) -> _Header:
    from numpy.lib import format as npy

    version = npy.read_magic(stream)
    if version == (1, 0):
        header = _Header(*npy.read_array_header_1_0(stream))
    elif version == (2, 0):
        header = _Header(*npy.read_array_header_2_0(stream))
    else:
        raise ValueError(f"version {version} of the format")
    if header.dtype.hasobject:
        raise ValueError("it holds Python objects")
    return header


def _order(header: _Header) -> str:
    return "columns first" if header.fortran else "rows first"


def _read(stream: IO[bytes], size: int) -> bytes:
    """So many bytes, which an archive gives in portions of its own."""
    parts = []
    while size:
        part = stream.read(size)
        if not part:
            raise ValueError("it is cut off")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _compare_portion(one: bytes, other: bytes, header: _Header, judge: Judge, label: str, passed: int) -> None:
    """Compare a portion of which some bytes differ; so many items were before it."""
    import numpy as np

    old, new = np.frombuffer(one, header.dtype), np.frombuffer(other, header.dtype)
    largest = 0.0
    if header.dtype.kind in "iufc":
        differs, far, largest = _numbers(old, new, judge)
    else:
        raw = [np.frombuffer(data, np.uint8).reshape(len(old), -1) for data in (one, other)]
        differs = far = (raw[0] != raw[1]).any(axis=1)
    if not differs.any():
        return
    first = int(np.argmax(far if far.any() else differs))
    index = np.unravel_index(first + passed, header.shape, "F" if header.fortran else "C")
    at = f"{label}[{', '.join(str(int(i)) for i in index)}]" if header.shape else label
    judge.note(
        at, cut(str(old[first])), cut(str(new[first])), "a number" if header.dtype.kind in "iufc" else "an item",
        close=not far.any(), largest=largest, differing=int(differs.sum()),
    )  # fmt: skip


def _numbers(old: np.ndarray[Any, Any], new: np.ndarray[Any, Any], judge: Judge) -> tuple[Any, Any, float]:
    """Which numbers differ, which of them by too much, and the largest deviation."""
    import numpy as np

    with np.errstate(all="ignore"):
        differs = (old != new) & ~((old != old) & (new != new))  # noqa: PLR0124  (NaN alone differs from itself)
        wide = np.result_type(old.dtype, np.longdouble if old.dtype.kind in "iu" else np.float64)
        before, after = old.astype(wide), new.astype(wide)
        off = np.abs(after - before)
        finite = np.isfinite(before) & np.isfinite(after)
        tolerance = judge.tolerance
        near = finite & (off <= tolerance.atol + tolerance.rtol * np.abs(before)) if not tolerance.is_exact else False
        far = differs & ~np.asarray(near, dtype=bool)
        largest = float(off[differs].max()) if differs.any() and finite[differs].all() else math.inf
    return differs, far, largest if differs.any() else 0.0
