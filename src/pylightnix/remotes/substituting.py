"""Remotes as places where results may be had instead of being made. Unaware of plans and matchers.

All are asked for candidates at once; artifacts come from the first that has them, in the order in which they are given.
A remote that is dead, or has kept others waiting for nothing for `PATIENCE` seconds in all, is not asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TimedOutError
from typing import NamedTuple

from pylightnix.errors import DamageError, PylightnixError, StoreError, TrustError
from pylightnix.model.amounts import size
from pylightnix.model.records import Record, Run
from pylightnix.model.shelf import Shelf
from pylightnix.names import KeyRef, RealizationRef
from pylightnix.remotes.fetching import Fetcher
from pylightnix.remotes.finding import Doubt, Finder, Offered, Wanted
from pylightnix.remotes.format import tree_name
from pylightnix.remotes.pulling import fetch_artifacts, pull_closure
from pylightnix.remotes.remote import Remote
from pylightnix.remotes.workers import PARTING, Workers
from pylightnix.store.closures import Place
from pylightnix.store.files import is_directory
from pylightnix.store.reading import Reader
from pylightnix.store.writing import Writer

PATIENCE = 5.0
_ASKING = 8

Found = Mapping[Place, Offered]


class _Source:
    """A remote, asked by threads that nobody waits for in the end.

    Args:
        remote: which.
        store: what is there already.
        doubt: judges claims.
    """

    def __init__(self, remote: Remote, store: Reader, doubt: Doubt) -> None:
        self.url = remote.url
        self.problem = ""
        self.fetcher = Fetcher(remote.backend, address=remote.address)
        self.finder = Finder(remote, store, self.fetcher, doubt)
        self._waited = 0.0
        self._asking = Workers(_ASKING, "pylightnix-seek")

    def close(self) -> None:
        """End all threads, or leave those behind that wait for nothing."""
        parting = 0.0 if self.problem else PARTING
        self._asking.close(parting)
        self.fetcher.close(parting)

    def ask(self, home: KeyRef, skip: frozenset[RealizationRef]) -> Future[Found]:
        """Begin to ask what it has under a key."""
        return self._asking.submit(self._ask, home, skip)

    def _ask(self, home: KeyRef, skip: frozenset[RealizationRef]) -> Found:
        return {} if self.problem else self.finder.under(home, skip)

    def answer(self, future: Future[Found]) -> Found:
        """What it has, unless that takes too long or goes wrong: then nothing, now and later."""
        if self.problem:
            return {}
        begun = time.monotonic()
        try:
            found = future.result(max(PATIENCE - self._waited, 0.0))
        except TimedOutError:
            self.problem = f"it does not answer within {PATIENCE:.0f} s"
            return {}
        except PylightnixError as error:
            self.problem = str(error)
            return {}
        if not found:
            self._waited += time.monotonic() - begun
        return found


class Substitutes:
    """Remotes, for one walk over a closure; to be closed. It implements `Supply`.

    Args:
        store: takes what is had.
        remotes: which, the cheapest first.
        doubt: gives the judge of the claims of a remote.
        look: whether only to look: nothing is written.
        warn: is told, in the end and once for each remote, what went wrong or was not believed.
    """

    there = True

    def __init__(
        self, store: Writer, remotes: Sequence[Remote], doubt: Callable[[Remote], Doubt], *, look: bool,
        warn: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._store = store
        self._look = look
        self._warn = warn
        self._sources = [_Source(remote, store, doubt(remote)) for remote in remotes]
        self._found: dict[RealizationRef, list[_Candidate]] = {}
        self._under: dict[KeyRef, dict[RealizationRef, tuple[Record, Shelf]]] = {}

    def close(self) -> None:
        """Say what went wrong, and end what goes on."""
        for source in self._sources:
            source.close()
            doubts = source.finder.distrusted
            if source.problem:
                self._warn(f"{source.url} was not asked any more: {source.problem}")
            elif doubts:
                results = f"{len(doubts)} results were" if len(doubts) > 1 else "1 result was"
                self._warn(f"{source.url}: {results} not taken: {next(iter(doubts.values()))}")

    def seek(self, keys: Mapping[KeyRef, str]) -> None:
        """Ask all remotes for candidates under these keys."""
        here = {home: frozenset(one.ref for one in self._whole(home, key)) for home, key in keys.items()}
        asked = [(source, home, source.ask(home, here[home])) for source in self._sources for home in keys]
        new: dict[Place, Offered] = {}
        for source, home, future in asked:
            for place, offered in source.answer(future).items():
                if offered.notes[0].record.key == keys[home]:
                    self._found.setdefault(place.ref, []).append(_Candidate(source, place, offered))
                    new.setdefault(place, offered)
        if self._look:
            for place, offered in new.items():
                self._under.setdefault(place.home, {})[place.ref] = seen(self._store, offered)
        else:
            for source in self._sources:
                own = [one for place in new for one in self._found[place.ref] if one.source is source]
                if self._take(source, own, whole=False):
                    taken = {one.place for one in own}
                    new = {place: offered for place, offered in new.items() if place not in taken}

    def _whole(self, home: KeyRef, key: str) -> list[Record]:
        return [record for record in self._store.candidates(home, key) if self._store.present(record)]

    def candidates(self, home: KeyRef) -> Sequence[tuple[Record, Shelf]]:
        """Those that were found under a key, where only to look."""
        return list(self._under.get(home, {}).values())

    def whence(self, record: Record) -> str:
        """The address of the first remote that has the artifacts, and how large they are; empty if none has."""
        found = self._first(record)
        return f"{found.source.url}, {size(record.size)}" if found is not None else ""

    def _first(self, record: Record) -> _Candidate | None:
        found = self._found.get(record.ref, ())
        return next((one for one in found if one.offered.whole and not one.source.problem), None)

    def fetch(self, records: Iterable[Record]) -> None:
        """Fetch artifacts, with all that is known of what they were made from."""
        for record in records:
            while (one := self._first(record)) is not None and not self._take(one.source, [one], whole=True):
                pass

    def _take(self, source: _Source, wanted: Sequence[_Candidate], *, whole: bool) -> bool:
        """Take candidates in; a remote that fails is given up. Whether they came."""
        if not wanted:
            return True
        places = [one.place for one in wanted]
        try:
            closure = _closure(source, places) if whole else _alone(wanted)
            if closure is None:
                self._fetch_alone(source, wanted)
            else:
                pull_closure(self._store, source.fetcher, closure, whole=lambda place: whole and place in places)
        except StoreError as error:
            if error.fields.get("errno") is not None:  # the store cannot be written, which is no remote's fault
                raise
            source.problem = str(error)
        except PylightnixError as error:
            source.problem = str(error)
        return not source.problem

    def _fetch_alone(self, source: _Source, wanted: Sequence[_Candidate]) -> None:
        """Fetch the artifacts of what is known here, and nothing of what it was made from."""
        for one in wanted:
            record = one.offered.notes[0].record
            if not fetch_artifacts(self._store, source.fetcher, record):
                raise DamageError("it is not there, and something that is refers to it", where=tree_name(record.tree))


def seen(store: Reader, offered: Offered) -> tuple[Record, Shelf]:
    """A realization, and what store and remote together tell of it."""
    return offered.notes[0].record, _Seen(store, offered)


class _Candidate(NamedTuple):
    """A realization that a remote has."""

    source: _Source
    place: Place
    offered: Offered


def _closure(source: _Source, places: Sequence[Place]) -> Wanted | None:
    """Places with all that they were made from; None if that is damaged, or nobody vouches for it who is believed."""
    try:
        return source.finder.closure(places)
    except (TrustError, DamageError):
        return None


def _alone(wanted: Sequence[_Candidate]) -> Wanted:
    """Candidates without what they were made from."""
    return Wanted(tuple(one.place for one in wanted), {one.place: one.offered for one in wanted}, (), (), {})


class _Seen(Reader):
    """A realization as it would be if the store had what a remote tells of it."""

    def __init__(self, store: Reader, offered: Offered) -> None:
        super().__init__(store.layout)
        self._offered = offered

    def runs(self, record: Record) -> tuple[Run, ...]:
        """Those that the store or the remote knows, one for each index: of two the older one."""
        known = list(super().runs(record)) if is_directory(self.place(record)) else []
        known += [run for notes in self._offered.notes for run in notes.runs.values()]
        found = {run.index: run for run in sorted(known, key=Run.order, reverse=True)}
        return tuple(sorted(found.values(), key=Run.order))
