"""Who is told of a realize under way: people in lines, people at a terminal, programs. Chosen here."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from pylightnix.cli.amounts import duration, left
from pylightnix.cli.output import is_terminal
from pylightnix.engine.events import Estimates, Listener
from pylightnix.model.build import BuildRequest, BuildResult
from pylightnix.model.claiming import Holder
from pylightnix.model.plan import Step
from pylightnix.names import RealizationRef, printable
from pylightnix.session.telling import MOST_LINES, PlainTelling

SECONDS_BETWEEN = 2.0
"""Between two lines of progress of inline runs."""


def choose_listener(*, as_json: bool, inline: bool, tail: bool = False) -> Listener:
    """The listener that fits standard error.

    Args:
        as_json: lines of JSON, whatever standard error is.
        inline: builders run in this process and may print: their lines and a live display would spoil each other.
        tail: whether a display shows the last line of each log.
    """
    if as_json:
        return EventLines(sys.stderr)
    if not is_terminal(sys.stderr) or os.environ.get("TERM") == "dumb":
        return PlainTelling()
    if inline:
        return WatchedTelling()
    from pylightnix.cli.live import LiveTelling

    return LiveTelling(tail=tail)


class WatchedTelling(PlainTelling):
    """Plain lines for somebody who watches: also when a run starts, and every few seconds how far it is."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._done = 0
        self._start = 0.0
        self._told = 0.0
        self._estimates: Estimates | None = None

    def foresee(self, estimates: Estimates) -> None:
        """Tell what is left, too."""
        self._estimates = estimates

    def decided(self, step: Step) -> None:
        """Tell, and count what is finished."""
        super().decided(step)
        self._done += step.action != "build"

    def started(self, request: BuildRequest) -> None:
        """Tell which run starts."""
        super().started(request)
        self._start = self._told = time.monotonic()
        if self._runs <= MOST_LINES:
            ahead = left(self._estimates.remaining() if self._estimates is not None else None)
            told = f"{self._done} of {self._total} done{ahead}"
            self._say(printable(f"{'run':<8} {request.stage}  run {request.run}  ({told})"))

    def progress(self, request: BuildRequest, done: float, total: float | None) -> None:
        """Tell how far the run is, if it was not told a moment ago."""
        now = time.monotonic()
        if now - self._told >= SECONDS_BETWEEN:
            self._told = now
            of = f" of {total:g}" if total is not None else ""
            self._say(printable(f"{'':<8} {request.stage}  {done:g}{of}  after {duration(now - self._start)}"))


class EventLines:
    """Lines of JSON, one for each event.

    Args:
        stream: where to.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._estimates: Estimates | None = None
        self._built: set[str] = set()
        self._counts = {"reused": 0, "runs": 0, "failed": 0}

    def foresee(self, estimates: Estimates) -> None:
        """Tell how long runs are likely to take, and what is left."""
        self._estimates = estimates

    def begin(self, total: int) -> None:
        """The realize begins."""
        self._tell("begin", derivations=total)

    def decided(self, step: Step) -> None:
        """A decision."""
        if step.action == "build":
            self._built.add(step.derivation)
        elif step.derivation not in self._built:
            self._counts["reused"] += 1
        self._tell("decided", **step._asdict())

    def waiting(self, step: Step, holders: Sequence[Holder]) -> None:
        """Others make what is wanted."""
        self._tell("waiting", derivation=step.derivation, key=step.key, holders=[h._asdict() for h in holders])

    def lacking(self, holders: Sequence[Holder]) -> None:
        """Runs of other calls take what is needed."""
        self._tell("lacking", holders=[holder._asdict() for holder in holders])

    def started(self, request: BuildRequest) -> None:
        """A run starts."""
        self._counts["runs"] += 1
        expected = None if self._estimates is None else self._estimates.expected(request.key)
        self._tell("started", **_about(request), expected=expected)

    def progress(self, request: BuildRequest, done: float, total: float | None) -> None:
        """How far a run is."""
        self._tell("progress", **_about(request), done=done, total=total)

    def finished(self, request: BuildRequest, result: BuildResult, kept: Path | None) -> None:
        """A run ended."""
        failure = {"kind": result.failure.kind, "what": result.failure.what} if result.failure else None
        findings = {"findings": [finding._asdict() for finding in result.findings]} if result.findings else {}
        self._counts["failed"] += result.failure is not None
        remaining = None if self._estimates is None else self._estimates.remaining()
        self._tell(
            "finished", **_about(request), duration=result.duration, failure=failure, kept=kept,
            remaining=None if remaining is None else round(remaining[0], 3), **findings,
        )  # fmt: skip

    def retrying(self, request: BuildRequest, attempt: int) -> None:
        """A run gets one more attempt."""
        self._counts["runs"] -= 1  # it is the same run that starts again
        self._counts["failed"] -= 1
        self._tell("retrying", **_about(request), attempt=attempt)

    def lost(self, ref: RealizationRef, run: int) -> None:
        """What cannot be made again."""
        self._tell("lost", ref=ref, run=run)

    def end(self) -> None:
        """The realize is over."""
        self._tell("end", **self._counts)

    def _tell(self, event: str, **facts: Any) -> None:
        line = json.dumps({"event": event, **facts}, default=str)
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(f"{line}\n")
                self._stream.flush()


def _about(request: BuildRequest) -> dict[str, Any]:
    return {"stage": request.stage, "run": request.run, "seed": request.seed, "key": request.key}
