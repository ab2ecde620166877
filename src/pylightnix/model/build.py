"""One run of a builder: the request that spells everything out, the result that tells everything. Unaware of how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from pylightnix.model.conditions import PLAIN, Conditions
from pylightnix.model.promises import Promise

if TYPE_CHECKING:  # a fresh worker starts faster without them
    import logging
    from concurrent.futures import Future


class Build:
    """What a builder is told of its own run, if its first parameter is annotated `Build`.

    `scratch`, `checkpoint` and `log` are made when they are first asked for, by what is given here.

    Attributes:
        out: the output directory; what is in it when the builder returns are the artifacts.
        seed: 63 bits that follow from the key and `run`; the same build has the same seed.
        run: 0-based index of this run.
    """

    def __init__(
        self,
        out: Path,
        seed: int,
        run: int,
        *,
        scratch: Callable[[], Path],
        checkpoint: Callable[[], Path],
        log: Callable[[], logging.Logger],
        progress: Callable[[float, float | None], None],
    ) -> None:
        self.out = out
        self.seed = seed
        self.run = run
        self._scratch = scratch
        self._checkpoint = checkpoint
        self._log = log
        self._progress = progress

    @cached_property
    def scratch(self) -> Path:
        """A temporary directory, gone afterwards."""
        return self._scratch()

    @cached_property
    def checkpoint(self) -> Path:
        """A directory that a later attempt gets back if this one dies; gone after success."""
        return self._checkpoint()

    @cached_property
    def log(self) -> logging.Logger:
        """A logger of this run alone; what it is told stands in the log of the run, whatever its level."""
        return self._log()

    def progress(self, done: float, total: float | None = None) -> None:
        """Tell how far the run is, in any unit; shown to people, kept nowhere."""
        self._progress(done, total)


class BuildRequest(NamedTuple):
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
        out: an empty directory for the artifacts, there if `has_out`; this and the following are absolute paths, as
            texts.
        scratch: a directory, made when the builder asks for it or, because it works there, before an isolated run; the
            executor removes nothing of what the builder made.
        checkpoint: a directory that may exist with what an earlier attempt left; made when the builder asks for it.
        log: the file that gets standard output and error; made when something is written, and of bounded size.
        conditions: how the run is to be carried out; an executor that cannot refuses (`ExecutorError`).
        inputs: absolute paths of what the builder is given of its inputs: directories, or single promised artifacts.
        store: the absolute path of the store.
        apart: whether it is made beside what the store has, for whoever waits alone: no other one may take it over.
        devices: which of the machine's graphics processors are its own, counted from 0; None if that is not settled.
        hide: takes the secrets of a worker elsewhere, which may be others than here, out of what the run left and gave;
            can be pickled. None if it can read none.
    """

    stage: str
    builder: Callable[..., object]
    wants_build: bool
    arguments: Mapping[str, Any]
    promises: Mapping[str, Promise]
    key: str
    run: int
    seed: int
    out: str
    scratch: str
    checkpoint: str
    log: str
    conditions: Conditions = PLAIN
    inputs: tuple[str, ...] = ()
    store: str = ""
    apart: bool = False
    devices: tuple[int, ...] | None = None
    hide: Callable[[BuildRequest, BuildResult], BuildResult] | None = None

    @property
    def has_out(self) -> bool:
        """Whether the builder can know of `out`; if it cannot, there is none."""
        return knows_out(self.wants_build, self.promises, self.conditions)


def knows_out(wants_build: bool, promises: Mapping[str, Promise], conditions: Conditions) -> bool:
    """Whether a builder can know of its directories: by its `Build`, by the path of a promise, or by working there."""
    return wants_build or bool(promises) or conditions.isolation in ("process", "sandbox")


FailureKind = Literal[
    "exception", "promise", "value", "artifact", "input", "undeclared", "exit", "killed", "timeout", "transport"
]


class Finding(NamedTuple):
    """Something that a builder used and that was not declared.

    Attributes:
        kind: "file", "store" (a file of the store), "variable" or "network".
        what: the path, the name of the variable, or the address.
    """

    kind: Literal["file", "store", "variable", "network"]
    what: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run gave nothing.

    Attributes:
        kind: "exception" (the builder raised), "promise" (one was broken), "value" (not JSON),
            "artifact" (something that cannot be kept), "input" (one was changed while the builder ran),
            "undeclared" (the builder used what it did not declare, where that is forbidden),
            "exit" (the process ended by itself), "killed" (by a signal), "timeout" (it took longer than it may),
            "transport" (request or result could not be carried).
        what: one sentence; for an exception its type and text.
        traceback: as Python prints it, may be empty.
        fields: facts for a program, JSON values; for a promise its name, path and what was found.
        hint: what to do next; may be empty.
    """

    kind: FailureKind
    what: str
    traceback: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    hint: str = ""


class BuildResult(NamedTuple):
    """All that an executor tells of a run.

    Attributes:
        failure: None if the builder returned and its promises hold.
        value: the encoded return value.
        started: UTC, ISO 8601 with microseconds.
        duration: seconds, by the monotonic clock.
        facts: what the executor knows of where it ran: host, pid, python, platform, executor, isolation, peak_memory in
            bytes and peak_memory_of: "run" (its processes alone) or "process" (the calling one, all its life); JSON
            values.
        error: the exception itself where it is at hand (inline), to be the cause of the error that is raised.
        logged: whether there is a log; None if that is not known.
        findings: what the builder used and did not declare, as far as that was seen; each once.
    """

    failure: Failure | None
    value: Any
    started: str
    duration: float
    facts: Mapping[str, Any]
    error: BaseException | None = None
    logged: bool | None = None
    findings: tuple[Finding, ...] = ()


class Finished:
    """The end of a run that is over when `submit` returns: so much of a future as is asked of one that is done.

    Futures bring threads and logging with them, which costs a short realize as much as all else.
    """

    __slots__ = ("_result",)

    def __init__(self, result: BuildResult) -> None:
        self._result = result

    def done(self) -> bool:
        """True."""
        return True

    def result(self, timeout: float | None = None) -> BuildResult:
        """What the run gave."""
        return self._result


Progress = Callable[[BuildRequest, float, float | None], None]


class Executor(Protocol):
    """Runs builders. User code runs nowhere else, and no run sees another one's state unless `name` is "inline".

    `submit` never raises for what the builder does: the future always gets a `BuildResult`. KeyboardInterrupt and
    SystemExit of the calling process pass through. `stop` ends running builders and waits for them; a stopped
    executor takes no more (`ExecutorError`). What `progress` raises is nobody's failure: it is dropped.

    A run is carried out as its conditions say, or refused by `submit` (`ExecutorError`), never in another way. An
    executor may also have `accept(conditions)`, which raises the same: it is asked for all derivations that may have to
    be built before the first builder of a call runs. And `resume(store, key)`, where runs go on when whoever waited for
    them is gone: it takes one of that key over and gives its index, which is then the one that is submitted; else None.

    An executor whose runs take of this machine may have `scope`, a word (0-9, a-z) that tells which part of it, so that
    the calls of many processes into one store share that; and `takes_turns(conditions)`, whether such a run waits for
    other ones of this process.

    Attributes:
        name: a word, for records and messages.
        slots: how many runs it carries at a time; more are queued.
        capacity: what runs may take together, by the names of `Conditions.resources`; None where the executor itself
            sees to that.
    """

    @property
    def name(self) -> str: ...
    @property
    def slots(self) -> int: ...
    @property
    def capacity(self) -> Mapping[str, float] | None: ...
    def submit(self, request: BuildRequest, progress: Progress | None = None) -> Future[BuildResult] | Finished: ...
    def stop(self) -> None: ...
