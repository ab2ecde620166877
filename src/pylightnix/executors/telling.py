"""Exceptions, times and machines in words: what of a run can be told as text. Unaware of runs."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

TEXT_LIMIT = 2_000
"""Characters of an exception's own text that are kept."""

TRACEBACK_LIMIT = 60_000
"""Characters of a traceback that are kept, half from its beginning, half from its end."""

_HERE = os.path.dirname(__file__) + os.sep


def describe(error: BaseException) -> str:
    """The type and the text of an exception; never raises, whatever the exception's own methods do."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    try:
        text = repr(error.code) if isinstance(error, SystemExit) else str(error)
    except Exception:
        text = "(its text cannot be had)"
    text = shorten(text, TEXT_LIMIT)
    if isinstance(error, SystemExit):
        return f"{name}({text})"
    return f"{name}: {text}" if text else name


def format_traceback(error: BaseException) -> str:
    """The traceback as Python prints it, without the frames of the executor at its beginning."""
    import traceback  # slow to import, and needed for failures only

    try:
        return shorten("".join(traceback.format_exception(type(error), error, _user_part(error))), TRACEBACK_LIMIT)
    except Exception:
        return ""


def _user_part(error: BaseException) -> TracebackType | None:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename.startswith(_HERE):
        trace = trace.tb_next
    return trace


def shorten(text: str, limit: int) -> str:
    """The text, or its two ends with a word on how much is missing between them."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} [… {len(text) - 2 * half} characters left out …] {text[-half:]}"


@functools.cache
def host_facts() -> Mapping[str, Any]:
    """host, python and platform: what every run of this machine and interpreter shares."""
    if hasattr(os, "uname"):
        machine = os.uname()
        host, system = machine.nodename, f"{machine.sysname}-{machine.release}-{machine.machine}"
    else:
        import platform

        host, system = platform.node(), platform.platform()
    return {"host": host, "python": sys.version.split()[0], "platform": system}


def bytes_of_maxrss(maxrss: int) -> int:
    """What the kernel calls `ru_maxrss`, in bytes: Linux counts it in KiB, macOS in bytes."""
    return maxrss if sys.platform == "darwin" else maxrss * 1024
