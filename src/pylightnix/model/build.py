"""One run of a builder: the request that spells everything out, the result that tells everything. Unaware of how."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from pylightnix.model.promises import Promise


class Build:
    """What a builder is told of its own run, if its first parameter is annotated `Build`.

    Attributes:
        out: the output directory; what is in it when the builder returns are the artifacts.
        seed: 63 bits that follow from the key and `run`; the same build has the same seed.
        run: 0-based index of this run.
        scratch: a temporary directory, gone afterwards.
        checkpoint: a directory that a later attempt gets back if this one dies; gone after success.
        log: a logger; what it is told stands in the log of the run.
    """

    def __init__(
        self,
        out: Path,
        seed: int,
        run: int,
        scratch: Path,
        checkpoint: Path,
        log: logging.Logger,
        progress: Callable[[float, float | None], None],
    ) -> None:
        self.out = out
        self.seed = seed
        self.run = run
        self.scratch = scratch
        self.checkpoint = checkpoint
        self.log = log
        self._progress = progress

    def progress(self, done: float, total: float | None = None) -> None:
        """Tell how far the run is, in any unit; shown to people, kept nowhere."""
        self._progress(done, total)


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """All that an executor needs to know of a run.

    Attributes:
        stage: the name, for messages.
        builder: the function.
        wants_build: whether it takes the `Build` as first argument.
        arguments: the parameters by name: decoded values, with `VisibleInput`s, tuples of them and paths of inputs.
        promises: what must be there afterwards, by the name of the builder's parameter.
        key: what the run is keyed by, for messages.
        run: index of the run.
        seed: for `Build.seed`.
        out: an existing empty directory for the artifacts.
        scratch: an existing empty directory; the executor removes nothing.
        checkpoint: a directory that may exist with what an earlier attempt left; made when asked for.
        log: the file that gets standard output and error; made when something is written.
    """

    stage: str
    builder: Callable[..., object]
    wants_build: bool
    arguments: Mapping[str, Any]
    promises: Mapping[str, Promise]
    key: str
    run: int
    seed: int
    out: Path
    scratch: Path
    checkpoint: Path
    log: Path


FailureKind = Literal["exception", "promise", "value", "exit", "killed", "transport"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run gave nothing.

    Attributes:
        kind: "exception" (the builder raised), "promise" (one was broken), "value" (not JSON), "exit" (the process
            ended by itself), "killed" (by a signal), "transport" (request or result could not be carried).
        what: one sentence; for an exception its type and text.
        traceback: as Python prints it, may be empty.
        fields: facts for a program; for a promise its name, path and what was found.
    """

    kind: FailureKind
    what: str
    traceback: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BuildResult:
    """All that an executor tells of a run.

    Attributes:
        failure: None if the builder returned and its promises hold.
        value: the encoded return value.
        started: UTC, ISO 8601 with microseconds.
        duration: seconds, by the monotonic clock.
        facts: what the executor knows of where it ran: host, pid, python, platform, peak_memory in bytes
            (of the process that ran it), executor; JSON values.
        error: the exception itself where it is at hand (inline), to be the cause of the error that is raised.
    """

    failure: Failure | None
    value: Any
    started: str
    duration: float
    facts: Mapping[str, Any]
    error: BaseException | None = None


Progress = Callable[[BuildRequest, float, float | None], None]


class Executor(Protocol):
    """Runs builders. User code runs nowhere else, and no run sees another one's state unless `name` is "inline".

    `submit` never raises for what the builder does: the future always gets a `BuildResult`. KeyboardInterrupt and
    SystemExit of the calling process pass through. `stop` ends running builders and waits for them; a stopped
    executor takes no more.
    """

    @property
    def name(self) -> str: ...
    @property
    def slots(self) -> int: ...
    def submit(self, request: BuildRequest, progress: Progress | None = None) -> Future[BuildResult]: ...
    def stop(self) -> None: ...
