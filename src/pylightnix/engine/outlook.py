"""What is left of a realize, and how long that is likely to take. Decides nothing; unaware of who asks.

What is left is at least as long as its longest path, and as all of its runs shared out among the slots; the longer of
the two is a fair estimate. Of what waits for its inputs nothing is decided yet, so it counts as if it had to be built:
where a result turns out to be equal to an earlier one, less is left than was said.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from pylightnix.engine.durations import Durations
from pylightnix.model.build import BuildRequest, BuildResult
from pylightnix.model.closure import Closure, Pinned
from pylightnix.model.keeping import Keeper
from pylightnix.names import DerivationRef, KeyRef

MOST_NAMES = 64
"""Names of stages of which runs are read before the first run starts; of others when theirs are wanted."""

FRESH = 1.0
"""Seconds for which what was worked out is only counted down; where working it out takes long, fifty times as long."""


class Remaining(NamedTuple):
    """How many seconds are likely to be left; `whole` says whether that is known of all that is left, or of a part."""

    seconds: float
    whole: bool


class _UnderWay(NamedTuple):
    ref: DerivationRef
    since: float


class Outlook:
    """The outlook of one realize. What changes it comes from one thread; any may ask.

    Args:
        closure: what is realized.
        keeper: has earlier runs; nothing is read before one is wanted.
        slots: how many runs there are at a time.
        watched: whether anybody asks what is left.
        clock: seconds.
    """

    def __init__(
        self,
        closure: Closure,
        keeper: Keeper,
        slots: int,
        *,
        watched: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._closure = closure
        self._slots = max(slots, 1)
        self._durations = Durations(keeper)
        self._unread = watched
        self._clock = clock
        self._lock = threading.Lock()
        self._homes: dict[str, DerivationRef] = {}
        self._worked_out: Remaining | None = None
        self._when = -float("inf")
        self._fresh = FRESH
        self.begin()

    def begin(self) -> None:
        """Nothing is decided yet, or nothing any more."""
        with self._lock:
            self._keys: dict[DerivationRef, KeyRef] = {}
            self._running: dict[tuple[str, int], _UnderWay] = {}
            self._left = {pinned.ref: _likely_runs(pinned) for pinned in self._closure.order}

    def wanted(self, ref: DerivationRef, home: KeyRef, count: int) -> float | None:
        """So many runs are wanted under a key; how long each is likely to take, in seconds, None if nobody knows."""
        with self._lock:
            if self._unread:
                self._unread = False
                for name in list({left.name: left for left in self._left}.values())[:MOST_NAMES]:
                    self._durations.look(name)
            self._durations.look(ref, home)
            self._keys[ref] = home
            self._homes[home] = ref
            self._left[ref] = count
            return self._durations.of(ref, home)

    def started(self, ref: DerivationRef, request: BuildRequest) -> None:
        """A run that was wanted has started."""
        with self._lock:
            self._left[ref] = max(self._left.get(ref, 1) - 1, 0)
            self._running[request.key, request.run] = _UnderWay(ref, self._clock())

    def ended(self, request: BuildRequest, result: BuildResult) -> None:
        """A run has ended."""
        with self._lock:
            ended = self._running.pop((request.key, request.run), None)
            if ended is not None and result.failure is None:
                self._durations.learn(ended.ref, KeyRef(request.key), result.duration)

    def done(self, ref: DerivationRef) -> None:
        """A choice was made for a derivation."""
        with self._lock:
            self._left.pop(ref, None)

    def expected(self, key: str) -> float | None:
        """How long a run of this key is likely to take, as far as its runs were wanted."""
        with self._lock:
            ref = self._homes.get(key)
            return None if ref is None else self._durations.of(ref, KeyRef(key))

    def remaining(self) -> Remaining | None:
        """How long all that is left is likely to take; None if nothing is known of it."""
        with self._lock:
            now = self._clock()
            if now - self._when >= self._fresh:
                self._worked_out, self._when = self._work_out(now), now
                self._fresh = max(FRESH, 50 * (self._clock() - now))
            if self._worked_out is None:
                return None
            return self._worked_out._replace(seconds=max(self._worked_out.seconds - (now - self._when), 0.0))

    def _work_out(self, now: float) -> Remaining | None:
        since: defaultdict[DerivationRef, list[float]] = defaultdict(list)
        for running in self._running.values():
            since[running.ref].append(running.since)
        ends: dict[DerivationRef, float] = {}
        work, whole = 0.0, True
        for ref, count in self._left.items():
            lasts = self._durations.of(ref, self._keys.get(ref))
            begun = since.get(ref, ())
            rest = [lasts - (now - start) for start in begun] if lasts is not None else []
            if lasts is None:
                whole = whole and not (count or begun)
                lasts = 0.0
            whole = whole and all(seconds > 0 for seconds in rest)  # what takes longer than ever may take any time
            here = sum(seconds for seconds in rest if seconds > 0) + count * lasts
            work += here
            own = max([here / self._slots, lasts if count else 0.0, *rest])
            pinned = self._closure.by_ref[ref]
            inputs = () if pinned.fixed is not None else pinned.inputs
            ends[ref] = own + max([ends.get(i.derivation, 0.0) for i in inputs], default=0.0)
        seconds = max(work / self._slots, max(ends.values(), default=0.0))
        return Remaining(seconds, whole) if seconds > 0 else None


def _likely_runs(pinned: Pinned) -> int:
    """How many runs a derivation is likely to need, if it has none."""
    if pinned.fixed is not None:
        return 0
    for name in ("of", "n"):
        number = getattr(pinned.matcher, name, None)
        if type(number) is int:
            return number
    return 1
