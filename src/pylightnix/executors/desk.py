"""Where an executor and a worker elsewhere leave word for each other: a directory that both see. Unaware of runs.

What must be seen soon stands in a file that is there from the start: network file systems look again at a file when it
is opened, and remember for long that one was not there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil

_GONE = "gone"


_TIMES = 3


class Desk:
    """A directory, made for one run and removed after it; its name cannot be guessed, so who finds it sees our files.

    Files: `orders` (its own name in the first line, then what the executor wants: `stop` or `now`), `begun` (made once:
    by the worker that begins the run, or by the executor that takes it back), `progress`, `parcel`, and `beat`, whose
    time is when the executor was last known to wait.

    Args:
        path: absolute.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def make(cls, above: str) -> Desk:
        """A new one in a directory; OSError as it comes. What is left of it is swept as other unfinished things are."""
        desk = cls(f"{above}/{os.getpid()}-{secrets.token_hex(6)}.desk")
        os.mkdir(desk.path)
        desk._append("orders", os.path.basename(desk.path))
        return desk

    def is_seen(self) -> bool:
        """Whether it is there, and is what it seems."""
        lines = self._lines("orders")
        return bool(lines) and lines[0] == os.path.basename(self.path)

    def take(self, who: str) -> bool:
        """Begin the run, or see to it that nobody does; False if somebody did before."""
        try:
            handle = os.open(f"{self.path}/begun", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o664)
        except FileExistsError:
            return False
        with open(handle, "w", encoding="utf-8") as file:
            file.write(who)
        return True

    def taken_by(self) -> str:
        """Who took it; empty if nobody did."""
        return "\n".join(self._lines("begun"))

    def order(self, word: str) -> None:
        """Tell the worker."""
        with contextlib.suppress(OSError):
            self._append("orders", word)

    def wanted(self) -> str:
        """What the executor wants last: empty, `stop`, `now`, or `gone` if nobody waits any more."""
        lines = self._lines("orders")
        return _GONE if not lines else lines[-1] if len(lines) > 1 else ""

    def beat(self, *, first: bool = False) -> None:
        """Let the worker know that somebody waits; who never does is not expected to.

        Args:
            first: whether to begin with it; later nothing is made, since the desk may be removed at this moment.
        """
        with contextlib.suppress(OSError):
            if first:
                open(f"{self.path}/beat", "ab").close()
            os.utime(f"{self.path}/beat")

    def heard(self) -> float | None:
        """When `beat` was called last, by a clock that is not ours; None if it never was."""
        try:
            return os.stat(f"{self.path}/beat").st_mtime
        except OSError:
            return None

    def tell(self, done: float, total: float | None) -> None:
        """Tell the executor how far the run is."""
        with contextlib.suppress(OSError):
            self._append("progress", f"{done!r} {total!r}")

    def told(self, known: int) -> list[tuple[float, float | None]]:
        """What was told of progress, but for so many messages that are known."""
        said = (line.split() for line in self._lines("progress")[known:])
        return [(float(done), None if total == "None" else float(total)) for done, total in said]

    def put(self, parcel: bytes) -> None:
        """Leave the request; OSError as it comes."""
        with open(f"{self.path}/parcel", "wb") as file:
            file.write(parcel)

    def parcel(self) -> bytes:
        """The request that was left; OSError as it comes."""
        with open(f"{self.path}/parcel", "rb") as file:
            return file.read()

    def remove(self) -> None:
        """Remove it, as far as that can be done; a worker that has not heard of the end may write a last line."""
        for _ in range(_TIMES):
            shutil.rmtree(self.path, ignore_errors=True)
            if not os.path.lexists(self.path):
                return

    def _append(self, name: str, line: str) -> None:
        with open(f"{self.path}/{name}", "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _lines(self, name: str) -> list[str]:
        """The whole lines of a file; none if it is not there."""
        try:
            with open(f"{self.path}/{name}", encoding="utf-8") as file:
                return file.read().split("\n")[:-1] if name != "begun" else file.read().splitlines()
        except OSError:
            return []
