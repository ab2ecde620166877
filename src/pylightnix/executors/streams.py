"""Standard output and error of a builder that runs in this process: to the log and to people. Python-level only."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any, TextIO

from pylightnix.executors.runlog import RunLog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed import ReadableBuffer


class Tee(io.TextIOBase):
    """Text that is written here goes to the log of the run and to a stream of this process, if there is one.

    It stays usable when the run is over (somebody may have kept it); the log does not hear of that any more.

    Args:
        log: the log of the run.
        shown: where people see it; None where this process has no such stream.
        terminal: the stream whose descriptor this one claims as its own. A terminal there lets `input` and pdb edit
            lines as usual.
    """

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None

    def __init__(self, log: RunLog, shown: TextIO | None, terminal: TextIO | None) -> None:
        self._log = log
        self._shown = shown
        self._terminal = terminal

    def write(self, text: str, /) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._log.write(text.encode("utf-8", "backslashreplace"))
        self._show(text)
        return len(text)

    def _show(self, text: str) -> None:
        if self._shown is not None:
            with contextlib.suppress(OSError, ValueError):  # a closed terminal is no reason to fail
                self._shown.write(text)

    def flush(self) -> None:
        if self._shown is not None:
            with contextlib.suppress(OSError, ValueError):
                self._shown.flush()

    def close(self) -> None:
        """Nothing: it stays usable. Python closes what nobody has any more; what is shown is flushed after the run."""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._terminal is not None and self._terminal.isatty()

    def fileno(self) -> int:
        if self._terminal is None:
            raise io.UnsupportedOperation("fileno")
        return self._terminal.fileno()

    def reconfigure(self, **_: Any) -> None:
        """What `io.TextIOWrapper` has; there is nothing to configure."""

    @property
    def buffer(self) -> io.BufferedIOBase:
        return _Bytes(self)


class _Bytes(io.BufferedIOBase):
    """The `buffer` of a `Tee`: bytes reach the log as they are."""

    def __init__(self, tee: Tee) -> None:
        self._tee = tee

    def write(self, data: ReadableBuffer, /) -> int:
        raw = bytes(data)
        self._tee._log.write(raw)
        self._tee._show(raw.decode("utf-8", "replace"))
        return len(raw)

    def writelines(self, lines: Iterable[ReadableBuffer], /) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._tee.flush()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._tee.fileno()


def tees(log: RunLog, stdout: TextIO | None, stderr: TextIO | None) -> tuple[Tee, Tee]:
    """What stands for standard output and error while a builder runs; both are shown on standard error."""
    at_terminal = stdout is not None and stderr is not None and stdout.isatty() and stderr.isatty()
    return Tee(log, stderr, stdout if at_terminal else stderr), Tee(log, stderr, stderr)
