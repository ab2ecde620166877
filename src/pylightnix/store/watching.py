"""Whether what a builder was given was changed while it ran: a cheap look, and a true one where that raises suspicion.

Artifacts are read-only, but root is not stopped by that, nor is an owner who changes modes. The system notes when a
file was last changed, and nobody can set that time. The top directory of artifacts is sealed last, so where nobody
touched them no file was changed later than the top. (What is changed in the same tick of that clock in which it was
sealed is missed.) Suspicion alone proves nothing, since somebody may have mended a mode, so then every byte is looked
at. Unaware of what runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pylightnix.model.records import Record
from pylightnix.names import RealizationRef
from pylightnix.store.layout import Layout
from pylightnix.store.manifests import EMPTY


class Change(NamedTuple):
    """An input that is not any more what its record says: which one, and what of it."""

    ref: RealizationRef
    what: str


class Watch:
    """Watches the artifacts of some realizations from now on.

    Args:
        layout: of the store.
        notes: a directory that was just made in it: the clock of the file system.
        records: of the realizations.
        settle: makes all of these visible, if some are not yet.
    """

    __slots__ = ("_inputs", "_layout", "_settle", "_since")

    def __init__(self, layout: Layout, notes: str, records: Iterable[Record], settle: Callable[[], None]) -> None:
        self._layout = layout
        self._settle = settle
        self._inputs = [(record, _changed_at(f"{layout.store}/{record.ref}")) for record in records]
        self._since = _changed_at(notes) if any(record.tree != EMPTY for record, _ in self._inputs) else 0

    def changes(self, looks: int) -> list[Change]:
        """What was changed since, as far as a look at few files tells.

        The top of all artifacts and what is promised are looked at in any case.

        Args:
            looks: how many files more may be looked at; artifacts that have no more than that are looked at wholly.
        """
        found = []
        for record, top in self._inputs:
            looks -= record.files
            if self._is_suspicious(record, top, wholly=looks >= 0):
                self._settle()
                found += _proven(self._layout, record)
        return found

    def _is_suspicious(self, record: Record, top: int, *, wholly: bool) -> bool:
        place = f"{self._layout.store}/{record.ref}"
        if _changed_at(place) != top:
            return True
        if record.tree == EMPTY:
            return False
        latest = max(top, self._since - 1)
        paths = _below(place) if wholly else (f"{place}/{kept.path}" for kept in record.promises.values())
        return any(not 0 <= _changed_at(path) <= latest for path in paths)


def _changed_at(path: str) -> int:
    """When the system says that something was changed last, in nanoseconds; -1 if it is not there."""
    try:
        return os.lstat(path).st_ctime_ns
    except OSError:
        return -1


def _below(top: str) -> Iterator[str]:
    """All that is in a directory."""
    waiting = [top]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    yield entry.path
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            yield ""  # what cannot be read is not there


def _proven(layout: Layout, record: Record) -> list[Change]:
    """What a look at every byte finds."""
    if not os.path.lexists(f"{layout.store}/{record.ref}"):
        return [Change(record.ref, "it is not there any more")]
    from pylightnix.store.verification.checking import check_realization
    from pylightnix.store.verification.findings import Kind

    above = f"store/{record.ref}"
    found = check_realization(layout, record.home, record.ref.digits)
    damaged = {finding.file: finding.what for finding in found if finding.kind is Kind.MODE}
    worse = [one for one in found if one.kind in (Kind.ARTIFACTS, Kind.RIGHTS) and one.file.startswith(above)]
    damaged.update({finding.file: finding.what for finding in worse})
    return [Change(record.ref, f"{file[len(above) + 1 :]}: {what}".lstrip(": ")) for file, what in damaged.items()]
