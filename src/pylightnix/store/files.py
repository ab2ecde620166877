"""Small files of the store: read whole and bounded, written under a name of their own and renamed. Nothing else."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from pylightnix.errors import DamageError

LARGEST = 256 * 1024 * 1024
"""Bytes that a document of the store may have: more is damage, or somebody else's file."""


def read_small(path: str) -> bytes:
    """The bytes of a small file. OSError as it comes; DamageError if it is too large for a document."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        data = os.read(handle, 16384)
        if len(data) < 16384:
            return data
        parts = [data]
        size = len(data)
        while more := os.read(handle, 1 << 20):
            parts.append(more)
            size += len(more)
            if size > LARGEST:
                raise DamageError(f"larger than {LARGEST} bytes", where=path)
        return b"".join(parts)
    finally:
        os.close(handle)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_decoder = json.JSONDecoder(parse_constant=_no_constant)


def parse_document(path: str, data: bytes, kind: str) -> dict[str, Any]:
    """The object in a document of the store.

    Raises:
        DamageError: it is no JSON object of this kind.
    """
    try:
        text = data.decode()
        document, end = _decoder.raw_decode(text)
        if end != len(text):
            raise ValueError(f"more after {end} characters")
    except (ValueError, RecursionError) as error:
        raise DamageError(f"not readable as JSON ({error})", where=path) from error
    if type(document) is not dict or document.get("pylightnix") != kind:
        raise DamageError(f"not a document of kind {kind}", where=path)
    return document


def write_new(path: str, data: bytes) -> None:
    """Write a file that is not there, in a directory that nobody else sees; FileExistsError if it is."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
    finally:
        os.close(handle)


def write_once(tmp: str, path: str, data: bytes) -> None:
    """Write a file in one step: under a unique name in `tmp`, then renamed."""
    unique = f"{tmp}/{fresh_id()}"
    try:
        write_new(unique, data)
        os.rename(unique, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(unique)
        raise


def fresh_id() -> str:
    """A name that nobody else has: the process and 48 random bits."""
    return f"{os.getpid()}-{os.urandom(6).hex()}"


def escape(path: Path | str) -> str:
    """A path of the store as text for messages."""
    return os.fsdecode(path).encode(errors="surrogateescape").decode(errors="backslashreplace")
