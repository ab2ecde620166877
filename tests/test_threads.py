"""Threads of the package itself: known from the moment they are asked for until they are over."""

from __future__ import annotations

import os
import threading
import time
from _thread import get_ident

import pytest

from pylightnix.threads import own_threads, start_thread


def wait_until_over(before: set[int]) -> None:
    end = time.monotonic() + 30
    while own_threads() != before:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_thread_is_known_at_once_and_until_it_is_over() -> None:
    before, over = own_threads(), threading.Event()
    number: list[int] = []

    def work() -> None:
        number.append(get_ident())
        over.wait()

    start_thread(work)
    (new,) = own_threads() - before
    over.set()
    wait_until_over(before)
    assert number == [new]


def test_threads_that_are_over_at_once_are_forgotten() -> None:
    before = own_threads()
    for _ in range(200):
        start_thread(lambda: None)
    wait_until_over(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_has_none() -> None:
    over = threading.Event()

    def work() -> None:
        over.wait()

    start_thread(work)
    child = os.fork()
    if not child:
        os._exit(len(own_threads()))
    assert os.waitpid(child, 0)[1] == 0
    over.set()
