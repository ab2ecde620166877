"""What a run tells is heard in whatever pieces it comes."""

from __future__ import annotations

import json

import pytest

from pylightnix.executors.events import Told, why_lost

LINES = b"""
{"worker": 7}

{"progress": [1, null]}
{"progress": [2, 3]}
{"result": {"value": 5}}
{"cut off by de
{"status": -9, "maxrss": 1, "swept": 0, "left": []}
"""


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_hear(size: int) -> None:
    told = Told()
    progress = [at for start in range(0, len(LINES), size) for at in told.hear(LINES[start : start + size])]
    assert progress == [(1, None), (2, 3)]
    assert told.worker == 7
    assert told.result == {"value": 5}
    assert told.end == {"status": -9, "maxrss": 1, "swept": 0, "left": []}


@pytest.mark.parametrize(
    ("told", "code", "kind", "what"),
    [
        (Told(), 1, "transport", "the process for the run did not come up: it exited with code 1"),
        (Told(worker=1), -15, "killed", "the process that watched over the run was killed by SIGTERM"),
        (Told(worker=1), 137, "killed", "the process that watched over the run was killed by SIGKILL"),
        (Told(worker=1), 1, "killed", "the process that watched over the run exited with code 1"),
        (Told(1, None, {"status": 0}), 0, "exit", "the process exited with code 0 before the builder returned"),
        (Told(1, None, {"status": -9}), 0, "killed", "the process was killed by SIGKILL"),
        (Told(1, None, {"status": -40}), 0, "killed", "the process was killed by signal 40"),
    ],
)
def test_why_lost(told: Told, code: int, kind: str, what: str) -> None:
    failure = why_lost(told, code, stopped=False)
    assert failure is not None
    assert (failure.kind, failure.what) == (kind, what)
    json.dumps(dict(failure.fields))
    stopped = why_lost(told, code, stopped=True)
    assert stopped is not None
    assert stopped.fields == {"stopped": True}


def test_a_result_counts_when_all_processes_have_ended() -> None:
    told = Told(1, {"value": 5})
    watcher_gone = why_lost(told, -9, stopped=False)
    assert watcher_gone is not None
    assert "watched over the run was killed by SIGKILL" in watcher_gone.what
    told.end = {"status": 0, "left": list(range(12))}
    left = why_lost(told, 0, stopped=False)
    assert left is not None
    assert "could not be ended (0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more)" in left.what
    told.end = {"status": -9, "left": []}
    assert why_lost(told, 0, stopped=False) is None


@pytest.mark.parametrize(
    ("starved", "hint"),
    [
        (None, "somebody sent that signal, or the kernel did for want of memory, which it does not tell here"),
        (0, "somebody sent that signal: the kernel killed nothing for want of memory meanwhile"),
        (2, "meanwhile the kernel killed for want of memory; "),
    ],
)
def test_want_of_memory_is_told_where_the_kernel_says_so(starved: int | None, hint: str) -> None:
    for told, code in ((Told(1, None, {"status": -9}), 0), (Told(worker=1), -9), (Told(), -9)):
        failure = why_lost(told, code, stopped=False, starved=starved)
        assert failure is not None
        assert failure.hint.startswith(hint)
    other = why_lost(Told(1, None, {"status": -11}), 0, stopped=False, starved=starved)
    assert other is not None
    assert not other.hint


@pytest.mark.parametrize(
    ("told", "what"),
    [
        (0, "the run was ended because nobody seemed to wait for it any more"),
        (1, "the run was ended because SIGHUP came to the process that watched over it"),
    ],
)
def test_a_run_that_was_ended_is_not_told_as_killed_by_the_system(told: int, what: str) -> None:
    failure = why_lost(Told(1, None, {"status": -9, "told": told}), 0, stopped=False, starved=0)
    assert failure is not None
    assert failure.what == what
