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

from pylightnix.cli.amounts import duration
from pylightnix.cli.output import is_terminal
from pylightnix.engine.events import Listener
from pylightnix.model.build import BuildRequest, BuildResult
from pylightnix.model.claiming import Holder
from pylightnix.model.plan import Step
from pylightnix.names import RealizationRef, printable
from pylightnix.session.telling import MOST_LINES, PlainTelling

SECONDS_BETWEEN = 2.0
"""Between two lines of progress of inline runs."""


def choose_listener(*, as_json: bool, inline: bool) -> Listener:
    """The listener that fits standard error.

    Args:
        as_json: lines of JSON, whatever standard error is.
        inline: builders run in this process and may print: their lines and a live display would spoil each other.
    """
    if as_json:
        return EventLines(sys.stderr)
    if not is_terminal(sys.stderr) or os.environ.get("TERM") == "dumb":
        return PlainTelling()
    if inline:
        return WatchedTelling()
    from pylightnix.cli.live import LiveTelling

    return LiveTelling()


class WatchedTelling(PlainTelling):
    """Plain lines for somebody who watches: also when a run starts, and every few seconds how far it is."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._done = 0
        self._start = 0.0
        self._told = 0.0

    def decided(self, step: Step) -> None:
        """Tell, and count what is finished."""
        super().decided(step)
        self._done += step.action != "build"

    def started(self, request: BuildRequest) -> None:
        """Tell which run starts."""
        super().started(request)
        self._start = self._told = time.monotonic()
        if self._runs <= MOST_LINES:
            self._say(printable(f"{'run':<8} {request.stage}  run {request.run}  ({self._done} of {self._total} done)"))

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

    def begin(self, total: int) -> None:
        """The realize begins."""
        self._tell("begin", derivations=total)

    def decided(self, step: Step) -> None:
        """A decision."""
        self._tell("decided", **step._asdict())

    def waiting(self, step: Step, holders: Sequence[Holder]) -> None:
        """Others make what is wanted."""
        self._tell("waiting", derivation=step.derivation, key=step.key, holders=[h._asdict() for h in holders])

    def started(self, request: BuildRequest) -> None:
        """A run starts."""
        self._tell("started", **_about(request))

    def progress(self, request: BuildRequest, done: float, total: float | None) -> None:
        """How far a run is."""
        self._tell("progress", **_about(request), done=done, total=total)

    def finished(self, request: BuildRequest, result: BuildResult, kept: Path | None) -> None:
        """A run ended."""
        failure = {"kind": result.failure.kind, "what": result.failure.what} if result.failure else None
        findings = {"findings": [finding._asdict() for finding in result.findings]} if result.findings else {}
        self._tell("finished", **_about(request), duration=result.duration, failure=failure, kept=kept, **findings)

    def retrying(self, request: BuildRequest, attempt: int) -> None:
        """A run gets one more attempt."""
        self._tell("retrying", **_about(request), attempt=attempt)

    def lost(self, ref: RealizationRef, run: int) -> None:
        """What cannot be made again."""
        self._tell("lost", ref=ref, run=run)

    def end(self) -> None:
        """The realize is over."""
        self._tell("end")

    def _tell(self, event: str, **facts: Any) -> None:
        line = json.dumps({"event": event, **facts}, default=str)
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(f"{line}\n")
                self._stream.flush()


def _about(request: BuildRequest) -> dict[str, Any]:
    return {"stage": request.stage, "run": request.run, "seed": request.seed, "key": request.key}
