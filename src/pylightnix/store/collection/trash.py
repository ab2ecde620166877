"""The trash: what was collected and can still be had back. Each thing in it has a name that says until when.

`trash/<due>@<id>@<what>@<reference>`; what is `artifacts` or `record`. Unaware of why anything was collected.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pylightnix.clock import now, stamp
from pylightnix.errors import DamageError, StoreError, UnknownReferenceError
from pylightnix.hashing import DIGITS
from pylightnix.names import KeyRef, RealizationRef, is_prefix, printable
from pylightnix.store import changes
from pylightnix.store.aside import beside_of
from pylightnix.store.collection.gate import Gate
from pylightnix.store.files import ID, fresh_id, read_small
from pylightnix.store.layout import Layout, writing
from pylightnix.store.sealing import seal_top

_NAME = re.compile(rf"(?P<due>[0-9]{{8}}T[0-9]{{6}})@{ID.pattern}@(?P<what>artifacts|record)@(?P<ref>.*)")
_KEY = re.compile(rb'"key":"([0-9a-f]{64})"')


class Trashed(NamedTuple):
    """Something in the trash: until when (in the form of its name), what it is, and of which realization."""

    name: str
    due: str
    what: str
    ref: RealizationRef


class Trash:
    """The trash of a store.

    Args:
        layout: of the store.
        days: for how many days things are kept.
        adrift: whoever gives it is told here what could be moved neither to its place nor back.
    """

    def __init__(self, layout: Layout, days: float = 7.0, *, adrift: set[str] | None = None) -> None:
        self._layout = layout
        self._adrift = set[str]() if adrift is None else adrift
        self.due = stamp(now() + days * 86400)

    def place(self, what: str, ref: str) -> str:
        """A path in it that nobody else has."""
        return f"{self._layout.trash}/{self.due}@{fresh_id()}@{what}@{ref}"

    def all(self) -> list[Trashed]:
        """What is in it, the oldest first."""
        try:
            names = sorted(os.listdir(self._layout.trash))
        except FileNotFoundError:
            return []
        forms = [(name, form) for name in names if (form := _NAME.fullmatch(name))]
        return [Trashed(name, form["due"], form["what"], RealizationRef(form["ref"])) for name, form in forms]

    def due_now(self, *, everything: bool = False) -> list[Trashed]:
        """What need not be kept any more."""
        moment = stamp(now())
        return [one for one in self.all() if everything or one.due <= moment]

    def restore(self, prefix: str) -> list[RealizationRef]:
        """Put back what the trash has of the realizations of this reference, or beginning of one.

        Raises:
            UnknownReferenceError: there is nothing of that name in it, or of several.
            StoreError: the store cannot be written, or nothing says what these artifacts are.
        """
        found = [one for one in self.all() if is_prefix(prefix) and begins(one.ref, prefix)]
        refs = sorted({one.ref for one in found})
        if len(refs) != 1:
            what = f"{prefix} names {len(refs)} realizations in the trash" if refs else f"{prefix} is not in the trash"
            raise UnknownReferenceError(
                printable(what), where=printable(self._layout.trash), ref=prefix, found=refs,
                hint=f"give more digits: {', '.join(refs[:5])}" if refs else "pylightnix gc --list-trash shows what is",
            )  # fmt: skip
        newest = {one.what: one for one in found}
        with writing(self._layout.trash), self._undisturbed():
            try:
                self._put_back(refs[0], newest)
            except PermissionError as error:
                raise self._not_ours(newest, error) from error
            except FileNotFoundError as error:
                raise UnknownReferenceError(
                    f"{refs[0]} was removed from the trash at this moment", where=printable(self._layout.trash),
                    hint="realize its stage again", ref=prefix,
                ) from error  # fmt: skip
        return refs

    def _not_ours(self, found: dict[str, Trashed], error: PermissionError) -> StoreError:
        """The error for what somebody else has put into the trash, or into a trash that is somebody else's."""
        places = [self._layout.trash, *(f"{self._layout.trash}/{one.name}" for one in found.values())]
        owners = {os.lstat(place).st_uid: place for place in places if os.path.lexists(place)}
        whose = next((f"it belongs to user {uid}" for uid in owners if uid != os.geteuid()), "its mode does not let us")
        return StoreError(
            f"it cannot be moved out of the trash: {whose}", where=printable(self._layout.trash), errno=error.errno,
            hint="who collected, perhaps with sudo, can restore it; or give the trash to the owner of the store: "
            f"chown -R --reference={printable(self._layout.store)} {printable(self._layout.trash)}",
        )  # fmt: skip

    @contextlib.contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """No collection looks between the two moves."""
        entered = Gate(self._layout.locks).enter()
        try:
            yield
        finally:
            if entered is not None:
                entered.release()

    def _put_back(self, ref: RealizationRef, found: dict[str, Trashed]) -> None:
        """The record first: without artifacts it is a collected one, and artifacts without a record are debris."""
        if "record" in found:
            source = f"{self._layout.trash}/{found['record'].name}"
            home = f"{self._layout.records}/{self._home(source, ref)}"
            if not os.path.lexists(f"{home}/{ref.digits}"):
                changes.make_directories(home)
                changes.move(source, f"{home}/{ref.digits}")
        elif not any(path.is_dir() for path in Path(self._layout.records).glob(f"*-{ref.name}/{ref.digits}")):
            raise UnknownReferenceError(
                f"the record of {ref} was removed, and its artifacts alone are no realization",
                where=printable(self._layout.trash), hint="realize its stage again", ref=ref,
            )  # fmt: skip
        if "artifacts" in found and not os.path.lexists(f"{self._layout.store}/{ref}"):
            self.put_back_artifacts(ref, found["artifacts"].name)

    def put_back_artifacts(self, ref: RealizationRef, name: str) -> None:
        """Move what has this name here to its place, where nothing is. OSError as it comes.

        What an ordinary user has put here is not sealed, since he could not move it then; so it is sealed beside its
        place, before anybody can see it.
        """
        source, target = f"{self._layout.trash}/{name}", f"{self._layout.store}/{ref}"
        if not os.lstat(source).st_mode & 0o222:
            changes.move(source, target)
            return
        beside = beside_of(target)
        changes.move(source, beside)
        try:
            seal_top(beside)
            changes.move(beside, target)
        except BaseException:
            try:
                changes.set_mode(beside, stat.S_IMODE(os.lstat(beside).st_mode) | stat.S_IRWXU)
                changes.move(beside, source)
            except OSError:  # then whoever looks next sees to it
                self._adrift.add(beside)
            raise

    def _home(self, place: str, ref: RealizationRef) -> KeyRef:
        """The key stands in the record."""
        form = _KEY.search(read_small(f"{place}/record.json"))
        if form is None:
            raise DamageError("the record in the trash cannot be read", where=printable(place))
        return KeyRef.of(form[1].decode(), ref.name)


def begins(ref: str, prefix: str) -> bool:
    """Whether a prefix, perhaps with the beginning of a name, is one of this reference."""
    digits, _, name = prefix.partition("-")
    return ref.startswith(digits) and ref[DIGITS + 1 :].startswith(name)
