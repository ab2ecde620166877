"""A stage that unpacks an archive. What the archive says is taken as from a stranger: nothing leaves the directory."""

from __future__ import annotations

import contextlib
import functools
import os
import posixpath
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pylightnix.dsl.derivation import Derivation, Promised, as_derivation
from pylightnix.errors import ArgumentError, BadNameError, ConfigError, FetchError
from pylightnix.model.amounts import parse_size
from pylightnix.model.build import Build
from pylightnix.model.promises import Promise
from pylightnix.names import check_inner_path, printable

if TYPE_CHECKING:
    from pylightnix.stages.archives import Entry

_ENDINGS = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tzst|tar\.(gz|bz2|xz|zst))$", re.IGNORECASE)
_CHUNK = 1 << 18
_ROOM = 1 << 30
_RATIO = 200
_ENTRY = 512
"""What an entry counts beside its bytes: many empty ones fill a disk, too."""


def unpack(archive: Any, *, strip: int = 0, name: str | None = None, most: str | int | None = None) -> Derivation[None]:
    """What is in an archive, as an input: its promise `directory` has files, directories, links and executable bits.

    zip, tar, tar.gz, tar.bz2, tar.xz and, where Python 3.14 or the package zstandard is, tar.zst; its first bytes tell
    which. Owners, times, and rights but that to execute are left behind. An archive is refused, as a whole, if a name
    in it is absolute, leads out, is there twice or cannot be a name; if a link leads out; or if a device is in it.

    Args:
        archive: the promise of another stage, such as `fetch_url(…).file`; or a stage that promises `file`.
        strip: so many directories at the start of each name are left out; what has no more is left out, too.
        name: of the derivation; default that of the archive's, without `.tar.gz` and the like.
        most: bytes that may come out, or a text such as "2T"; default 200 times those of the archive and 1 GiB. Each
            entry counts 512 beside its bytes. Not in the identity.

    Raises:
        ConfigError: that is no stage's file, or `strip` or `most` is no amount.
    """
    derivation = as_derivation(archive)
    given = archive if derivation is None else derivation.promises.get("file")
    if not isinstance(given, Promised):
        raise ConfigError(
            f"this is no file of a stage: {archive!r}", where="unpack",
            hint="such as unpack(fetch_url(…).file) or unpack(local_file(…).file)",
        )  # fmt: skip
    if type(strip) is not int or not 0 <= strip < 1000:
        raise ConfigError(f"strip={strip!r} is no number of directories", where="unpack")
    try:
        limit = parse_size(most) if isinstance(most, str) else most
    except ArgumentError as error:
        raise ConfigError(f"most: {error.what}", where="unpack", hint=error.hint) from None
    if limit is not None and (type(limit) is not int or limit < 0):
        raise ConfigError(f"most={most!r} is no number of bytes", where="unpack")
    return Derivation(
        name=name or _ENDINGS.sub("", given.derivation.name) or "unpacked",
        builder=functools.partial(_unpack, most=limit),
        params={"archive": given, "strip": strip},
        promises={"directory": Promise("unpacked", "directory")},
        version="unpack/1",
    )


def _unpack(build: Build, archive: Path, strip: int, directory: Path, *, most: int | None) -> None:
    from pylightnix.stages.archives import reading

    size = archive.stat().st_size
    tree = _Tree(directory, strip, _ROOM + _RATIO * size if most is None else most)
    with reading(archive) as entries:
        for entry in entries:
            tree.take(entry)
            build.progress(tree.size)
    tree.finish()


class _Tree:
    """What came out so far. Links are made at the end, so nothing is ever written through one."""

    def __init__(self, top: Path, strip: int, most: int) -> None:
        self.top = top
        self.size = 0
        self._strip = strip
        self._most = most
        self._kinds: dict[str, str] = {}
        self._links: dict[str, str] = {}

    def take(self, entry: Entry) -> None:
        self._count(_ENTRY)
        name = self._stripped(_checked(entry.name, entry.name))
        if entry.kind == "other":
            raise _refused(entry.name, "is neither a file, a directory nor a link")
        if not name:
            return
        self._make_room(name, entry)
        path = self.top / name
        if entry.kind == "directory":
            path.mkdir(exist_ok=True)
        elif entry.kind == "link":
            self._links[name] = _inside(name, entry)
        elif entry.kind == "hard":
            other = self._stripped(_checked(entry.target, entry.name))
            if self._kinds.get(other) not in ("file", "hard"):
                raise _refused(entry.name, f"is another name of {printable(entry.target)}, which is no file before it")
            self._count((self.top / other).stat().st_size)
            shutil.copy(self.top / other, path)
        else:
            self._write(entry, path)

    def _stripped(self, name: str) -> str:
        return "/".join(name.split("/")[self._strip :])

    def _make_room(self, name: str, entry: Entry) -> None:
        """See that the name is free and all above it are directories."""
        parts = name.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if self._kinds.setdefault(above, "directory") != "directory":
                raise _refused(entry.name, f"lies in {printable(above)}, which is no directory")
        if self._kinds.setdefault(name, entry.kind) != entry.kind or (
            entry.kind != "directory" and (name in self._links or os.path.lexists(self.top / name))
        ):
            raise _refused(entry.name, "is there twice, or has the name of another one on this file system")
        (self.top / name).parent.mkdir(parents=True, exist_ok=True)

    def _count(self, more: int) -> None:
        self.size += more
        if self.size > self._most:
            raise FetchError(
                f"more than {self._most} bytes come out of it",
                hint='if that is right, allow more: unpack(…, most="2T")',
            )

    def _write(self, entry: Entry, path: Path) -> None:
        written = 0
        with contextlib.closing(entry.open() or open(os.devnull, "rb")) as source, path.open("xb") as file:
            while data := source.read(_CHUNK):
                written += len(data)
                self._count(len(data))
                file.write(data)
        if written != entry.size:
            raise _refused(entry.name, f"has {written} bytes, not {entry.size}")
        path.chmod(0o755 if entry.executable else 0o644)

    def finish(self) -> None:
        """Make the links, then see where each of them really leads."""
        if not self._kinds:
            raise FetchError("nothing is in it" + (f" below {self._strip} directories" if self._strip else ""))
        for name, target in self._links.items():
            os.symlink(target, self.top / name)
        top = os.path.realpath(self.top)
        for name, target in self._links.items():
            real = os.path.realpath(self.top / name)
            if real != top and not real.startswith(f"{top}/"):
                raise _refused(name, f"is a link that leads out: {printable(target)}")


def _checked(name: str, told: str) -> str:
    """The name, normalised as tar writes it: `./a/` is `a`, `.` is nothing."""
    plain = name.rstrip("/") if name.strip("/") else name
    while plain.startswith("./"):
        plain = plain[2:].lstrip("/") if plain[2:3] != "/" else plain[2:]
    if plain == ".":
        return ""
    try:  # names that are no UTF-8 are kept as they are; for the other rules any letter stands for their bytes
        check_inner_path(re.sub("[\udc80-\udcff]", "?", plain))
    except BadNameError as error:
        raise _refused(told, error.what.removeprefix("a promised path ").partition(":")[0]) from None
    return plain


def _inside(name: str, entry: Entry) -> str:
    target = entry.target
    led = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    if not target or "\0" in target or target.startswith("/") or led == ".." or led.startswith("../"):
        raise _refused(entry.name, f"is a link that leads out: {printable(target)}")
    return target


def _refused(name: str, what: str) -> FetchError:
    return FetchError(
        f"{printable(name)!r} in it {what}", hint="such an archive is not unpacked; unpack it by hand if you trust it"
    )
