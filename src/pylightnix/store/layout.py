"""Where things stand in a store, and which version of that it is. Unaware of what the files mean."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path

from pylightnix.errors import FormatError, StoreError
from pylightnix.hashing import canonical
from pylightnix.model.addresses import shown
from pylightnix.names import printable
from pylightnix.store.changes import make_directories
from pylightnix.store.files import ID, InTheWayError, NewFile, decode_json, is_in_the_way, read_small, write_once

FORMAT = 1
"""Version of the layout that this package writes, and the newest that it reads."""

DIRECTORY = ".pylightnix"
"""Name of a store that belongs to what lies beside it."""

_PLACES = ("derivations", "store", "records", "environments", "roots", "failed", "locks", "kept")
"""Made with the store; `kept` too, since it is needed where there may be no room for a directory any more."""

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
"""What the system says where a disk is full, or somebody's share of it."""

_GATE = "locks/collect.lock"
"""Made with the store too: a collection has to lock it where there may be no room for a file any more."""

_LATER = ("tmp", "tmp/checkpoints", "tmp/slurm", "cache", "cache/used", "locks/held", "locks/shares", "quarantine",
          "trash")  # fmt: skip
_DIRECTORIES = (*_PLACES, *_LATER)
_VERSION = re.compile(r"store/([1-9][0-9]{0,8})")


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|[^/]*@[^/]*:")
"""How addresses begin: of the web and the like, and those of scp."""


def is_store(directory: str) -> bool:
    """Whether this directory is a store, or the place of one that is not made yet, whatever its version."""
    if os.path.basename(directory) == DIRECTORY:
        return True
    path = f"{directory}/format.json"
    try:
        return stat.S_ISREG(os.lstat(path).st_mode) and b'"pylightnix":"store/' in read_small(path)
    except (OSError, StoreError):
        return False


class Layout:
    """The paths of a store. It is created at the first write; until then all is empty.

    Args:
        root: the store's directory; made absolute at once, so that a later chdir changes nothing.

    Raises:
        FormatError: it is newer, or no store.
        StoreError: it cannot be read, or this is no path.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = _absolute(root)
        self.derivations = f"{self.root}/derivations"
        self.store = f"{self.root}/store"
        self.records = f"{self.root}/records"
        self.environments = f"{self.root}/environments"
        self.tmp = f"{self.root}/tmp"
        self.checkpoints = f"{self.tmp}/checkpoints"
        self.failed = f"{self.root}/failed"
        self.roots = f"{self.root}/roots"
        self.trash = f"{self.root}/trash"
        self.kept = f"{self.root}/kept"
        self.locks = f"{self.root}/locks"
        self.cache = f"{self.root}/cache"
        self.quarantine = f"{self.root}/quarantine"
        self._format = f"{self.root}/format.json"
        self._ready = False
        self.check()

    def check(self) -> None:
        """See that what is there, if anything, is a store of a version that can be read.

        Raises:
            FormatError: it is newer, or no store.
            StoreError: it cannot be read, or leads out of itself.
        """
        try:
            _check_format(self._format, read_small(self._format))
        except FileNotFoundError:
            self._check_absent()
        except OSError as error:
            raise self._unreadable(error) from error
        self._check_directories()

    def _check_directories(self) -> None:
        """A link in the place of a directory would lead what we write to where nobody expects it."""
        for name in _DIRECTORIES:
            path = f"{self.root}/{name}"
            if is_in_the_way(path):
                raise StoreError(
                    "in the place of a directory of the store there is a link, or a file", where=printable(path),
                    hint="move it away; to keep a store elsewhere, let a link lead to the whole of it", place=name,
                )  # fmt: skip

    def _check_absent(self) -> None:
        """Without its format a store is a directory that is empty, or in which one was begun and not finished."""
        try:
            there = sorted(os.listdir(self.root))
            begun = there == ["tmp"] and all(map(ID.fullmatch, os.listdir(self.tmp)))
        except FileNotFoundError:
            return
        except NotADirectoryError:
            begun = False
        except OSError as error:
            raise self._unreadable(error) from error
        if there and not begun and not os.path.lexists(self._format):  # else somebody has made it meanwhile
            above = os.path.dirname(self.root)
            raise FormatError(
                f"this directory is no store: it has no format.json but {printable(', '.join(there[:3]))}",
                where=printable(self.root),
                hint=f"it is a part of the store {printable(above)}: give the path of that"
                if is_store(above)
                else "give the path of a store, or of a directory that is empty or not there yet",
            )

    def _unreadable(self, error: OSError) -> StoreError:
        return StoreError(
            f"the store cannot be read: {error.strerror or error}", where=printable(self.root),
            hint="give the path of a directory that you may read, with --store or $PYLIGHTNIX_STORE", errno=error.errno,
        )  # fmt: skip

    def ensure(self, *, again: bool = False) -> None:
        """Make what is missing, the format first; done once, before the first write.

        Args:
            again: whether to look again, since something is missing that was there.

        Raises:
            StoreError: it cannot be written.
        """
        if self._ready and not again:
            return
        self._check_directories()
        try:
            make_directories(self.tmp)
            if not os.path.lexists(self._format):
                write_once(self.tmp, self._format, canonical({"pylightnix": f"store/{FORMAT}"}), lasting=True)
            for place in _PLACES:
                make_directories(f"{self.root}/{place}")
            _reserve(f"{self.root}/{_GATE}")
        except OSError as error:
            raise unwritable(self.root, error) from error
        self._ready = True


def _reserve(path: str) -> None:
    """Make an empty file where there is none."""
    if not os.path.lexists(path):
        with contextlib.suppress(FileExistsError), NewFile(path, 0o664):
            pass


def refuse_address(path: str) -> None:
    """StoreError if this is an address, which would quietly be a directory of that name here."""
    if _ADDRESS.match(path):
        raise StoreError(
            f"{shown(path)!r} is an address, and no path for a store",
            hint="give the path of a directory; pylightnix push sends results to an address",
        )


def _absolute(root: Path | str) -> str:
    text = os.fsdecode(root)
    if isinstance(root, str):
        refuse_address(root)
    if not text or "\0" in text:
        raise StoreError(f"{text!r} is no path for a store", hint="give the path of a directory")
    try:
        return os.path.abspath(os.path.expanduser(text))
    except FileNotFoundError as error:
        raise StoreError(
            "the working directory does not exist any more", where=printable(text), hint="give an absolute path"
        ) from error


def _check_format(path: str, data: bytes) -> None:
    try:
        found = decode_json(data.decode())["pylightnix"]
        version = _VERSION.fullmatch(found)
    except (ValueError, LookupError, TypeError, RecursionError):
        version = None
    if version is None:
        raise FormatError(
            "format.json says nothing that can be understood", where=printable(path), hint="is this a store?"
        )
    if int(version[1]) > FORMAT:
        raise FormatError(
            f"this store has the format {found}, this version reads up to store/{FORMAT}", where=printable(path),
            hint="use the version of pylightnix that made it, or a newer one",
        )  # fmt: skip


def unwritable(where: str, error: OSError) -> StoreError:
    """The error for a store that refuses a write."""
    if isinstance(error, InTheWayError):
        return StoreError(
            error.what, where=printable(error.path), hint="move it away; nothing of the store is in it",
            errno=error.errno,
        )  # fmt: skip
    return StoreError(
        f"the store cannot be written: {error.strerror or error}",
        where=printable(where),
        hint="what is realized already can be used; to build, free space or rights, or choose another store "
        "(--store, $PYLIGHTNIX_STORE)",
        errno=error.errno,
    )


class writing:  # noqa: N801  (used as a function; every stage needs some, and this costs a third of a generator)
    """Turns what the file system refuses into an error that says so."""

    __slots__ = ("_where",)

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise unwritable(self._where, error) from error
