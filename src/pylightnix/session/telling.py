"""What a realize tells people: plain lines on standard error, which stages ran and why. Standard output is theirs."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from pylightnix.engine.events import loss_text
from pylightnix.model.build import BuildRequest, BuildResult, Finding
from pylightnix.model.claiming import Holder
from pylightnix.model.plan import Step, Steps
from pylightnix.model.undeclared import warning_text
from pylightnix.names import DerivationRef, RealizationRef, printable

MOST_LINES = 40
"""Steps and runs up to which each is told as it happens; beyond, those of one kind are counted together at the end."""

SILENCE = 5.0
"""Seconds: of more runs, the first is told that ends so long after the one that was told last."""

MOST_FINDINGS = 5
"""Undeclared things of a run that are told one by one."""


class PlainTelling:
    """Tells each run as it ends, and at the end what was not run and why.

    Args:
        stream: where to; default the standard error of the moment.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._reused: list[Step] = []
        self._built: Counter[DerivationRef] = Counter()
        self._untold: list[Step] = []
        self._began = self._ended_last = time.monotonic()
        self._runs = 0
        self._ended = 0
        self._total = 0
        self._warned: set[tuple[str, Finding]] = set()

    def begin(self, total: int) -> None:
        self._total = total

    def decided(self, step: Step) -> None:
        if step.action == "build":
            self._built[step.derivation] += step.wanted
            if self._total <= MOST_LINES:
                self._say(step.line())
            else:
                self._untold.append(step)
        elif step.derivation not in self._built:
            self._reused.append(step)
        elif self._built[step.derivation] > 1:
            self._say(f"{'choose':<8} {step.derivation.short}  {step.derivation.name}  {step.why}")

    def waiting(self, step: Step, holders: Sequence[Holder]) -> None:
        self._say(f"{'wait':<8} {step.derivation.short}  {step.derivation.name}  is being made by {_who(holders)}")

    def lacking(self, holders: Sequence[Holder]) -> None:
        names = ", ".join(f"{holder.stage} ({holder})" for holder in holders)
        self._say(f"{'wait':<8} what the next run takes is taken by {names}")

    def started(self, request: BuildRequest) -> None:
        self._runs += 1

    def progress(self, request: BuildRequest, done: float, total: float | None) -> None:
        pass

    def finished(self, request: BuildRequest, result: BuildResult, kept: Path | None) -> None:
        self._ended += 1
        many = self._runs > MOST_LINES
        if not many or result.failure is not None or time.monotonic() - self._ended_last >= SILENCE:
            self._ended_last = time.monotonic()
            state = "failed" if result.failure is not None else "done"
            so_far = f"; {self._ended} have ended" if many and result.failure is None else ""
            seconds = f"{result.duration:.2f} s"
            self._say(f"{state:<8} {request.stage}  run {request.run}, seed {request.seed}, {seconds}{so_far}")
        if result.findings and (result.failure is None or result.failure.kind != "undeclared"):
            self._warn(request, result)

    def _warn(self, request: BuildRequest, result: BuildResult) -> None:
        """Each thing that a stage did not declare is told once, a few of them for each run."""
        new = [finding for finding in result.findings if (request.stage, finding) not in self._warned]
        self._warned.update((request.stage, finding) for finding in new)
        for finding in new[:MOST_FINDINGS]:
            self._say(f"{'warning':<8} {warning_text(request.stage, request.run, finding)}")
        more = len(new) - MOST_FINDINGS + (result.facts.get("more_findings", 0) if new else 0)
        if more > 0:
            self._say(f"{'warning':<8} {request.stage} run {request.run} did not declare {more} more; show lists them")

    def retrying(self, request: BuildRequest, attempt: int) -> None:
        self._runs -= 1  # it is the same run that starts again
        self._ended -= 1
        self._say(f"{'retry':<8} {request.stage}  run {request.run}, attempt {attempt}")

    def lost(self, ref: RealizationRef, run: int) -> None:
        self._say(f"{'warning':<8} {loss_text(ref, run)}")

    def end(self) -> None:
        for steps in (self._untold, self._reused):
            for line in Steps(steps).lines(limit=MOST_LINES) if steps else ():
                self._say(line)
        made = f"{self._runs} run{'s' if self._runs != 1 else ''}"
        fetched = sum(step.action == "fetch" for step in self._reused)
        came = f"{fetched} fetched, " if fetched else ""
        reused = f"{len(self._reused) - fetched} of {self._total} reused"
        self._say(f"{reused}, {came}{made}, {time.monotonic() - self._began:.1f} s")

    def _say(self, line: str) -> None:
        stream = self._stream if self._stream is not None else sys.stderr
        if stream is None:
            return  # a program without a console; print would take standard output
        try:
            stream.write(f"{_encodable(printable(line), stream)}\n")  # at once: print would write the end apart
            stream.flush()
        except (OSError, ValueError, LookupError, AttributeError):  # a reader that is gone must not end the work
            let_go(stream)


def let_go(stream: TextIO) -> None:
    """What Python still holds for a stream that takes it no more goes nowhere; it would end the process with 120."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        descriptor = stream.fileno()
        as_it_was = os.dup(descriptor)
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
            stream.flush()
        finally:
            os.dup2(as_it_was, descriptor)
            os.close(as_it_was)


def _who(holders: Sequence[Holder]) -> str:
    """Each process once, however many runs it makes."""
    first = {(holder.host, holder.process): holder for holder in reversed(holders)}
    runs = Counter((holder.host, holder.process) for holder in holders)
    return ", ".join(f"{first[who]} ({count} runs)" if count > 1 else str(first[who]) for who, count in runs.items())


def _encodable(line: str, stream: TextIO) -> str:
    """The line as the stream can take it."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)
