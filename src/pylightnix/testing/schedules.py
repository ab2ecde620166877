"""Runs actors that share a store in a chosen order: one at a time, changed only at changes of files and at calls.

An actor is a function; each runs in a thread of its own, and stops before every change of a file (`store.changes`) and
before every call of a method of a keeper that was wrapped by `stepwise`. A seed decides who goes on. So a race is found
by trying seeds, and found again by trying the same seed. Waiting, for a lock or for time to pass, is a step as well.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from pylightnix.engine import flight
from pylightnix.store import changes

MOST_IDLE = 400
"""Steps in which everybody only waits, after which they count as deadlocked."""

_NO_WAIT, _BACK = 4, 8


class DeadlockError(AssertionError):
    """All actors wait, and nobody will ever change that."""


class _Over(BaseException):
    """Ends the threads of a schedule that has failed."""


class _Actor:
    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.turn = threading.Semaphore(0)
        self.idle = False
        self.over = False
        self.result: object = None
        self.error: BaseException | None = None


class Schedule:
    """One interleaving.

    Args:
        seed: decides it.
        stay: the probability that an actor goes on at a step, rather than anyone.
    """

    def __init__(self, seed: int, *, stay: float = 0.6) -> None:
        self._random = random.Random(seed)
        self._stay = stay
        self._local = threading.local()
        self._back = threading.Semaphore(0)
        self._ending = False
        self.steps = 0

    def run(self, *works: Callable[[], object]) -> list[object]:
        """Run all to the end; their results, or the first error.

        Raises:
            DeadlockError: all wait.
        """
        actors = [_Actor(work) for work in works]
        threads = [threading.Thread(target=self._body, args=(actor,), daemon=True) for actor in actors]
        with ExitStack() as stack:
            stack.enter_context(changes.observed(self._observe))
            stack.callback(setattr, flight, "rest", flight.rest)
            flight.rest = self._sleep
            for thread in threads:
                thread.start()
            try:
                self._conduct(actors)
            finally:
                self._finish(actors, threads)
        for actor in actors:
            if actor.error is not None:
                raise actor.error
        return [actor.result for actor in actors]

    def stepwise(self, keeper: Any) -> Any:
        """The same keeper, each of whose methods begins with a step."""
        return _Stepwise(keeper, self)

    def step(self, *, idle: bool | None = False) -> None:
        """Let somebody else go on, perhaps; called by actors. Other threads pass.

        Args:
            idle: whether the actor only waits; None: as before, since it only looks.
        """
        actor: _Actor | None = getattr(self._local, "actor", None)
        if actor is None:
            return
        if self._ending:
            if idle:
                raise _Over
            return
        actor.idle = actor.idle if idle is None else idle
        self._back.release()
        actor.turn.acquire()
        if self._ending and idle:
            raise _Over

    def _body(self, actor: _Actor) -> None:
        self._local.actor = actor
        actor.turn.acquire()
        try:
            if not self._ending:
                actor.result = actor.work()
        except _Over:
            pass
        except BaseException as error:
            actor.error = error
        actor.over = True
        self._back.release()

    def _conduct(self, actors: Sequence[_Actor]) -> None:
        current: _Actor | None = None
        waited = 0
        while living := [actor for actor in actors if not actor.over]:
            if current is None or current.over or current.idle or self._random.random() >= self._stay:
                current = self._random.choice(living)
            waited = waited + 1 if all(actor.idle for actor in living) else 0
            if waited > MOST_IDLE * len(living):
                raise DeadlockError(f"{len(living)} of {len(actors)} wait for ever, after {self.steps} steps")
            self.steps += 1
            current.turn.release()
            self._back.acquire()

    def _finish(self, actors: Sequence[_Actor], threads: Sequence[threading.Thread]) -> None:
        self._ending = True
        for actor, thread in zip(actors, threads, strict=True):
            while not actor.over:
                actor.turn.release()
                thread.join(0.01)
        for thread in threads:
            thread.join(10)

    def _sleep(self, seconds: float) -> None:
        self.step(idle=True)

    def _observe(self, name: str, paths: tuple[object, ...]) -> None:
        if name == "flock":
            handle, operation = paths
            assert isinstance(handle, int)
            assert isinstance(operation, int)
            self.step(idle=None)
            if not operation & (_NO_WAIT | _BACK):
                self._wait_for_lock(handle, operation)
        else:
            self.step(idle=None if name == "open" else False)

    def _wait_for_lock(self, handle: int, operation: int) -> None:
        """Wait by steps, so that who holds the lock can go on; the lock is ours when this returns."""
        import fcntl

        while True:
            try:
                fcntl.flock(handle, operation | _NO_WAIT)
            except BlockingIOError:
                self.step(idle=True)
            else:
                return


class _Stepwise:
    """Passes everything on, after a step."""

    def __init__(self, keeper: Any, schedule: Schedule) -> None:
        self._keeper = keeper
        self._schedule = schedule

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._keeper, name)
        if not callable(found) or name == "list_files":
            return found

        def stepping(*args: Any, **options: Any) -> Any:
            self._schedule.step()
            return found(*args, **options)

        return stepping


def seeds(some: int, environment: str | None) -> Iterator[int]:
    """The seeds to try: so many, or as many as the environment says (`PYLIGHTNIX_SCHEDULES`)."""
    return iter(range(int(environment) if environment else some))
