"""Programs in a group of their own, of which nobody is left afterwards. Unaware of what they are for."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence


@contextlib.contextmanager
def grouped(
    words: Sequence[str], place: str | os.PathLike[str], environment: Mapping[str, str], *, errors: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program that reads nothing and prints into a pipe; what of its group still runs at the end is killed.

    So whoever is interrupted leaves nothing behind that goes on writing, and no helper of the program that waits for a
    silent server.

    Args:
        words: the program and its arguments.
        place: its working directory.
        environment: all of it.
        errors: where its errors go, as for `subprocess.Popen`.
    """
    with subprocess.Popen(
        words, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
        process_group=0,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group that the program began."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
