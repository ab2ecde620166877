"""Where results and remarks go: standard output and standard error, safe for terminals, pipes and odd encodings."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from pylightnix.names import printable

_STYLES = {"red": "31", "yellow": "33", "bold": "1", "dim": "2"}


def prepare() -> None:
    """Make the standard streams take any text: what their encoding lacks is escaped."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at a stream as it is written."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def styled(text: str, style: str, stream: TextIO | None) -> str:
    """Text in a colour or weight, where the stream is a terminal and $NO_COLOR does not object."""
    if not is_terminal(stream) or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def out(line: str) -> None:
    """Write a line of the result to standard output, control characters escaped; BrokenPipeError if nobody reads."""
    _write(sys.stdout, printable(line))


def out_safe(line: str) -> None:
    """Write a line in which everything from outside was escaped before, such as a styled one."""
    _write(sys.stdout, line)


def out_table(lines: Sequence[str]) -> None:
    """Write what `table` gave, at once."""
    if lines:
        _write(sys.stdout, "\n".join(lines))


def out_exact(*cells: str) -> None:
    """Write a line that a program may use as it is, a tab between the cells; escaped only where a person sees it."""
    if is_terminal(sys.stdout):
        out("  ".join(cells))
    elif sys.stdout is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode("\t".join(cells)) + b"\n")


def out_json(document: object) -> None:
    """Write the one JSON document of a command; ASCII only, so it is safe everywhere."""
    _write(sys.stdout, json.dumps(document, indent=2, default=str))


def remark(line: str, style: str | None = None) -> None:
    """Tell people something on standard error; a reader that is gone does not matter."""
    text = "\n".join(printable(part) for part in line.split("\n"))
    with contextlib.suppress(OSError, ValueError):
        _write(sys.stderr, styled(text, style, sys.stderr) if style else text)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is not None:
        stream.write(text + "\n")


def width(default: int = 0) -> int:
    """Columns of the terminal that standard output is; `default` (0: no limit) if it is none."""
    if not is_terminal(sys.stdout):
        return default
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return default


def cut(text: str, columns: int) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if columns <= 0 or len(text) <= columns else text[: max(columns - 1, 0)] + "…"


def table(rows: Sequence[tuple[str, ...]], right: tuple[int, ...] = (), indent: str = "") -> list[str]:
    """Rows as lines with aligned columns; the columns in `right` are flush right. The last one is not padded."""
    if not rows:
        return []
    safe = [row if printable(all_of_it := "".join(row)) == all_of_it else tuple(map(printable, row)) for row in rows]
    widths = [max(len(row[i]) for row in safe) for i in range(len(safe[0]))]
    last = len(widths) - 1
    lines = []
    for row in safe:
        cells = [
            cell.rjust(widths[i]) if i in right else cell if i == last else cell.ljust(widths[i])
            for i, cell in enumerate(row)
        ]
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


class Forgiving:
    """Standard error for what the user's code prints while it is loaded: a reader that is gone does not matter."""

    def write(self, text: str) -> int:
        """Pass the text on, if there is anybody."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what is held."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        """All else is that of standard error."""
        return getattr(sys.stderr, name)
