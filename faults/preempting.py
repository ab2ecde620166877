"""One process is stopped at each change while another one works to its end, or rightly waits.

Unaware of other faults.
"""

from __future__ import annotations

import os
import select
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from faults.children import PATIENCE, Child, Ended, in_child
from faults.kinds import Row
from faults.points import Watch
from faults.soundness import debris
from faults.stages import LEDGER, STAGES
from faults.stand import Stand, collect, spread
from pylightnix.engine.events import Silent
from pylightnix.model.claiming import Holder
from pylightnix.model.plan import Step
from pylightnix.store import changes

_NO_WAIT, _BACK = 4, 8


def preempt(stand: Stand, most: int | None = None) -> Row:
    """Stop at each point, or at so many, and let another process do the same, or its rival."""
    row = Row("preemption", stand.operation.name, stand.calls)
    alone = _ran(stand)
    for point in spread(stand.calls, most):
        path = stand.fresh()
        wrong = _Pair(stand, path).run(point, lambda path: stand.do(path, stand.operation.rival), alone)
        row.add(f"change {point}", wrong, len(debris(path)))
        stand.discard(path)
    return row


def preempt_by_verify(stand: Stand, most: int | None = None) -> Row:
    """Stop at each point, or at so many, and verify meanwhile."""
    row = Row("preemption, verify", stand.operation.name, stand.calls)
    alone = _ran(stand)
    for point in spread(stand.calls, most):
        path = stand.fresh()
        wrong = _Pair(stand, path).run(point, lambda path: _see_no_damage(stand, path), alone)
        row.add(f"change {point}", wrong, len(debris(path)))
        stand.discard(path)
    return row


def preempt_by_collect(stand: Stand, most: int | None = None) -> Row:
    """Stop at each point, or at so many, and collect meanwhile all that no root reaches and nobody holds."""
    row = Row("preemption, collect", stand.operation.name, stand.calls)
    for point in spread(stand.calls, most):
        path = stand.fresh()
        wrong = _Pair(stand, path).run(point, lambda path: stand.do(path, collect))
        row.add(f"change {point}", wrong or _again(stand, path), len(debris(path)))
        stand.discard(path)
    return row


def _again(stand: Stand, path: Path) -> str:
    """Do it once more; what is wrong then, but for what was collected."""
    ended = in_child(lambda: stand.do(path, after_a_collection=True))
    return f"done again, it fails: {ended.problem}" if ended.problem else stand.visible(path, thin=STAGES)


def _see_no_damage(stand: Stand, path: Path) -> None:
    if wrong := stand.visible(path):
        raise AssertionError(wrong)


def _ran(stand: Stand) -> Counter[str]:
    """How often each builder runs when nothing disturbs."""
    path = stand.fresh()
    ledger = _Ledger(path)
    with ledger:
        Child(lambda: stand.do(path)).join()
    ran = ledger.ran
    stand.discard(path)
    return ran


class _Ledger:
    """Where builders of these processes write their names."""

    def __init__(self, path: Path) -> None:
        self._file = path.parent / "ledger"

    def __enter__(self) -> None:
        os.environ[LEDGER] = str(self._file)

    def __exit__(self, *_: object) -> None:
        del os.environ[LEDGER]

    @property
    def ran(self) -> Counter[str]:
        return Counter(self._file.read_text().split() if self._file.exists() else ())


class _Pair:
    """A process that stops at a point, and another one that does not."""

    def __init__(self, stand: Stand, path: Path) -> None:
        self._stand = stand
        self._path = path

    def run(self, point: int, other: Callable[[Path], None], alone: Counter[str] | None = None) -> str:
        """What went wrong; without what runs alone it may be that the other one takes away what this one needs not."""
        ledger = _Ledger(self._path)
        with ledger:
            ended, reached = self._run(point, lambda: other(self._path))
        wrong = [f"process {'AB'[i]}: {end.problem or 'killed'}" for i, end in enumerate(ended) if end != Ended(False)]
        if not reached:
            wrong.append("it was not stopped")
        if alone is None:
            return "; ".join(wrong) or self._stand.visible(self._path, thin=STAGES)
        if self._stand.operation.rival is not None:
            return "; ".join(wrong) or self._stand.visible(self._path)
        if not wrong and ledger.ran != alone:
            wrong.append(f"builders ran {dict(ledger.ran)} times, alone {dict(alone)}")
        return "; ".join(wrong) or self._stand.judge(self._path)

    def _run(self, point: int, other: Callable[[], None]) -> tuple[Sequence[Ended], bool]:
        stopped, go = os.pipe(), os.pipe()
        first = Child(lambda: self._stop(point, stopped[1], go[0]))
        os.close(stopped[1])  # else its end would not be heard of, as with the next one
        reached = bool(_next(stopped[0]))
        told = os.pipe()  # not before: the first process would keep it open
        second = Child(lambda: _telling(other, told[1]))
        os.close(told[1])
        _next(told[0])  # it has ended, or waits
        os.write(go[1], b"x")
        ended = first.join(), second.join()
        for handle in (stopped[0], *go, told[0]):
            os.close(handle)
        return ended, reached

    def _stop(self, point: int, stopped: int, go: int) -> None:
        def stop(name: str, about: tuple[object, ...]) -> None:
            os.write(stopped, b"x")
            os.read(go, 1)

        Watch(self._path.parent).disturb(point, stop, lambda: self._stand.do(self._path))


def _next(reader: int) -> bytes:
    """What is told next; nothing at the end of those who could tell, or when patience is."""
    return os.read(reader, 1) if select.select([reader], [], [], PATIENCE)[0] else b""


def _telling(do: Callable[[], None], told: int) -> None:
    """Do it, and tell when it waits for others: for a lock, or for a run of theirs."""
    import fcntl

    def observe(name: str, about: tuple[object, ...]) -> None:
        if name != "flock":
            return
        handle, operation = about
        assert isinstance(handle, int), "BUG: a lock of no descriptor"
        assert isinstance(operation, int), "BUG: no operation of flock"
        if operation & (_NO_WAIT | _BACK):
            return
        try:
            fcntl.flock(handle, operation | _NO_WAIT)  # the same again, a moment later, changes nothing
        except BlockingIOError:
            os.write(told, b"l")

    def waiting(self: Silent, step: Step, holders: Sequence[Holder]) -> None:
        os.write(told, b"w")

    Silent.waiting = waiting  # type: ignore[method-assign]
    with changes.observed(observe):
        do()
