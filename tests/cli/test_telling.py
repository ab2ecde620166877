"""Who listens to a realize: lines of progress now and then, lines of JSON."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest

from pylightnix.cli.telling import EventLines, WatchedTelling
from pylightnix.model.build import BuildRequest


def request() -> BuildRequest:
    here = Path("/nowhere")
    return BuildRequest("train", print, False, {}, {}, "k", 4, 7, here, here, here, here)


def test_progress_of_inline_runs_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    listener = WatchedTelling(stream)
    listener.begin(3)
    listener.started(request())
    for step in range(100):
        now[0] += 0.1
        listener.progress(request(), step, 100)
    told = stream.getvalue().splitlines()
    assert told[0] == "run      train  run 4  (0 of 3 done)"
    assert 3 <= len(told[1:]) <= 5
    assert "of 100  after 2" in told[1]


def test_events_are_lines_of_json() -> None:
    stream = io.StringIO()
    lines = EventLines(stream)
    lines.begin(2)
    lines.started(request())
    lines.progress(request(), 0.5, None)
    lines.end()
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert events[0] == {"event": "begin", "derivations": 2}
    assert events[2] == {
        "event": "progress",
        "stage": "train",
        "run": 4,
        "seed": 7,
        "key": "k",
        "done": 0.5,
        "total": None,
    }


def test_events_survive_a_closed_stream() -> None:
    stream = io.StringIO()
    stream.close()
    EventLines(stream).begin(1)
    EventLines(None).end()
