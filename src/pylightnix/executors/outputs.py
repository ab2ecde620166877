"""The output directory of a run: made ready before the builder, held against the promises after it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from pylightnix.executors.telling import describe, format_traceback
from pylightnix.model.build import Failure
from pylightnix.model.promises import Promise
from pylightnix.names import printable

SHOWN = 20
"""Names of the output directory that stand in the message of a broken promise."""

COUNTED = 1000
"""Entries of the output directory that are looked at for that message."""

_LINKS = 40


class _BrokenError(Exception):
    """A promise does not hold; `found` completes the sentence that begins with its path."""

    def __init__(self, found: str, cause: BaseException | None = None) -> None:
        super().__init__(found)
        self.found = found
        self.cause = cause


def prepare(out: str, promises: Mapping[str, Promise]) -> dict[str, Path]:
    """Make the parents of the promised artifacts, and the promised directories; the paths by name."""
    paths = {}
    for name, promise in promises.items():
        path = paths[name] = Path(out, promise.path)
        if promise.kind == "directory":
            path.mkdir(parents=True, exist_ok=True)
        elif "/" in promise.path:
            path.parent.mkdir(parents=True, exist_ok=True)
    return paths


def check(out: str, promises: Mapping[str, Promise]) -> Failure | None:
    """What is broken of the promises, None if nothing is. The directory itself is promised always."""
    gone = _not_a_directory(out)
    if gone:
        what = f"the output directory {gone}"
        return Failure("promise", what, fields={"promise": "", "path": ".", "found": gone, "there": []})
    broken = [(name, error) for name in promises if (error := _broken(out, promises[name])) is not None]
    return _failure(out, promises, broken) if broken else None


def _not_a_directory(out: str) -> str:
    try:
        mode = os.lstat(out).st_mode
    except OSError as error:
        return "is not there any more" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
    return "" if stat.S_ISDIR(mode) else f"was replaced by {_kind(mode)}"


def _failure(out: str, promises: Mapping[str, Promise], broken: list[tuple[str, _BrokenError]]) -> Failure:
    there = sorted(name for name, _ in zip(_entries(out), range(COUNTED), strict=False))
    parts = [f"promise {name!r} is broken: {printable(promises[name].path)} {error.found}" for name, error in broken]
    (name, first), *_ = broken
    return Failure(
        "promise",
        f"{'; '.join(parts)}; the output directory has {_listing(there)}",
        format_traceback(first.cause) if first.cause is not None else "",
        {
            "promise": name,
            "path": promises[name].path,
            "found": first.found,
            "there": there[:SHOWN],
            "broken": [broken_name for broken_name, _ in broken],
        },
    )


def _listing(there: list[str]) -> str:
    if not there:
        return "nothing in it"
    more = len(there) - SHOWN
    rest = "" if more <= 0 else f" and {'at least ' if len(there) == COUNTED else ''}{more} more"
    return f"{', '.join(there[:SHOWN])}{rest}"


def _entries(top: str) -> Iterator[str]:
    """The relative names of files, links and empty directories (these end in /), made printable."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        empty = True
        try:
            with os.scandir(f"{top}/{folder}") as entries:
                for entry in entries:
                    empty = False
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{folder}{entry.name}/")
                    else:
                        yield printable(folder + entry.name)
        except OSError:
            pass
        if empty and folder:
            yield printable(folder)


def _broken(out: str, promise: Promise) -> _BrokenError | None:
    try:
        path, mode, size = _resolve(out, promise.path)
        _check_kind(promise, mode)
        if not promise.empty:
            _check_content(path, mode, size)
        if promise.check is not None:
            _ask(promise, Path(out, promise.path))
    except _BrokenError as error:
        return error
    except OSError as error:
        return _BrokenError(f"cannot be read: {error.strerror or error}")
    return None


def _resolve(out: str, inner: str) -> tuple[str, int, int]:
    """Follow a promised path by hand: where it ends, its mode and size.

    A link with an absolute target leaves the directory even if it points into it: the directory will be moved.
    """
    waiting = inner.split("/")[::-1]
    done: list[str] = []
    links = 0
    path, found = out, None
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not done:
                raise _BrokenError("is, or lies below, a link that leaves the output directory")
            done.pop()
            path, found = "/".join((out, *done)), None
            continue
        path = "/".join((out, *done, part))
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            raise _BrokenError("is, or lies below, a link to nothing" if links else "is not there") from None
        if not stat.S_ISLNK(found.st_mode):
            done.append(part)
            continue
        links += 1
        target = os.readlink(path)
        if os.path.isabs(target):
            raise _BrokenError(f"is, or lies below, a link that leaves the output directory (to {printable(target)})")
        if links > _LINKS:
            raise _BrokenError("is, or lies below, a link that never ends")
        waiting.extend(reversed(target.split("/")))
    if found is None:
        found = os.lstat(path)
    return path, found.st_mode, found.st_size


def _check_kind(promise: Promise, mode: int) -> None:
    fits = {"file": stat.S_ISREG(mode), "directory": stat.S_ISDIR(mode)}
    if promise.kind == "any":
        if not any(fits.values()):
            raise _BrokenError(f"is {_kind(mode)}, neither a file nor a directory")
    elif not fits[promise.kind]:
        raise _BrokenError(f"is {_kind(mode)}, not a {promise.kind}")


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "a file"
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISLNK(mode):
        return "a link"
    return "a fifo" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"


def _check_content(path: str, mode: int, size: int) -> None:
    if stat.S_ISREG(mode):
        if size == 0:
            raise _BrokenError("is an empty file")
        return
    with os.scandir(path) as entries:
        if next(entries, None) is None:
            raise _BrokenError("is an empty directory")


def _ask(promise: Promise, path: Path) -> None:
    if promise.check is None:
        return
    try:
        verdict = promise.check(path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _BrokenError(f"fails its check: {describe(error)}", error) from None
    if _is_false(verdict):
        raise _BrokenError("fails its check: it returned False")


def _is_false(verdict: object) -> bool:
    """Whether a check said no: False, also NumPy's; None and every other value say yes."""
    kind = type(verdict)
    return verdict is False or (kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_") and not verdict)
