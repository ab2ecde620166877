"""Results that are finished and that others cannot see yet, and the moment at which they can. Unaware of realizing.

Each has its artifacts in their place and gets its record in its workspace. Settling makes all of them outlast a loss of
power by one call of the system, then moves each record to its place, and makes that last by one more call: so a record
that is there after a loss of power has whole artifacts. Calls for each file would take many times as long.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from pylightnix.errors import ConfigError, StoreError
from pylightnix.model.keeping import Sealed
from pylightnix.model.records import Record, Run
from pylightnix.names import KeyRef, RealizationRef
from pylightnix.store import changes
from pylightnix.store.layout import writing
from pylightnix.threads import start_thread

Durability = Literal["batch", "full", "none"]
"""What outlasts a loss of power. Batch: all that a realize has returned, and what it has made after a second at most.
Full: each result as soon as it is registered. None: what the system happens to have written; results may be damaged."""

LONGEST = 1.0
"""Seconds that a finished result waits at most for others, in a batch."""

DUE = 0.9
"""Of that time after which whoever wants to know when one more result is settled settles all. So the timer, a thread of
its own, is left to batches to which nobody adds: while builders run one after the other, two threads would wait for
each other at every call."""


def check_durability(durability: object, where: str) -> Durability:
    """ConfigError if it is none; `where` says who gave it."""
    if durability not in get_args(Durability):
        raise ConfigError(
            f"{durability!r} is no durability", where=where, hint=f"give one of {', '.join(get_args(Durability))}"
        )
    return durability  # type: ignore[return-value]


@dataclass(slots=True, eq=False)
class Ready:
    """A result whose artifacts are in their place.

    Attributes:
        sealed: what it is; its workspace is where its record is written.
        run: which run made it.
        moved: whether its artifacts were moved there; else equal ones were there before.
        noted: whether its record is written.
    """

    sealed: Sealed
    run: Run
    moved: bool
    noted: bool = False


class Pending:
    """The results of one process, in the order in which they were finished.

    Args:
        root: the store's directory.
        durability: how it settles.
        note: writes the record of a result in its workspace; the store's errors.
        publish: moves it to its place; the store's errors.
        drop: removes what is left of one whose record could not be given.
    """

    def __init__(
        self,
        root: str,
        durability: Durability,
        note: Callable[[Ready], None],
        publish: Callable[[Ready], None],
        drop: Callable[[Ready], None],
    ) -> None:
        self.durability = durability
        self.gate = threading.RLock()
        self.unsynced = False  # whether something beside results was written since the last sync
        self._root = root
        self._note = note
        self._publish = publish
        self._drop = drop
        self._ready: dict[KeyRef, list[Ready]] = {}
        self._acts: deque[Callable[[], None]] = deque()
        self._settling = threading.RLock()
        self._together = 0
        self._over: threading.Event | None = None  # of the batch that waits: set when it was settled
        self._since = 0.0

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What is added within may wait for what else is; whoever ends this settles before."""
        with self.gate:
            self._together += 1
        try:
            yield
        finally:
            with self.gate:
                self._together -= 1

    def add(self, ready: Ready) -> None:
        """One more result. It is settled at once, unless it may wait."""
        with self.gate:
            self._ready.setdefault(ready.sealed.record.home, []).append(ready)
            waits = self._together > 0 and self.durability != "full"
            if waits and self._over is None:
                self._since = time.monotonic()
                self._over = threading.Event()
                with contextlib.suppress(RuntimeError):  # no threads left: whoever adds one more, or ends this, settles
                    start_thread(functools.partial(self._settle_in_time, self._over))
        if not waits:
            try:
                self.settle()
            except BaseException:
                self._forget(ready)  # whoever gave it takes it back
                raise

    def of(self, home: KeyRef) -> list[Ready]:
        """The results under a key."""
        return self._ready.get(home, [])

    def records(self, home: KeyRef) -> dict[RealizationRef, Record]:
        """The records under a key."""
        with self.gate:
            return {ready.sealed.ref: ready.sealed.record for ready in self.of(home)}

    def when_settled(self, act: Callable[[], None]) -> None:
        """Call this once all that was added so far is settled; now, if it is, or if that is due."""
        with self.gate:
            waits = bool(self._ready)
            if waits:
                self._acts.append(act)
            due = self._over is not None and time.monotonic() - self._since > DUE * LONGEST
        if not waits:
            act()
        elif due:
            self._settle_quietly()

    def settle(self) -> None:
        """Make all that was added visible, and lasting. What could not be made visible is dropped.

        All else that was written lasts too, unless more is to come.

        Raises:
            StoreError: the system refused; the first refusal, after all that could be done was done.
        """
        problem, left = self._settle()
        for ready in left:
            self._forget(ready)
            self._drop(ready)
        self._act()
        if problem is not None:
            raise problem
        if self.unsynced and not self._together:
            self.sync()

    def _settle_in_time(self, over: threading.Event) -> None:
        """The work of the timer."""
        if not over.wait(LONGEST):
            self._settle_quietly()

    def _settle_quietly(self) -> None:
        """What cannot be settled now may be later, by who waits for it."""
        self._settle()
        self._act()

    def _settle(self) -> tuple[StoreError | None, list[Ready]]:
        """Settle what can be; what went wrong first, and what is left."""
        with self._settling:
            with self.gate:
                if self._over is not None:
                    self._over.set()
                    self._over = None
                batch = [ready for several in self._ready.values() for ready in several]
            if not batch:
                return None, []
            try:
                problem = self._each(batch, self._note_once)
                self.sync()
                with self.gate:
                    problem = problem or self._each([ready for ready in batch if ready.noted], self._show)
                self.sync()
            except StoreError as error:
                problem = error
            with self.gate:
                return problem, [ready for ready in batch if self._has(ready)]

    @staticmethod
    def _each(batch: list[Ready], act: Callable[[Ready], None]) -> StoreError | None:
        """Do something with each; the first error."""
        problem = None
        for ready in batch:
            try:
                act(ready)
            except StoreError as error:
                problem = problem or error
        return problem

    def _note_once(self, ready: Ready) -> None:
        if not ready.noted:
            self._note(ready)
            ready.noted = True

    def _show(self, ready: Ready) -> None:
        self._publish(ready)
        self._forget(ready)

    def _has(self, ready: Ready) -> bool:
        return ready in self._ready.get(ready.sealed.record.home, ())

    def _forget(self, ready: Ready) -> None:
        home = ready.sealed.record.home
        with self.gate:
            if self._has(ready):
                self._ready[home].remove(ready)
                if not self._ready[home]:
                    del self._ready[home]

    def sync(self) -> None:
        """Make all that was written so far outlast a loss of power, unless nothing needs to; the store's errors."""
        self.unsynced = False
        if self.durability != "none":
            try:
                with writing(self._root):
                    changes.sync_all(self._root)
            except StoreError:
                self.unsynced = True
                raise

    def _act(self) -> None:
        """Call those whose time has come; whom an interruption keeps from it is called the next time."""
        while True:
            with self.gate:
                if self._ready or not self._acts:
                    return
                act = self._acts.popleft()
            act()
