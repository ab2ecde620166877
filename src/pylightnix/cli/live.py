"""What a terminal shows while builders run in processes of their own: which, how many of how many, how far."""

from __future__ import annotations

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

from pylightnix.cli.amounts import duration
from pylightnix.model.build import BuildRequest, BuildResult
from pylightnix.model.plan import Step
from pylightnix.names import printable
from pylightnix.session.telling import PlainTelling

MOST_ROWS = 12
"""Runs that are shown at a time."""

REFRESHES = 8
"""A second."""


@dataclass(slots=True)
class _Row:
    request: BuildRequest
    start: float = field(default_factory=time.monotonic)
    done: float | None = None
    total: float | None = None


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
    """The lines of `PlainTelling`, and below them, while something runs, a display that is redrawn in place."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False)
        super().__init__(cast(TextIO, _Above(self._console)))
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, int], _Row] = {}
        self._finished = 0
        self._live: Live | None = None

    def decided(self, step: Step) -> None:
        """Tell, and count what is finished."""
        super().decided(step)
        self._finished += step.action != "build"

    def started(self, request: BuildRequest) -> None:
        """Add a row; the first one opens the display."""
        super().started(request)
        with self._lock:
            self._rows[request.key, request.run] = _Row(request)
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
            self._rows.pop((request.key, request.run), None)
        super().finished(request, result, kept)

    def end(self) -> None:
        """Close the display, and tell the account."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        super().end()

    def _picture(self) -> Table:
        with self._lock:
            rows = list(self._rows.values())
        now = time.monotonic()
        grid = Table.grid(padding=(0, 2))
        for row in rows[:MOST_ROWS]:
            grid.add_row(
                Text(printable(f"  {row.request.stage}")),
                Text(f"run {row.request.run}"),
                _bar(row),
                Text(_far(row), style="dim"),
                Text(duration(now - row.start), style="dim"),
            )
        outer = Table.grid()
        outer.add_row(grid)
        if len(rows) > MOST_ROWS:
            outer.add_row(Text(f"  … and {len(rows) - MOST_ROWS} more"))
        told = f"{self._finished} of {self._total} done, {len(rows)} running, {duration(now - self._began)}"
        outer.add_row(Text(told, style="bold"))
        return outer


def _bar(row: _Row) -> ProgressBar | Text:
    if row.done is None or not row.total:
        return Text("")
    return ProgressBar(total=row.total, completed=min(row.done, row.total), width=24)


def _far(row: _Row) -> str:
    if row.done is None:
        return ""
    return f"{row.done:g} of {row.total:g}" if row.total is not None else f"{row.done:g}"
