"""Work that is divided among children: the same results, whatever becomes of a child."""

import errno
import os
import signal
from collections.abc import Iterator, Sequence

import psutil
import pytest

from pylightnix.cli import dividing
from pylightnix.cli.dividing import divided

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # of threads that test runners have
]

ITEMS = list(range(100))


@pytest.fixture(autouse=True)
def processors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if there were three, and no thread but this one: test runners have others. No child is left afterwards."""
    monkeypatch.setattr(dividing, "_processors", lambda: 3)
    monkeypatch.setattr(dividing.threading, "active_count", lambda: 1)
    before = children()  # of this process, which other tests may have given a server
    yield
    assert children() <= before


def squares(items: Sequence[int]) -> list[tuple[int, int]]:
    return [(item, item * item) for item in items]


def children() -> set[int]:
    """The processes that this one has begun and not yet waited for."""
    return {child.pid for child in psutil.Process().children()}


def test_all_is_done_once_and_by_several() -> None:
    found = divided(lambda items: [(item, os.getpid()) for item in items], ITEMS, least=10)
    assert sorted(item for item, _ in found) == ITEMS
    assert len({process for _, process in found}) == 3


def test_few_items_are_done_here() -> None:
    found = divided(lambda items: [os.getpid() for _ in items], ITEMS, least=60)
    assert set(found) == {os.getpid()}


@pytest.mark.parametrize("way", ["killed", "raises", "half"])
def test_what_a_child_does_not_do_is_done_here(way: str) -> None:
    here = os.getpid()

    def work(items: Sequence[int]) -> list[tuple[int, int]]:
        if os.getpid() != here:
            if way == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if way == "raises":
                raise RuntimeError("not here")
            os._exit(0)
        return squares(items)

    assert sorted(divided(work, ITEMS, least=10)) == squares(ITEMS)


def test_an_error_is_raised_once_and_leaves_no_child() -> None:
    def work(items: Sequence[int]) -> list[int]:
        if 50 in items:
            raise ValueError("fifty")
        return list(items)

    with pytest.raises(ValueError, match="fifty"):
        divided(work, ITEMS, least=10)


def test_an_interruption_waits_for_no_child_that_has_much_to_say() -> None:
    here = os.getpid()

    def work(items: Sequence[int]) -> list[str]:
        if os.getpid() == here:
            raise KeyboardInterrupt
        return ["x" * 1_000_000 for _ in items]  # more than a pipe takes

    with pytest.raises(KeyboardInterrupt):
        divided(work, ITEMS, least=10)


@pytest.mark.parametrize("had", [0, 1])
def test_where_there_can_be_no_more_processes_the_rest_is_done_here(monkeypatch: pytest.MonkeyPatch, had: int) -> None:
    fork, left = os.fork, iter(range(had))

    def refuse() -> int:
        if next(left, None) is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    monkeypatch.setattr(os, "fork", refuse)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert sorted(divided(squares, ITEMS, least=10)) == squares(ITEMS)
    assert before in (0, len(os.listdir("/proc/self/fd")))
