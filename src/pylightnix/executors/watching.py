"""Notes what a builder opens, which variables it reads and whom it connects to. Unaware of what of that was declared.

Python tells a hook of each file that it opens; `os.environ` tells us here. Both are set up once in a process, at its
first run, and cannot be taken away, so they do next to nothing while no builder runs. While one does, a directory is
asked about once: nothing is noted of the files in one that is clear, and most files that are opened are in such a one.
So it is `_glance`, in C, that looks at them first, where it could be compiled; that changes what it costs alone.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import sys
import threading
from _thread import _count as count_threads
from collections.abc import Callable, Iterator, Mapping
from threading import get_ident
from types import CodeType, TracebackType
from typing import Any, Self

from pylightnix.threads import is_own

try:
    from pylightnix.executors import _glance
except ImportError:
    _glance = None  # type: ignore[assignment]

MOST_NOTED = 100_000
"""Different paths of one run that are noted."""

MOST_KNOWN = 10_000
"""Directories that are remembered; whoever opens files in more of them asks again."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CREATING = os.O_WRONLY | os.O_CREAT

_watch: Watch | None = None
"""The watch over the run whose builder is at work in this process: inline runs take turns, an inner one holds the
watch until it has ended."""

_installed = False


class Watch:
    """Over one run: a context around the call of its builder.

    What threads do that were there before is not noted: they are somebody else's.

    Args:
        is_clear: says of a directory, absolute, whether nothing that is opened in it matters; asked once of each.

    Attributes:
        clear: directories that were found to be clear.
        opened: paths as they were given, made absolute once the working directory changes or the builder returned,
            each with whether it was made by the builder: first opened for writing.
        changed: paths that were opened for writing, or replaced, after they had been read.
        made: directories that were made.
        executed: sources of what was executed, as code names them.
        variables: names that code of the project asked for.
        assigned: names that were assigned or deleted.
        contacts: hosts and ports of the network that were looked up, connected to, sent to or listened at.
        forgotten: how many openings were not noted any more.
    """

    __slots__ = (
        "_before", "_is_clear", "_iterated", "_outsiders", "_unclear", "assigned", "changed", "clear", "contacts",
        "executed", "forgotten", "made", "opened", "variables",
    )  # fmt: skip

    def __init__(self, is_clear: Callable[[str], bool]) -> None:
        self.clear: set[str] = set()
        self.opened: dict[Any, bool] = {}
        self.changed: set[str] = set()
        self.made: dict[str, None] = {}
        self.executed: set[str] = set()
        self.variables: dict[str, None] = {}
        self.assigned: set[str] = set()
        self.contacts: dict[tuple[str, str], None] = {}
        self.forgotten = 0
        self._is_clear = is_clear
        self._unclear: set[str] = set()
        self._before: Watch | None = None
        self._outsiders: set[int] = set()
        self._iterated: set[str] = set()

    def __enter__(self) -> Self:
        global _watch
        if not _installed:
            _install()
        if count_threads():
            me = get_ident()
            self._outsiders = {thread.ident for thread in threading.enumerate() if thread.ident not in (me, None)}
        self._before, _watch = _watch, self
        _look_for(self)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        global _watch  # noqa: PLW0603
        _watch = self._before
        _look_for(_watch)
        self.settle()

    @property
    def idle(self) -> bool:
        """Whether there is nothing of which it could matter whether it was declared."""
        return not (self.opened or self.variables or self.contacts)

    def settle(self) -> None:
        """Make all paths absolute, while the working directory is the one that they were opened in."""
        if _are_absolute(self.opened):
            return
        try:
            here = os.getcwd()
        except OSError:
            here = ""
        settled: dict[Any, bool] = {}
        for path, own in self.opened.items():
            settled.setdefault(_absolute(here, path), own)
        self.opened = settled

    def is_the_builder(self) -> bool:
        """Whether what this thread does is the builder's."""
        me = get_ident()
        return me not in self._outsiders and not is_own(me)

    def asked_for(self, name: str, caller: Any) -> None:
        """A variable was read, by this frame."""
        if name in self._iterated:
            self._iterated.discard(name)  # of a walk over the whole environment, such as a copy of it
        elif name not in self.variables and name not in self.assigned and self.is_the_builder():
            from pylightnix.executors.places import is_project_code

            while caller is not None and caller.f_code.co_filename in _PASSED_THROUGH:
                caller = caller.f_back
            with Unwatched():
                if caller is not None and is_project_code(caller.f_code.co_filename):
                    self.variables[name] = None

    def walked(self, name: str) -> None:
        """A walk over the environment came to a variable; that it is read now says nothing of it."""
        self._iterated.add(name)

    def note(self, event: str, args: tuple[Any, ...]) -> None:
        """Something happened that is no opening for reading."""
        if event == "exec":
            if isinstance(args[0], CodeType):
                self.executed.add(args[0].co_filename)
        elif event == "os.mkdir":
            self._mkdir(*args)
        elif event == "os.rename":
            self._rename(*args)
        elif event == "os.chdir":
            self.settle()
        elif event == "sqlite3.connect":
            self._connect_database(args[0])
        elif event in ("os.putenv", "os.unsetenv"):
            self.assigned.add(os.fsdecode(args[0]))
        elif len(self.contacts) < MOST_NOTED:
            self._contact(event, args)

    def writes(self, path: Any, flags: int) -> None:
        """A file is opened for writing; what was in it and is not thrown away was there before."""
        keeps = not flags & os.O_TRUNC and _has_content(path)
        if keeps and flags & os.O_WRONLY and path not in self.opened:
            self.changed.add(_absolute("", path))  # appended to: not read by that, and not the builder's own
        elif not self.opened.setdefault(path, bool(flags & _CREATING) and not keeps):
            self.changed.add(_absolute("", path))

    def opens(self, path: Any, mode: str | None, flags: int) -> None:
        """A file is opened, in a directory that is not known to be clear."""
        if type(path) is str:
            if not path.startswith("/"):
                if mode is None:
                    self._opens_relative(path, flags)
                    return
            elif self._becomes_clear(path[: path.rfind("/")]):
                return
        self._opens(path, flags)

    def _opens(self, path: Any, flags: int) -> None:
        if flags & _WRITING:
            self.writes(path, flags)
        elif len(self.opened) < MOST_NOTED:
            self.opened.setdefault(path, False)
        elif path not in self.opened:
            self.forgotten += 1

    def _opens_relative(self, path: str, flags: int) -> None:
        """`os.open` of a relative path: nobody tells us to what, so it counts where one file alone can be meant.

        Without a directory that is open, that is the one in the working directory.
        """
        places = _open_directories()
        holders = [place for place in ("", *places) if os.path.isfile(os.path.join(place, path))]
        if flags & os.O_CREAT and places and not holders:
            for place in ("", *places):
                self.writes(os.path.join(place, path), flags)
        elif len(holders) == 1 or not places:
            self._opens(os.path.join("".join(holders), path), flags)

    def _becomes_clear(self, folder: str) -> bool:
        if folder in self._unclear:
            return False
        with Unwatched():
            clear = self._is_clear(folder)
        known = self.clear if clear else self._unclear
        if len(known) >= MOST_KNOWN:
            known.clear()
        known.add(folder)
        return clear

    def _mkdir(self, path: Any, _: int, directory: int = -1) -> None:
        if directory == -1 and not os.path.isdir(path):
            self.made[os.path.abspath(os.fsdecode(path))] = None

    def _rename(self, source: Any, target: Any, *directories: int) -> None:
        if directories and directories != (-1, -1):
            return
        if os.path.isdir(source):
            self.made[os.path.abspath(os.fsdecode(target))] = None
        else:
            self.writes(os.fsdecode(target), _CREATING)

    def _contact(self, event: str, args: tuple[Any, ...]) -> None:
        """An address in words; sockets of this machine alone, and pairs, are no network."""
        if event in _LOOKING_UP:
            self.contacts[_text(args[0]), _text(args[1]) if len(args) > 1 else ""] = None
        elif int(args[0].family) in _NETWORK and isinstance(args[1], tuple):
            self.contacts[_text(args[1][0]), str(args[1][1])] = None

    def _connect_database(self, path: Any) -> None:
        if not isinstance(path, int):
            text = os.fsdecode(path)
            if text.startswith("file:") and not os.path.exists(text):
                from urllib.parse import unquote, urlsplit

                text = unquote(urlsplit(text).path)
            self.opened.setdefault(text, not _has_content(text))


class Unwatched:
    """A context in which what this thread does is not the builder's: what listeners and Pylightnix itself do."""

    __slots__ = ("_me", "_watch")

    def __enter__(self) -> None:
        self._me = get_ident()
        self._watch = _watch
        if _watch is not None:
            if self._me in _watch._outsiders:
                self._watch = None
            else:
                _watch._outsiders.add(self._me)

    def __exit__(self, *_: object) -> None:
        if self._watch is not None:
            self._watch._outsiders.discard(self._me)


_LOOKING_UP = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_NETWORK = (2, 10, 23, 30)
"""The numbers that systems have for families of internet addresses, without importing `socket`."""
_DESCRIPTORS = "/proc/self/fd"
_PASSED_THROUGH = frozenset(
    function.__code__.co_filename for function in (os.getenv, Mapping.get, os.path.expandvars)
) | {__file__}
"""Code that reads a variable for whoever calls it."""
_EVENTS = frozenset(
    {
        "exec", "os.mkdir", "os.rename", "os.chdir", "os.putenv", "os.unsetenv", "sqlite3.connect", "socket.connect",
        "socket.sendto", "socket.sendmsg", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname",
        "socket.gethostbyaddr",
    }
)  # fmt: skip


def _hook(event: str, args: tuple[Any, ...]) -> None:
    watch = _watch
    if watch is None:
        return
    if event == "open":
        try:
            if args[0].rpartition("/")[0] in watch.clear:
                return
        except (AttributeError, TypeError):
            pass  # a descriptor, or bytes
        if watch.is_the_builder():
            watch.opens(*args)
    elif event in _EVENTS and watch.is_the_builder():
        watch.note(event, args)


def _look_for(watch: Watch | None) -> None:
    """Tell who glances at files which directories are clear."""
    if _glance is not None:
        _glance.watch(None if watch is None else watch.clear)


def _has_content(path: Any) -> bool:
    """Whether there is a file with something in it."""
    try:
        return os.stat(path).st_size > 0
    except (OSError, ValueError, TypeError):
        return False


def _open_directories() -> list[str]:
    """Directories of which this process has descriptors."""
    found: set[str] = set()
    try:
        names = os.listdir(_DESCRIPTORS)
    except OSError:
        return []
    for name in names:
        with contextlib.suppress(OSError):  # the one that the listing itself had
            found.add(os.readlink(f"{_DESCRIPTORS}/{name}"))
    return [path for path in sorted(found) if path.startswith("/") and os.path.isdir(path)]


def _are_absolute(paths: dict[Any, bool]) -> bool:
    """Whether all are texts that begin with a slash; looked at as one text, which takes a tenth of the time."""
    try:
        text = "\0".join(paths)
    except TypeError:
        return False
    return not paths or (text.startswith("/") and text.count("\0/") == len(paths) - 1)


def _absolute(here: str, path: Any) -> Any:
    """A path as text, absolute if `here` is; a descriptor is left as it is."""
    if isinstance(path, int):
        return path
    text = os.fsdecode(path)
    return os.path.join(here, text) if here else text


def _text(part: Any) -> str:
    return os.fsdecode(part) if isinstance(part, (str, bytes)) else "" if part is None else str(part)


def _install() -> None:
    """Set the hook, and let `os.environ` tell; its type stays what it is."""
    global _installed  # noqa: PLW0603
    _installed = True
    if _glance is None:
        sys.addaudithook(_hook)
    else:
        _glance.install(_hook, _EVENTS | {"open"})
        atexit.register(_look_for, None)
    kind: Any = type(os.environ)
    if kind.__module__ != "os":
        return
    get, walk = kind.__getitem__, kind.__iter__

    @functools.wraps(get)
    def read(self: Any, key: Any) -> Any:
        if _watch is not None and isinstance(key, (str, bytes)):
            _watch.asked_for(os.fsdecode(key), sys._getframe(1))
        return get(self, key)

    @functools.wraps(walk)
    def iterate(self: Any) -> Iterator[Any]:
        for key in walk(self):
            if _watch is not None:
                _watch.walked(os.fsdecode(key))
            yield key

    kind.__getitem__, kind.__iter__ = read, iterate
