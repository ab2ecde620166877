"""Small files of the store: read whole and bounded, written under a name of their own and renamed. Nothing else."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import re
import stat
import warnings
from collections.abc import Callable
from typing import Any, BinaryIO, NoReturn, Self

from pylightnix.errors import DamageError
from pylightnix.hashing import canonical
from pylightnix.names import printable
from pylightnix.store import changes

LARGEST = 256 * 1024 * 1024
"""Bytes that a document of the store may have: more is damage, or somebody else's file."""

ID = re.compile(r"([0-9]{1,10})-[0-9a-f]{12}")
"""What `fresh_id` gives; the group is the number of the process."""

NO_LINK = getattr(os, "O_NOFOLLOW", 0)
"""For opening what must not be reached through a link."""

DIRECTORY = os.O_RDONLY | NO_LINK | getattr(os, "O_DIRECTORY", 0)
"""For opening a directory that is not reached through a link."""

_FIRST = 16384
_PORTION = 128 * 1024  # for megabytes at once Linux wants as much memory in one piece: it took up to twice as long
_FLAGS = ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")  # a fifo must not hang, a link must not be followed
_READ = os.O_RDONLY | sum(getattr(os, name, 0) for name in _FLAGS)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_BINARY"))


class InTheWayError(OSError):
    """In the place of a file or directory of the store there is something else."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(errno.EEXIST, what, path)
        self.path = path
        self.what = what


class DamageWarning(UserWarning):
    """A file of the store is not what it must be, and was treated as if it were not there."""


def warn_of_damage(where: str, what: str) -> None:
    """Tell of a file that is treated as if it were not there."""
    warnings.warn(f"{printable(where)}: {printable(what)}; treated as not there", category=DamageWarning, stacklevel=3)


def reason(error: DamageError | OSError) -> str:
    """What is wrong with a file that could not be read, without its path."""
    return error.what if isinstance(error, DamageError) else error.strerror or str(error)


def read_small(path: str, above: int | None = None) -> bytes:
    """The bytes of a document, which ends in a brace. OSError as it comes; DamageError if it is too large for one.

    Args:
        path: of its file, or its name in the directory `above`.
        above: a descriptor.
    """
    handle = os.open(path, _READ, dir_fd=above)
    try:
        data = os.read(handle, _FIRST)
        if len(data) < _FIRST and data.endswith(b"}"):  # else it may be all that the file system gave at once
            return data
        return _read_on(handle, data, path)
    finally:
        os.close(handle)


def _read_on(handle: int, data: bytes, path: str) -> bytes:
    if os.fstat(handle).st_size > LARGEST:
        raise DamageError(f"larger than {LARGEST} bytes", where=path)
    parts, size = [data], len(data)
    while more := os.read(handle, 1 << 20):
        parts.append(more)
        size += len(more)
        if size > LARGEST:
            raise DamageError(f"larger than {LARGEST} bytes", where=path)
    return b"".join(parts)


def open_plain(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading: a link is refused, a fifo does not hang. OSError as it comes."""
    return open(path, "rb", opener=lambda name, _: os.open(name, _READ))


def is_directory(path: str | os.PathLike[str]) -> bool:
    """Whether a directory is there, and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _quick_look() -> Callable[[str], bool]:
    """What `os.path.lexists` tells without the exception that it catches, where the system is able to tell that.

    Python may have been made for a system that is: so it is tried on what is there.
    """
    look = functools.partial(os.access, mode=os.F_OK, follow_symlinks=False, effective_ids=True)
    with contextlib.suppress(NotImplementedError, OSError):
        if look(os.sep):
            return look
    return os.path.lexists


is_there = _quick_look()
"""Whether something is at a path, if only a link; as `os.path.lexists` it takes any trouble for nothing being there."""


def is_in_the_way(path: str) -> bool:
    """Whether something is there that is no directory, such as a link to one."""
    if not is_there(path):  # asked first, since in a new store nothing is
        return False
    try:
        return not stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def kind_of(path: str) -> str:
    """What is at a path, in a word; empty if nothing is."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return ""
    kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "link"), (stat.S_ISFIFO, "fifo"))
    return next((kind for test, kind in kinds if test(mode)), "special file")


def has_bytes(path: str, data: bytes) -> bool:
    """Whether a file has these bytes; one that is damaged has others."""
    try:
        return read_small(path) == data
    except (OSError, DamageError):
        return False


def read_start(path: str, most: int) -> bytes:
    """The first bytes of a file, at most so many. OSError as it comes."""
    handle = os.open(path, _READ)
    try:
        parts = []
        while most > 0 and (part := os.read(handle, min(most, 1 << 20))):
            parts.append(part)
            most -= len(part)
        return b"".join(parts)
    finally:
        os.close(handle)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return number


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


_decoder = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_distinct)


def decode_json(text: str) -> Any:
    """The one JSON value in a text, with nothing before or after it.

    Raises:
        ValueError: it is none, or has NaN, a number beyond what a float holds, a key twice, or half a surrogate pair.
        RecursionError: it is nested too deeply.
    """
    value, end = _decoder.raw_decode(text)
    if end != len(text):
        raise ValueError(f"more after {end} characters")
    if "\\u" in text:
        canonical(value)
    return value


def parse_document(path: str, data: bytes, kind: str) -> dict[str, Any]:
    """The object in a document of the store.

    Raises:
        DamageError: it is no JSON object of this kind.
    """
    try:
        document = decode_json(data.decode())
    except (ValueError, RecursionError) as error:
        raise DamageError(f"not readable as JSON ({error})", where=path) from error
    if type(document) is not dict or document.get("pylightnix") != kind:
        raise DamageError(f"not a document of kind {kind}", where=path)
    return document


def write_new(path: str, data: bytes | memoryview, mode: int = 0o444, *, lasting: bool = False) -> None:
    """Write a file that is not there, read-only for all that the umask lets read it; FileExistsError if it is.

    Args:
        path: of it.
        data: what will be in it.
        mode: another one, less the umask.
        lasting: whether what is in it outlasts a loss of power from now on.
    """
    handle = changes.open_new(path, _NEW, mode)
    try:
        write_all(handle, data)
        if lasting:
            changes.sync_file(handle)
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes | memoryview) -> None:
    """Write all of it, however little the system takes at a time."""
    while data:
        written = changes.write(handle, data if len(data) <= _PORTION else memoryview(data)[:_PORTION])
        if written == len(data):
            return
        data = memoryview(data)[written:]


class NewFile:
    """A file that is written in portions, and is not there yet; read-only for all that the umask lets read it.

    Args:
        path: of it.
        mode: another one, less the umask.
    """

    def __init__(self, path: str, mode: int = 0o444) -> None:
        self._handle = changes.open_new(path, _NEW, mode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def write(self, data: bytes | memoryview) -> None:
        """One more portion."""
        write_all(self._handle, data)

    def sync(self) -> None:
        """Make what was written outlast a loss of power."""
        changes.sync_file(self._handle)


def write_once(tmp: str, path: str, data: bytes, *, lasting: bool = False) -> None:
    """Write a file in one step: under a unique name in `tmp`, then renamed.

    Args:
        tmp: a directory.
        path: of the file.
        data: what will be in it.
        lasting: whether it outlasts a loss of power from now on, with its name.
    """
    unique = f"{tmp}/{fresh_id()}"
    try:
        write_new(unique, data, lasting=lasting)
        changes.replace(unique, path)
        if lasting:
            changes.sync_directory(os.path.dirname(path))
    except BaseException:
        with contextlib.suppress(OSError):
            changes.remove_file(unique)
        raise


def fresh_id() -> str:
    """A name that nobody else has: the process and 48 random bits."""
    while True:
        try:
            return f"{os.getpid()}-{_fresh.pop()}"
        except IndexError:
            random = os.urandom(6 * 64).hex()
            _fresh.extend([random[at : at + 12] for at in range(0, len(random), 12)])


_fresh: list[str] = []
"""Random digits that nobody has taken yet: asking the system for each costs more."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fresh.clear)
