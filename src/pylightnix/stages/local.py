"""Stages that bring in what lies on this machine: a file, a directory, a text. What counts is what is in them.

The place is in no identity: the same content from elsewhere is the same derivation. Times and owners do not count.
"""

from __future__ import annotations

import fnmatch
import functools
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pylightnix.dsl.derivation import Derivation
from pylightnix.errors import ConfigError, StoreError
from pylightnix.hashing import digest_document
from pylightnix.model.promises import Promise
from pylightnix.names import name_like, printable
from pylightnix.store.filehash import hash_file
from pylightnix.store.layout import is_store

Place = str | os.PathLike[str]


def local_file(path: Place, *, name: str | None = None) -> Derivation[None]:
    """A file of this machine, as an input: its promise `file` has the content that it has now.

    The content is read when this is called, and once more when it is copied into the store, which is done only if no
    file with this content and this name is there already.

    Args:
        path: the file; a link is followed.
        name: of the derivation; default that of the file.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
    """
    source, where = place_of(path, "local_file")
    seen = _see(source, where)
    if not stat.S_ISREG(seen.st_mode):
        raise ConfigError("this is no file", where=where, hint=_other(seen, "local_dir"))
    try:
        content = _content(source)
    except (OSError, StoreError) as error:
        raise _unreadable(where, error) from error
    return _described(
        name or name_like(source.name, "file"),
        functools.partial(_take_file, source=str(source)),
        {"content": content, "executable": bool(seen.st_mode & stat.S_IXUSR)},
        {"file": Promise(_inner(source, where), empty=True)},
        source,
        "local_file/1",
    )


def local_dir(path: Place, *, ignore: Sequence[str] = (), name: str | None = None) -> Derivation[None]:
    """A directory of this machine with all that is in it, as an input: its promise is `directory`.

    Files, directories, also empty ones, links (which are not followed) and executable bits count. Stores in it are left
    out.

    Args:
        path: the directory.
        ignore: what is left out, by patterns as in a shell: of one name (`*.pyc`, `.git`), or of a path below the
            directory (`raw/*.tmp`). Of a directory that is left out all is; it may be written with a `/` behind it.
        name: of the derivation; default that of the directory.

    Raises:
        ConfigError: there is no such directory, something in it cannot be read, or is neither file, directory nor link.
    """
    source, where = place_of(path, "local_dir")
    if isinstance(ignore, str) or not all(isinstance(pattern, str) for pattern in ignore):
        raise ConfigError(f"ignore={ignore!r} is no list of patterns", where=where, hint='such as ignore=["*.pyc"]')
    seen = _see(source, where)
    if not stat.S_ISDIR(seen.st_mode):
        raise ConfigError("this is no directory", where=where, hint=_other(seen, "local_file"))
    if is_store(str(source)):
        raise ConfigError("this is a store", where=where, hint="give a directory with data")
    patterns = tuple(sorted({_pattern(one, where) for one in ignore}))
    try:
        content = directory_content(source, patterns)
    except (OSError, StoreError) as error:
        raise _unreadable(where, error) from error
    return _described(
        name or name_like(source.name, "directory"),
        functools.partial(take_directory, source=str(source), ignore=patterns),
        {"content": content},
        {"directory": Promise(_inner(source, where), "directory", empty=True)},
        source,
        "local_dir/1",
    )


def _pattern(given: str, where: str) -> str:
    """A pattern as names are held against it; one that no name could fit would quietly leave nothing out."""
    pattern = given.removeprefix("./").rstrip("/")
    if not pattern or pattern.startswith("/") or {".", "..", ""} & set(pattern.split("/")):
        raise ConfigError(
            f"ignore has {given!r}, which nothing below the directory can be called", where=where,
            hint='such as "*.pyc", ".git" or "raw/*.tmp"',
        )  # fmt: skip
    return pattern


def text(name: str, content: str) -> Derivation[None]:
    """A file with this text, in UTF-8, as an input: its promise is `file`.

    Args:
        name: of the derivation and of the file.
        content: the text; it is in the identity.

    Raises:
        ConfigError: that is no text.
        BadNameError: the name cannot be taken.
    """
    if not isinstance(content, str):
        raise ConfigError(f"the content is no text: {type(content).__name__}", where=f"text({name!r})")
    return Derivation(
        name=name,
        builder=_write_text,
        params={"content": content},
        promises={"file": Promise(name, empty=True)},
        version="text/1",
    )


def _write_text(content: str, file: Path) -> None:
    file.write_text(content, encoding="utf-8", newline="")


def place_of(path: Place, stage: str) -> tuple[Path, str]:
    """A path that a person gave, absolute, and where in messages it was given.

    Raises:
        ConfigError: it is none.
    """
    try:
        text = os.fspath(path)
    except TypeError:
        text = ""
    if not isinstance(text, str) or not text or "\0" in text:
        raise ConfigError(f"this is no path: {path!r}", where=stage, hint="give a str or a Path")
    return Path(os.path.abspath(os.path.expanduser(text))), f"{stage}({printable(text)!r})"


def _described(
    name: str, builder: Callable[..., None], params: dict[str, Any], promises: dict[str, Promise], source: Path,
    version: str,
) -> Derivation[None]:  # fmt: skip
    return Derivation(
        name=name, builder=builder, params=params, promises=promises, version=version, reads=[str(source)]
    )


def _take_file(content: str, executable: bool, file: Path, *, source: str) -> None:
    shutil.copyfile(source, file)
    if _content(file) != content:
        raise _changed(source)
    file.chmod(0o755 if executable else 0o644)


def directory_content(source: Path, ignore: Sequence[str] = ()) -> str:
    """The hash of all that counts of a directory."""
    return _digest(_listed(source, ignore, lambda one: _content(one.path)))


def take_directory(content: str, directory: Path, *, source: str, ignore: tuple[str, ...] = ()) -> None:
    """Copy what is in a directory, if it is still what this is the hash of; a builder."""

    def take(one: _Entry) -> str:
        target = directory / one.relative
        shutil.copyfile(one.path, target)
        target.chmod(0o755 if one.executable else 0o644)
        return _content(target)

    def listed() -> Iterator[list[object]]:
        for line in _listed(Path(source), ignore, take):
            kind, relative, detail, _ = line
            if kind == "directory":
                (directory / str(relative)).mkdir(exist_ok=True)
            elif kind == "link":
                (directory / str(relative)).symlink_to(str(detail))
            yield line

    if _digest(listed()) != content:
        raise _changed(source)


def _changed(source: str) -> StoreError:
    return StoreError(
        "it has changed since it was described", where=printable(source),
        hint="realize again when nobody writes to it any more",
    )  # fmt: skip


class _Entry(NamedTuple):
    path: Path
    relative: str
    executable: bool


def _listed(top: Path, ignore: Sequence[str], content: Callable[[_Entry], str]) -> Iterator[list[object]]:
    """What is below a directory, in order, a directory before what is in it: kind, path, what it is, executable bit."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        below: list[str] = []
        with os.scandir(top / folder) as entries:
            for entry in sorted(entries, key=lambda entry: os.fsencode(entry.name)):
                relative = f"{folder}{entry.name}"
                if any(fnmatch.fnmatchcase(entry.name, p) or fnmatch.fnmatchcase(relative, p) for p in ignore):
                    continue
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    if is_store(entry.path):  # perhaps the one that this is copied into
                        continue
                    below.append(f"{relative}/")
                    yield ["directory", relative, "", False]
                elif stat.S_ISLNK(status.st_mode):
                    yield ["link", relative, os.readlink(entry.path), False]
                elif stat.S_ISREG(status.st_mode):
                    executable = bool(status.st_mode & stat.S_IXUSR)
                    yield ["file", relative, content(_Entry(Path(entry.path), relative, executable)), executable]
                else:
                    raise StoreError("it is neither a file, a directory nor a link", where=printable(relative))
        waiting += reversed(below)


def _digest(lines: Iterator[list[object]]) -> str:
    hexed = [[kind, _hexed(relative), _hexed(detail), bit] for kind, relative, detail, bit in lines]
    return digest_document("local-directory", {"entries": hexed})


def _hexed(part: object) -> str:
    """Names and targets may be no UTF-8."""
    return os.fsencode(str(part)).hex()


def _content(path: Path) -> str:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        return hash_file(handle, os.fstat(handle).st_size)
    finally:
        os.close(handle)


def _see(source: Path, where: str) -> os.stat_result:
    try:
        return source.stat()
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror or error}", where=where,
            hint=f"it was looked for at {printable(str(source))}",
        ) from error  # fmt: skip


def _other(seen: os.stat_result, better: str) -> str:
    return f"use {better}" if stat.S_ISDIR(seen.st_mode) or stat.S_ISREG(seen.st_mode) else "give a file or a directory"


def _unreadable(where: str, error: OSError | StoreError) -> ConfigError:
    what = (error.strerror or str(error)) if isinstance(error, OSError) else f"{error.where} {error.what}".strip()
    at = f"{printable(os.fsdecode(error.filename))}: " if isinstance(error, OSError) and error.filename else ""
    return ConfigError(f"cannot be read: {at}{what}", where=where, hint="see to its rights, or leave it out")


def _inner(source: Path, where: str) -> str:
    try:
        source.name.encode()
    except UnicodeEncodeError:
        raise ConfigError("its name is no UTF-8", where=where, hint="rename it, or give a link to it") from None
    return source.name or "root"
