"""What a terminal shows while builders run in processes of their own: which, how many of how many, how far."""

from __future__ import annotations

import re
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, cast

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pylightnix.cli.amounts import duration, left, roughly
from pylightnix.engine.events import Estimates
from pylightnix.model.build import BuildRequest, BuildResult
from pylightnix.model.plan import Step
from pylightnix.names import printable
from pylightnix.session.telling import PlainTelling
from pylightnix.store.growing import GrowingFile

MOST_ROWS = 12
"""Runs that are shown at a time."""

REFRESHES = 8
"""A second."""

_LAST = 4096
"""Bytes of a log's end in which its last line is looked for."""

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What programs put between their words for a terminal of their own; all else of the kind is escaped."""


@dataclass(slots=True)
class _Row:
    request: BuildRequest
    start: float = field(default_factory=time.monotonic)
    done: float | None = None
    total: float | None = None
    log: GrowingFile | None = None
    last: str = ""


class _Above:
    """A stream whose lines appear above the display."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)
        return len(text)

    def flush(self) -> None:
        pass


class LiveTelling(PlainTelling):
    """The lines of `PlainTelling`, and below them, while something runs, a display that is redrawn in place.

    Args:
        tail: whether the last line of its log stands below each run.
    """

    def __init__(self, *, tail: bool = False) -> None:
        self._console = Console(file=sys.stderr, highlight=False)
        super().__init__(cast(TextIO, _Above(self._console)))
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, int], _Row] = {}
        self._finished = 0
        self._tail = tail
        self._estimates: Estimates | None = None
        self._live: Live | None = None

    def foresee(self, estimates: Estimates) -> None:
        """Show what is left, too."""
        self._estimates = estimates

    def decided(self, step: Step) -> None:
        """Tell, and count what is finished."""
        super().decided(step)
        self._finished += step.action != "build"

    def started(self, request: BuildRequest) -> None:
        """Add a row; the first one opens the display."""
        super().started(request)
        with self._lock:
            log = GrowingFile(request.log) if self._tail else None
            self._rows[request.key, request.run] = _Row(request, log=log)
        if self._live is None:
            self._live = Live(
                get_renderable=self._picture, console=self._console, refresh_per_second=REFRESHES, transient=True
            )
            self._live.start()

    def progress(self, request: BuildRequest, done: float, total: float | None) -> None:
        """Note how far a run is; comes from any thread."""
        with self._lock:
            row = self._rows.get((request.key, request.run))
            if row is not None:
                row.done, row.total = done, total

    def finished(self, request: BuildRequest, result: BuildResult, kept: Path | None) -> None:
        """Take the row away, and tell."""
        with self._lock:
            row = self._rows.pop((request.key, request.run), None)
            if row is not None and row.log is not None:
                row.log.close()
        super().finished(request, result, kept)

    def end(self) -> None:
        """Close the display, and tell the account."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        super().end()

    def _picture(self) -> Table:
        with self._lock:
            rows = list(self._rows.values())[:MOST_ROWS]
            running = len(self._rows)
            for row in rows:
                _look_at_log(row)
        now = time.monotonic()
        outer = Table.grid()
        grid = _grid()
        for row in rows:
            grid.add_row(
                Text(printable(f"  {row.request.stage}")),
                Text(f"run {row.request.run}"),
                _bar(row),
                Text(_far(row), style="dim"),
                Text(self._time(row, now), style="dim"),
            )
            if row.last:
                outer.add_row(grid)
                outer.add_row(Text(f"    {row.last}", style="dim", no_wrap=True, overflow="ellipsis"))
                grid = _grid()
        outer.add_row(grid)
        if running > len(rows):
            outer.add_row(Text(f"  … and {running - len(rows)} more"))
        outer.add_row(Text(self._account(running, now), style="bold"))
        return outer

    def _time(self, row: _Row, now: float) -> str:
        expected = self._estimates.expected(row.request.key) if self._estimates is not None else None
        if expected is None:
            return duration(now - row.start)
        return f"{duration(now - row.start)} of about {roughly(expected) if expected >= 10 else duration(expected)}"

    def _account(self, running: int, now: float) -> str:
        reused = f" ({len(self._reused)} reused)" if self._reused else ""
        remaining = self._estimates.remaining() if self._estimates is not None and running else None
        told = f"{self._finished} of {self._total} done{reused}, {running} running, {duration(now - self._began)}"
        return told + left(remaining)


def _grid() -> Table:
    return Table.grid(padding=(0, 2))


def _look_at_log(row: _Row) -> None:
    """Take the last line of a log, if something was written since the last look."""
    end = row.log.end(_LAST) if row.log is not None else None
    if end is not None:
        text = _COLOURS.sub("", end.decode(errors="replace")).replace("\r", "\n")
        lines = [line for line in text.split("\n") if line.strip()]
        row.last = printable(lines[-1].strip().expandtabs()) if lines else ""


def _bar(row: _Row) -> ProgressBar | Text:
    if row.done is None or not row.total:
        return Text("")
    return ProgressBar(total=row.total, completed=min(row.done, row.total), width=24)


def _far(row: _Row) -> str:
    if row.done is None:
        return ""
    return f"{row.done:g} of {row.total:g}" if row.total is not None else f"{row.done:g}"
