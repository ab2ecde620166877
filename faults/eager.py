"""The same points each time: what depends on the clock or on threads in the store happens at once, and one by one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from pylightnix.engine import recollection
from pylightnix.remotes.workers import Workers
from pylightnix.session.facts import describe_environment
from pylightnix.store import pending, receiving
from pylightnix.store.verification import verifying

R = TypeVar("R")


@contextlib.contextmanager
def eager() -> Iterator[None]:
    """Leave nothing to chance, and do what is put off at once, so that it is disturbed too.

    Small closures are remembered, what verify found is noted, what arrives is seen at once, and nothing is asked of a
    remote beside something else.
    """
    before = recollection.FEWEST, verifying._NOTED, pending.LONGEST, receiving.LONGEST, Workers.submit
    recollection.FEWEST, verifying._NOTED, receiving.LONGEST = 1, -1.0, -1.0
    pending.LONGEST = 3600.0  # else what a slow machine does depends on the clock
    Workers.submit = _at_once  # type: ignore[method-assign,assignment]
    describe_environment()  # once, instead of in each process
    try:
        yield
    finally:
        recollection.FEWEST, verifying._NOTED, pending.LONGEST, receiving.LONGEST, submit = before
        Workers.submit = submit  # type: ignore[method-assign]


def _at_once(workers: Workers, do: Callable[..., R], *about: Any) -> Future[R]:
    """In the place of a thread."""
    future: Future[R] = Future()
    try:
        future.set_result(do(*about))
    except BaseException as error:
        future.set_exception(error)
    return future
