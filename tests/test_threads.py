"""Threads of the package itself: known from when they begin until they are over."""

from __future__ import annotations

import os
import threading
import time
from _thread import _count, get_ident

import pytest

from pylightnix.threads import count_own, is_own, start_thread


def wait_for(count: int) -> None:
    end = time.monotonic() + 30
    while count_own() != count:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_thread_is_known_while_it_is_at_work() -> None:
    before, over = count_own(), threading.Event()
    seen: list[tuple[int, bool]] = []

    def work() -> None:
        seen.append((get_ident(), is_own(get_ident())))
        over.wait()

    start_thread(work)
    wait_for(before + 1)
    assert not is_own(get_ident())
    over.set()
    wait_for(before)
    ((number, was_own),) = seen
    assert was_own
    assert not is_own(number)


def test_python_counts_no_less_of_them_than_we_do() -> None:
    for _ in range(200):
        start_thread(lambda: None)
        ours, all_of_them = count_own(), _count()
        assert ours <= all_of_them


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_has_none() -> None:
    over = threading.Event()

    def work() -> None:
        over.wait()

    before = count_own()
    start_thread(work)
    wait_for(before + 1)
    child = os.fork()
    if not child:
        os._exit(count_own())
    assert os.waitpid(child, 0)[1] == 0
    over.set()
