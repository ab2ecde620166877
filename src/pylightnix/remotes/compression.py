"""Blobs made smaller where that pays, and made again within bounds. Unaware of what they are."""

from __future__ import annotations

import contextlib
import functools
import importlib
from typing import Any

from pylightnix.errors import DamageError, RemoteError

LEVEL = 3
PAYS = 0.9
"""What is not smaller than this part of its size is stored as it is."""

_SAMPLE = 64 << 10
_LEAST = 256


def compress(data: bytes) -> bytes | None:
    """A zstd frame of the data; None if that does not pay, or where nothing here can make one."""
    zstd = _zstd()
    if zstd is None or len(data) < _LEAST:
        return None
    if len(data) > 4 * _SAMPLE:
        middle = len(data) // 2
        sample = data[: _SAMPLE // 2] + data[middle : middle + _SAMPLE // 2]
        if len(_compressed(zstd, sample)) > PAYS * len(sample):
            return None
    frame = _compressed(zstd, data)
    return frame if len(frame) <= PAYS * len(data) else None


def decompress(frame: bytes, size: int) -> bytes:
    """What is in a zstd frame, which must be so many bytes; no more than that is ever made.

    Raises:
        DamageError: it is none, or something else is in it.
        RemoteError: nothing here can read one.
    """
    zstd = _zstd()
    if zstd is None:
        raise RemoteError(
            "it is compressed with zstd, and nothing here reads that",
            hint='pip install "pylightnix[remote]", or use Python 3.14',
        )
    try:
        return _decompressed(zstd, frame, size)
    except Exception as error:
        if type(error).__name__ not in ("ZstdError", "EOFError", "ValueError"):
            raise
        raise DamageError(f"it is no zstd frame of {size} bytes: {error}") from error


def _compressed(zstd: Any, data: bytes) -> bytes:
    made: bytes = (
        zstd.compress(data, LEVEL) if hasattr(zstd, "ZstdFile") else zstd.ZstdCompressor(level=LEVEL).compress(data)
    )
    return made


def _decompressed(zstd: Any, frame: bytes, size: int) -> bytes:
    """What is in the frame; ValueError if that is not so much, or the frame is not all."""
    if hasattr(zstd, "ZstdFile"):
        stream = zstd.ZstdDecompressor()
        data: bytes = stream.decompress(frame, size + 1)
        whole = (stream.eof or not size) and not stream.unused_data
    else:
        if zstd.get_frame_parameters(frame).content_size != size:
            raise ValueError("it says another size")
        data = zstd.ZstdDecompressor().decompress(frame, allow_extra_data=False)
        whole = True
    if len(data) != size or not whole:
        raise ValueError("something else is in it")
    return data


@functools.cache
def _zstd() -> Any:
    """The module that does it: of Python, from 3.14 on, or the package; None if there is none."""
    for module in ("compression.zstd", "zstandard"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(module)
    return None
