"""Archives plain or compressed: by suffix when written, by their first bytes when read, and then bounded."""

from __future__ import annotations

import contextlib
import gzip
import importlib
import os
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

from pylightnix.errors import DamageError, StoreError
from pylightnix.names import printable
from pylightnix.store.manifests import Sink

ROOM = 1 << 30
RATIO = 200
"""More than `ROOM` bytes, and `RATIO` times its own, come out of no honest archive; whoever knows better says so."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class Stream(Protocol):
    """What an archive is read from."""

    def read(self, size: int, /) -> bytes: ...


@contextlib.contextmanager
def compressing(file: Sink, name: str) -> Iterator[Any]:
    """What is written here goes to the file, compressed if the name of the archive ends in `.gz` or `.zst`."""
    if name.endswith(".gz"):
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as stream:  # type: ignore[call-overload]
            yield stream
    elif name.endswith(".zst"):
        with _zstd_writer(file, name) as stream:
            yield stream
    else:
        yield file


@contextlib.contextmanager
def decompressing(file: BinaryIO, where: str, most: int | None = None) -> Iterator[Stream]:
    """The bytes of an archive.

    Args:
        file: it, from its start.
        where: for messages.
        most: how many bytes may come out; None for what is usual.

    Raises:
        DamageError: it is damaged, or more would come out; when it is read.
    """
    start = file.read(4)
    file.seek(0)
    if start[:2] != _GZIP and start != _ZSTD:
        yield file
        return
    limit = max(ROOM, RATIO * os.fstat(file.fileno()).st_size) if most is None else most
    with gzip.GzipFile(fileobj=file) if start[:2] == _GZIP else _zstd_reader(file, where) as stream:
        yield _Bounded(stream, limit)


class _Bounded:
    def __init__(self, stream: Any, most: int) -> None:
        self._stream = stream
        self._left = most

    def read(self, size: int, /) -> bytes:
        try:
            data: bytes = self._stream.read(size)
        except (EOFError, zlib.error, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise DamageError(f"it is damaged: {error}") from error
        except Exception as error:
            if type(error).__name__ != "ZstdError":
                raise
            raise DamageError(f"it is damaged: {error}") from error
        self._left -= len(data)
        if self._left < 0:
            raise DamageError(
                "much more comes out of it than an archive of its size has",
                hint="if you trust whoever made it, allow more: --most 2T",
            )
        return data


def _zstd_writer(file: Sink, name: str) -> Any:
    zstd = _zstd(name)
    if hasattr(zstd, "ZstdFile"):
        return zstd.ZstdFile(file, "wb")
    return zstd.ZstdCompressor(level=3).stream_writer(file, closefd=False)


def _zstd_reader(file: BinaryIO, where: str) -> Any:
    zstd = _zstd(where)
    if hasattr(zstd, "ZstdFile"):
        return zstd.ZstdFile(file)
    return zstd.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)


def _zstd(name: str) -> Any:
    for module in ("compression.zstd", "zstandard"):  # the first from Python 3.14 on
        with contextlib.suppress(ImportError):
            return importlib.import_module(module)
    raise StoreError(
        "it is to be compressed with zstd, and nothing here does that", where=printable(name),
        hint="install the package zstandard, use Python 3.14, or take .gz",
    )  # fmt: skip
