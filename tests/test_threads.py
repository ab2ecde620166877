"""Threads of the package itself: known while they are at work."""

from __future__ import annotations

import os
import threading
import time
from _thread import get_ident

import pytest

from pylightnix.threads import is_own, start_thread


def begun(over: threading.Event) -> int:
    """The number of a thread that has begun, and waits."""
    numbers: list[int] = []
    has_begun = threading.Event()

    def work() -> None:
        numbers.append(get_ident())
        has_begun.set()
        over.wait()

    start_thread(work)
    assert has_begun.wait(30)
    return numbers[0]


def test_a_thread_is_known_while_it_is_at_work() -> None:
    over = threading.Event()
    number = begun(over)
    assert is_own(number)
    assert not is_own(get_ident())
    over.set()
    end = time.monotonic() + 30
    while is_own(number):
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_has_none() -> None:
    over = threading.Event()
    number = begun(over)
    child = os.fork()
    if not child:
        os._exit(is_own(number))
    assert os.waitpid(child, 0)[1] == 0
    assert is_own(number)
    over.set()
