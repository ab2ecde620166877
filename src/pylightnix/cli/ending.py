"""How a command ends: its exit code, and what is said of an error. No traceback of ours for anybody's mistake."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, TextIO

import click

from pylightnix.cli.interrupting import INTERRUPTED, give_back, hear, is_behind, let_end
from pylightnix.cli.output import out_json, prepare, remark
from pylightnix.clock import is_beyond_python, iso, now
from pylightnix.errors import (
    BuildError,
    ExecutorError,
    FormatError,
    MatcherError,
    PylightnixError,
    RemoteError,
    SecretError,
    StoreError,
    TrustError,
)
from pylightnix.names import printable

PROGRAM = "pylightnix"
COMPLETE = "_PYLIGHTNIX_COMPLETE"
TRACEBACK = "PYLIGHTNIX_TRACEBACK"

DONE, FAILED, MISUSED = 0, 1, 2

_FAILURES = (BuildError, MatcherError, StoreError, ExecutorError, RemoteError, TrustError, SecretError)


def run(command: click.Command, args: Sequence[str], *, last: bool = False) -> int:
    """Do what the arguments say.

    Args:
        command: the group of all commands.
        args: without the name of the program.
        last: whether the process ends after it; else signals are the caller's again.

    Returns:
        0 done, 1 a builder failed or a check found something, 2 wrong use, 130 interrupted.
    """
    prepare()
    instruction = os.environ.get(COMPLETE)
    if instruction:
        from click.shell_completion import add_completion_class, shell_complete

        from pylightnix.cli.completing import ColonBash

        add_completion_class(ColonBash)
        return shell_complete(command, {}, PROGRAM, COMPLETE, instruction)
    before = hear()
    warnings.showwarning = _show_warning
    try:
        status = _invoke(command, args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        _let_go_of(sys.stdout)
        return DONE if isinstance(error, BrokenPipeError) else _tell_refusal(error)
    except KeyboardInterrupt:  # while the end was told
        return INTERRUPTED
    finally:
        _see_off(sys.stderr)
        if last:
            let_end()
        else:
            give_back(before)
    return status


def _invoke(command: click.Command, args: Sequence[str]) -> int:
    meta: dict[str, Any] = {}
    try:
        with command.make_context(PROGRAM, list(args)) as ctx:
            meta = ctx.meta
            status = command.invoke(ctx)
        return status if isinstance(status, int) else DONE
    except click.exceptions.Exit as error:
        return error.exit_code
    except OSError:
        raise
    except (KeyboardInterrupt, click.Abort):
        return _tell_interruption()
    except click.ClickException as error:
        with contextlib.suppress(OSError, ValueError):
            error.show()
        return MISUSED
    except PylightnixError as error:
        if is_behind(error) and not isinstance(error, BuildError):
            return _tell_interruption()
        return _tell(error, as_json=bool(meta.get("pylightnix.json")))
    except Exception as error:
        return _tell_interruption() if is_behind(error) else _tell_bug(error)


def _tell_interruption() -> int:
    remark("interrupted: what was finished is kept", "yellow")
    return INTERRUPTED


def _tell(error: PylightnixError, *, as_json: bool) -> int:
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    if as_json:
        out_json({"error": error_document(error)})
    else:
        notes: list[str] = getattr(error, "__notes__", [])
        first, *rest = [*str(error).splitlines(), *notes]
        remark(f"error: {first}", "red")
        for line in rest:
            remark(line)
    return exit_code(error)


def error_document(error: PylightnixError) -> dict[str, Any]:
    """An error for a program."""
    return {
        "kind": type(error).__name__,
        "what": error.what,
        "where": error.where,
        "hint": error.hint,
        "fields": error.fields,
    }


def exit_code(error: PylightnixError) -> int:
    """Whose doing it was: 1 if the work failed or the store is not as it must be, 2 if what was asked for is wrong."""
    if isinstance(error, FormatError):
        return MISUSED
    return FAILED if isinstance(error, _FAILURES) else MISUSED


def _tell_refusal(error: OSError) -> int:
    """The system refused something, such as to write to a full disk."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    remark(f"error: {error}", "red")
    return FAILED


def _tell_bug(error: Exception) -> int:
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    elif isinstance(error, OverflowError) and is_beyond_python():
        remark(f"error: the clock of this machine says {iso(now())}, which parts of Python itself cannot take", "red")
        remark("  set the clock")
    else:
        text = traceback.format_exception_only(error)[-1].strip()
        remark(f"error: a fault of pylightnix itself: {text}", "red")
        remark(f"  {TRACEBACK}=1 shows where; please report it")
    return FAILED


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if f"{os.sep}pylightnix{os.sep}" in filename:
        remark(f"warning: {message}", "yellow")
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        (file or sys.stderr).write(printable_lines(warnings.formatwarning(message, category, filename, lineno, line)))


def printable_lines(text: str) -> str:
    """Text of several lines made safe for a terminal."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _see_off(stream: TextIO | None) -> None:
    """Nobody may read any more what we told: that changes nothing of how the command ends."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        _let_go_of(stream)


def _let_go_of(stream: TextIO | None) -> None:
    from pylightnix.session.telling import let_go  # few need it

    if stream is not None:
        let_go(stream)
