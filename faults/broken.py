"""Stores that are broken on purpose, each as a careless edit could break it; a campaign must catch all of them.

Each takes the place of the store's own code for as long as it lasts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from pylightnix.remotes import directory
from pylightnix.remotes.sending import Sender
from pylightnix.store import changes, claims, files, layout, pending, publishing, writing
from pylightnix.store.archives import writing as writing_archives
from pylightnix.store.claims import HeldSlot
from pylightnix.store.collection import holds

Broken = Callable[[], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def _instead(places: list[Any], name: str, other: Any) -> Iterator[None]:
    before = [getattr(place, name) for place in places]
    try:
        for place in places:
            setattr(place, name, other)
        yield
    finally:
        for place, own in zip(places, before, strict=True):
            setattr(place, name, own)


def record_before_artifacts() -> contextlib.AbstractContextManager[None]:
    """The record is made visible while the artifacts are still in the workspace."""
    publish = writing.Writer.register

    def register(self: writing.Writer, sealed: Any, run: Any, **known: Any) -> Any:
        final = self.place(sealed.record)
        if not os.path.lexists(final):
            publishing.write_notes(sealed, run)
            changes.make_directory(final)
            for name in ("record.json", "manifest.jsonl"):
                with contextlib.suppress(FileNotFoundError):
                    data = files.read_small(f"{sealed.workspace.notes}/{name}")
                    files.write_new(f"{final}/{name}", data)
        return publish(self, sealed, run, **known)

    return _instead([writing.Writer], "register", register)


def one_temporary_name() -> contextlib.AbstractContextManager[None]:
    """What is being made has a name that the next one has too."""
    return _instead([writing, files], "fresh_id", lambda: "1-000000000000")


def nothing_cleared_up() -> contextlib.AbstractContextManager[None]:
    """What could not be finished stays where it was."""
    return _instead([writing.Writer], "discard", lambda self, workspace: None)


def files_left_open() -> contextlib.AbstractContextManager[None]:
    """A file that could not be written is not closed."""

    def write_new(path: str, data: bytes, *, lasting: bool = False) -> None:
        handle = changes.open_new(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        files.write_all(handle, data)
        os.close(handle)

    return _instead([files, writing, publishing], "write_new", write_new)


def errors_of_the_system() -> contextlib.AbstractContextManager[None]:
    """What the system refuses is passed on as it comes."""

    def writing_(where: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    return _instead([writing, layout, pending, claims], "writing", writing_)


def slots_for_everybody() -> contextlib.AbstractContextManager[None]:
    """Nobody learns of others that make the same."""
    return _instead([claims.Claims], "claim", lambda self, home, begin=None: HeldSlot(()))


def visible_at_once() -> contextlib.AbstractContextManager[None]:
    """Records are made visible before what they speak of was synced."""

    def settle(self: pending.Pending) -> Any:
        durability, self.durability = self.durability, "none"
        try:
            return own(self)
        finally:
            self.durability = durability
            changes.sync_all(self._root)

    own = pending.Pending._settle
    return _instead([pending.Pending], "_settle", settle)


def nothing_held() -> contextlib.AbstractContextManager[None]:
    """What is chosen is kept from no collection."""
    return _instead([holds.Holds], "note", lambda self, refs: True)


@contextlib.contextmanager
def content_sent_last() -> Iterator[None]:
    """What claims of a remote refer to is sent after them."""
    send, close = Sender.send, Sender.close
    waiting: list[tuple[Any, ...]] = []

    def at_last(self: Sender) -> None:
        for one in waiting:
            send(*one)
        close(self)

    with _instead([Sender], "send", lambda *one: waiting.append(one)), _instead([Sender], "close", at_last):
        yield


def new_directories_forgotten() -> contextlib.AbstractContextManager[None]:
    """The names of directories that a remote gets are not synced."""
    return _instead([directory], "sync_name", lambda path: None)


def archives_in_their_place() -> contextlib.AbstractContextManager[None]:
    """An archive has its name while it is written."""
    return _instead([writing_archives], "finished", contextlib.nullcontext)
