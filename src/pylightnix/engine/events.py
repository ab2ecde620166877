"""What the engine tells while it works, to whoever listens."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pylightnix.model.build import BuildRequest, BuildResult
from pylightnix.model.claiming import Holder
from pylightnix.model.plan import Step
from pylightnix.model.undeclared import warning_text
from pylightnix.names import RealizationRef


class Listener(Protocol):
    """Hears of decisions and runs, in the thread that called realize, except `progress`, which may come from others."""

    def begin(self, total: int) -> None:
        """A realize begins over so many derivations."""
        ...

    def decided(self, step: Step) -> None:
        """A decision was made and is acted on."""
        ...

    def waiting(self, step: Step, holders: Sequence[Holder]) -> None:
        """Nothing is done for a derivation until one of these has made the run that it makes; told once of each."""
        ...

    def lacking(self, holders: Sequence[Holder]) -> None:
        """A run could start, but runs of other calls take what it needs; told once of each process."""
        ...

    def started(self, request: BuildRequest) -> None:
        """A run starts."""
        ...

    def progress(self, request: BuildRequest, done: float, total: float | None) -> None:
        """A builder told how far it is."""
        ...

    def finished(self, request: BuildRequest, result: BuildResult, kept: Path | None) -> None:
        """A run ended; `kept` is the directory of a failed one."""
        ...

    def retrying(self, request: BuildRequest, attempt: int) -> None:
        """A run that has failed, as was told, gets one more attempt: the second, or a later one."""
        ...

    def lost(self, ref: RealizationRef, run: int) -> None:
        """A run that was made again gave something else: this realization counts no more."""
        ...

    def end(self) -> None:
        """The realize is over, well or not."""
        ...


class Estimates(Protocol):
    """How long a realize is likely to take yet; any thread may ask."""

    def expected(self, key: str) -> float | None:
        """Seconds that a run of this key is likely to take, of which runs were wanted; None if nobody knows."""
        ...

    def remaining(self) -> tuple[float, bool] | None:
        """Seconds that all that is left is likely to take, and whether that is all of it and not only what is known.

        None if nothing is known of it.
        """
        ...


class Foreseeing(Listener, Protocol):
    """A listener that shows how long it will take: it is told before the realize begins whom to ask."""

    def foresee(self, estimates: Estimates) -> None:
        """Take whom to ask."""
        ...


class LossWarning(UserWarning):
    """A realization cannot be made again, and others may be chosen in its place."""


def loss_text(ref: RealizationRef, run: int) -> str:
    """The same, in words."""
    return (
        f"{ref.name} {ref.short} cannot be made again: its run {run} gave something else this time; it counts no more"
    )


class UndeclaredWarning(UserWarning):
    """A builder used something that it did not declare."""


class Silent:
    """Listens to nothing, but that something is lost, or was not declared, is a warning."""

    def begin(self, total: int) -> None: ...
    def decided(self, step: Step) -> None: ...
    def waiting(self, step: Step, holders: Sequence[Holder]) -> None: ...
    def lacking(self, holders: Sequence[Holder]) -> None: ...
    def started(self, request: BuildRequest) -> None: ...
    def progress(self, request: BuildRequest, done: float, total: float | None) -> None: ...

    def finished(self, request: BuildRequest, result: BuildResult, kept: Path | None) -> None:
        if result.failure is None:
            for finding in result.findings:
                text = warning_text(request.stage, request.run, finding)
                warnings.warn(text, category=UndeclaredWarning, stacklevel=2)

    def retrying(self, request: BuildRequest, attempt: int) -> None: ...

    def lost(self, ref: RealizationRef, run: int) -> None:
        warnings.warn(loss_text(ref, run), category=LossWarning, stacklevel=2)

    def end(self) -> None: ...
