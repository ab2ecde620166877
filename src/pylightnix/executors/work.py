"""What every executor does with a request, where the user's code runs. Unaware of which process that is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pylightnix.clock import now, utc_now
from pylightnix.errors import ConfigError, PylightnixError
from pylightnix.executors.declared import Declared
from pylightnix.executors.outputs import check, prepare
from pylightnix.executors.places import passed_project_code
from pylightnix.executors.telling import TEXT_LIMIT, describe, format_traceback, shorten
from pylightnix.executors.watching import Watch
from pylightnix.model.build import Build, BuildRequest, Failure, Finding
from pylightnix.model.config import encode_value
from pylightnix.model.undeclared import failure_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from typing import TextIO


class Tell(Protocol):
    """Hears how far a run is."""

    def __call__(self, done: float, total: float | None, /) -> None: ...


class Outcome(NamedTuple):
    """What came of a run: the part of a `BuildResult` that does not depend on the executor."""

    failure: Failure | None
    value: Any
    started: str
    duration: float
    error: BaseException | None = None
    findings: tuple[Finding, ...] = ()
    more: int = 0


def perform(request: BuildRequest, stream: TextIO, tell: Tell) -> Outcome:
    """Make the outputs ready, call the builder, encode what it returns, hold the promises against what is there.

    Args:
        request: the run.
        stream: where `build.log` writes.
        tell: hears of the progress; called in the thread that calls `build.progress`.

    Raises:
        KeyboardInterrupt: came while the builder ran. Everything else is told as a `Failure`.
    """
    started = utc_now()
    begin = time.perf_counter()
    clock = now()
    declared = Declared(request)
    watch = Watch(declared.is_clear)
    failure, value, error = _perform(request, stream, tell, watch)
    duration = time.perf_counter() - begin
    if watch.idle:
        return Outcome(failure, value, started, duration, error)
    findings, more = declared.findings(watch, clock)
    if findings and failure is None and request.conditions.strict:
        failure = failure_of(findings, more)
    return Outcome(failure, value, started, duration, error, findings, more)


def _perform(
    request: BuildRequest, stream: TextIO, tell: Tell, watch: Watch
) -> tuple[Failure | None, Any, BaseException | None]:
    try:
        paths = prepare(request.out, request.promises)
    except OSError as error:
        what = f"the output directory could not be made ready: {describe(error)}"
        return Failure("transport", what, format_traceback(error)), None, error
    given = (_build(request, stream, tell),) if request.wants_build else ()
    try:
        with watch:
            returned = request.builder(*given, **request.arguments, **paths)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return _raised(error), None, error
    value = None
    if returned is not None:
        try:
            value = encode_value(returned, request.stage)
        except Exception as error:
            return _no_value(error), None, error
    return check(request.out, request.promises) if request.has_out else None, value, None


def _raised(error: BaseException) -> Failure:
    """What a builder raised. Where one of our own stages refuses something, the way through our code says nothing."""
    fields = {"exception": type(error).__qualname__, "exceptions": _kinds(error)}
    if isinstance(error, PylightnixError) and not passed_project_code(error):
        hints = [*filter(None, (error.hint,)), *getattr(error, "__notes__", ())]
        what, hint = (shorten(text, TEXT_LIMIT) for text in (error.told, "\n  ".join(hints)))
        return Failure("exception", what, fields=fields, hint=hint)
    return Failure("exception", describe(error), format_traceback(error), fields)


def _kinds(error: BaseException) -> list[str]:
    """The names of its class and of those that this is one of, but for what every exception is."""
    return [kind.__qualname__ for kind in type(error).__mro__ if kind not in (BaseException, object)]


def _no_value(error: Exception) -> Failure:
    if isinstance(error, ConfigError):
        return Failure("value", error.told, fields=dict(error.fields), hint=error.hint)
    return Failure("value", f"what the builder returned cannot be read: {describe(error)}", format_traceback(error))


def _build(request: BuildRequest, stream: TextIO, tell: Tell) -> Build:
    return Build(
        Path(request.out),
        request.seed,
        request.run,
        scratch=_maker(request.scratch),
        checkpoint=_maker(request.checkpoint),
        log=lambda: _logger(request.stage, stream),
        progress=tell,
    )


def _maker(place: str) -> Callable[[], Path]:
    def make() -> Path:
        path = Path(place)
        for directory in (path.parent, path):  # not for everybody to write to, whatever the umask
            directory.mkdir(mode=0o775, parents=True, exist_ok=True)
        return path

    return make


def _logger(stage: str, stream: TextIO) -> logging.Logger:
    """A logger that nobody else can get, configure or hear."""
    import logging

    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.Logger(f"pylightnix.{stage}", logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    return logger
