"""What is in an archive, as entries in order: zip, and tar plain or compressed. Unaware of where they go.

Nothing of it is believed here: names and targets are as the archive has them.
"""

from __future__ import annotations

import contextlib
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from pylightnix.errors import FetchError

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_SKIPPED = re.compile(
    rb"[\x50-\x5f]\x2a\x4d\x18"
)  # a frame of zstd that has nothing of the data; pzstd begins with one
_CHUNK = 1 << 18
_LONGEST_LINK = 4096
_LONGEST_HEADER = 1 << 20
_LONG_HEADERS = frozenset({
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        name: with `/` between the parts.
        kind: what it is; "other" is a device, a fifo or the like.
        executable: whether its owner may execute it.
        target: of a link; for "hard" the name of another entry.
        size: bytes of a file, as the archive tells.
        open: opens what is in a file; to be read before the next entry is asked for.
    """

    name: str
    kind: Literal["file", "directory", "link", "hard", "other"]
    executable: bool = False
    target: str = ""
    size: int = 0
    open: Callable[[], IO[bytes] | None] = lambda: None


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Iterator[Entry]]:
    """The entries of an archive, whose kind its first bytes tell.

    Raises:
        FetchError: it is no archive, or damaged; also from the iterator and from reading.
    """
    try:
        with contextlib.ExitStack() as opened:
            if zipfile.is_zipfile(path) and not _is_compressed(path):
                yield _zipped(opened.enter_context(zipfile.ZipFile(path)))
            else:
                file = opened.enter_context(_decompressed(path))
                yield _tarred(opened.enter_context(tarfile.open(fileobj=file, mode="r|", tarinfo=_Header)))
                while file.read(_CHUNK):  # the checksum of all stands behind the end of the tar
                    pass
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise _damaged(path, error) from error
    except Exception as error:
        if type(error).__name__ in ("LZMAError", "ZstdError", "BadGzipFile") or (
            isinstance(error, OSError) and error.errno is None
        ):
            raise _damaged(path, error) from error
        raise


def _damaged(path: Path, error: Exception) -> FetchError:
    return FetchError(
        f"it is damaged, or no archive: {error or type(error).__name__}", where=path.name,
        hint="zip, tar, tar.gz, tar.bz2, tar.xz and tar.zst can be unpacked",
    )  # fmt: skip


def _start(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(8)
    if _SKIPPED.match(start):
        return "zstd"
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "")


def _is_compressed(path: Path) -> bool:
    """A compressed tar may have, at its end, what looks like the end of a zip."""
    return bool(_start(path))


def _decompressed(path: Path) -> Any:
    match _start(path):
        case "gzip":
            import gzip

            return gzip.open(path)
        case "bz2":
            import bz2

            return bz2.open(path)
        case "xz":
            import lzma

            return lzma.open(path)
        case "zstd":
            return _zstd(path)
        case _:
            return path.open("rb")


def _zstd(path: Path) -> Any:
    import importlib

    for module in ("compression.zstd", "zstandard"):  # the first from Python 3.14 on
        with contextlib.suppress(ImportError):
            return importlib.import_module(module).open(path, "rb")
    raise FetchError(
        "it is compressed with zstd, and nothing here reads that", where=path.name,
        hint="install the package zstandard, or use Python 3.14",
    )  # fmt: skip


class _Header(tarfile.TarInfo):
    """A header that is damaged or missing is an error, not the end of the archive. So is one that would fill memory."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: Any, errors: Any) -> Any:
        try:
            found = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":
                raise
            raise tarfile.ReadError("it ends early" if not buf else str(error)) from error
        if found.type in _LONG_HEADERS and found.size > _LONGEST_HEADER:
            raise tarfile.ReadError(f"what it says of an entry has {found.size} bytes")
        return found


def _tarred(archive: tarfile.TarFile) -> Iterator[Entry]:
    for member in archive:
        executable = bool(member.mode & stat.S_IXUSR)
        if member.isreg():
            yield Entry(
                member.name, "file", executable, "", member.size, lambda member=member: archive.extractfile(member)  # type: ignore[misc]
            )  # fmt: skip
        elif member.isdir():
            yield Entry(member.name, "directory")
        elif member.issym():
            yield Entry(member.name, "link", target=member.linkname)
        elif member.islnk():
            yield Entry(member.name, "hard", target=member.linkname)
        else:
            yield Entry(member.name, "other")
        archive.members = []  # type: ignore[attr-defined]  # else it remembers all of them


def _zipped(archive: zipfile.ZipFile) -> Iterator[Entry]:
    for member in archive.infolist():
        mode = member.external_attr >> 16 if member.create_system == 3 else 0
        name = member.orig_filename  # the other one ends at a NUL
        if member.flag_bits & 1:
            raise zipfile.BadZipFile(f"{name!r} is encrypted")
        if stat.S_ISLNK(mode):
            if member.file_size > _LONGEST_LINK:
                raise zipfile.BadZipFile(f"{name!r} is a link that is too long")
            yield Entry(name, "link", target=archive.read(member).decode("utf-8", "surrogateescape"))
        elif name.endswith("/") or stat.S_ISDIR(mode):
            yield Entry(name, "directory")
        elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
            yield Entry(
                name, "file", bool(mode & stat.S_IXUSR), "", member.file_size,
                lambda member=member: archive.open(member),  # type: ignore[misc]
            )  # fmt: skip
        else:
            yield Entry(name, "other")
