"""What stays of artifacts that are collected: small promised files, below `kept/`. Unaware of why it is."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterable

from pylightnix.errors import StoreError
from pylightnix.hashing import digest_bytes
from pylightnix.model.records import PromiseRecord, Record
from pylightnix.store import changes
from pylightnix.store.aside import set_aside
from pylightnix.store.files import NewFile, fresh_id, is_directory, read_start, write_once
from pylightnix.store.layout import FULL, writing
from pylightnix.store.manifests import Entry
from pylightnix.store.reading import Reader
from pylightnix.store.removal import remove_tree
from pylightnix.store.trees import tree_of


class NoRoomError(Exception):
    """What was to be kept cannot be: nothing was changed. For those who collect; it goes no further."""


class SmallFiles:
    """The small promised files of a store's realizations that are collected.

    Args:
        reader: of the store.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._layout = reader.layout

    def _place(self, record: Record) -> str:
        return f"{self._layout.kept}/{record.ref}"

    def copy(self, record: Record, most: int, *, can_stay: bool) -> frozenset[bytes]:
        """Copy promised files that are small, before the rest goes; what is damaged is not kept.

        Args:
            record: of what is to be collected.
            most: bytes that such a file may have.
            can_stay: whether, for want of room, the files may stay themselves: not if all goes to the trash.

        Returns:
            The paths of those that have to stay themselves: `take_all` and `reduce` see to that.

        Raises:
            NoRoomError: there is no room for copies, and they cannot stay.
            OSError: the system refused for another reason.
        """
        payload = self._reader.payload_text(record)
        files = [promise for promise in record.promises.values() if promise.kind == "file"]
        try:
            for promise in files:
                data = _small(payload, promise, most)
                if data is not None:
                    target = f"{self._place(record)}/{promise.path}"
                    changes.make_directories(os.path.dirname(target))
                    write_once(self._layout.tmp, target, data)
        except OSError as error:
            if error.errno not in FULL:
                raise
            if not can_stay:
                raise NoRoomError from error
            try:
                changes.make_directories(self._layout.kept)
            except OSError:
                raise NoRoomError from error
            return frozenset(os.fsencode(one.path) for one in files if _small(payload, one, most) is not None)
        return frozenset()

    def put(self, record: Record, path: str, content: Iterable[bytes | memoryview]) -> None:
        """Keep a promised file of a realization that is collected; StoreError if that cannot be written."""
        target, beside = f"{self._place(record)}/{path}", f"{self._layout.tmp}/{fresh_id()}"
        self._layout.ensure()
        with writing(target):
            try:
                with NewFile(beside) as file:
                    for portion in content:
                        file.write(portion)
                    file.sync()
                changes.make_directories(os.path.dirname(target))
                changes.replace(beside, target)
            except BaseException:
                with contextlib.suppress(OSError):
                    changes.remove_file(beside)
                raise

    def take_all(self, record: Record, away: list[str]) -> None:
        """Let all artifacts stand where the small ones are kept, until `reduce`: it needs no room. Gate closed.

        Args:
            record: of them.
            away: where what was kept before is now, if anything was; to be removed when the gate is open.
        """
        payload, kept = self._reader.payload_text(record), self._place(record)
        if not os.path.lexists(payload):  # somebody else has collected it, and kept what is small
            return
        unique = f"{self._layout.tmp}/{fresh_id()}"
        with contextlib.suppress(FileNotFoundError):
            set_aside(kept, unique)
            away.append(unique)
        set_aside(payload, kept)

    def reduce(self, record: Record, stay: Collection[bytes]) -> None:
        """Remove of what is kept all but the files at these paths."""
        remove_tree(self._place(record), stay)

    def finish(self, collected: Iterable[Record]) -> None:
        """Remove of what is kept all that was not promised: a collection ended before it had removed the rest."""
        try:
            kept = frozenset(os.listdir(self._layout.kept))
        except OSError:
            return
        for record in collected:
            if record.ref in kept:
                with contextlib.suppress(StoreError):
                    self.reduce(record, [os.fsencode(promise.path) for promise in record.promises.values()])


def _small(payload: str, promise: PromiseRecord, most: int) -> bytes | None:
    """A promised file, through no link; None if it is larger than that, not there, or not what was promised."""
    *above, name = promise.path.split("/")
    for part in ("", *above):
        payload = f"{payload}/{part}" if part else payload
        if not is_directory(payload):
            return None
    try:
        status = os.lstat(f"{payload}/{name}")
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            return None
        data = read_start(f"{payload}/{name}", most + 1)
    except FileNotFoundError:
        return None
    entry = Entry("file", os.fsencode(promise.path), digest_bytes(data), len(data), status.st_mode & 0o100 != 0)
    (artifact,) = tree_of([entry], [promise.path]).artifacts.values()
    return data if artifact.digest == promise.tree else None
