"""Where a job of Slurm builds: a directory of the store that outlasts whoever submitted it. Unaware of Slurm."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from pylightnix.errors import ExecutorError

if TYPE_CHECKING:
    from pylightnix.model.build import BuildRequest

try:
    import fcntl
except ImportError:  # there is no Slurm either
    fcntl = None  # type: ignore[assignment]

_MOVED = ("out", "scratch", "checkpoint", "log")


class Place:
    """Where a job builds, locked by whoever waits for it."""

    def __init__(self, path: str, handle: int) -> None:
        self.path = path
        self._handle = handle

    @classmethod
    def take(cls, path: str) -> Place:
        """Lock one that is there; OSError if somebody has it, or it is gone."""
        handle = os.open(f"{path}/lock", os.O_RDWR | os.O_CREAT, 0o664)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.stat(f"{path}/lock")
        except OSError:
            os.close(handle)
            raise
        return cls(path, handle)

    @classmethod
    def make(cls, path: str) -> Place:
        """A new one.

        Raises:
            ExecutorError: it cannot be made, or not be locked.
        """
        try:
            os.makedirs(path)
            return cls.take(path)
        except OSError as error:
            raise ExecutorError(
                f"no job can have a place here: {error.strerror or error}", where=path, executor="slurm",
                hint="the store must be on a file system that can be written and has locks: pylightnix doctor",
            ) from error  # fmt: skip

    def give_up(self, request: BuildRequest) -> None:
        """Bring what the job left to where the run is expected to leave it, and remove the place."""
        for name in _MOVED:
            source, target = f"{self.path}/{name}", str(getattr(request, name))
            with contextlib.suppress(OSError):
                if name == "out" and not request.has_out:
                    continue
                if name == "out" and os.path.isdir(target):
                    os.rmdir(target)
                if os.path.lexists(source):
                    os.makedirs(os.path.dirname(target), mode=0o775, exist_ok=True)
                    os.rename(source, target)
        self.remove()

    def bequeath(self, other: Place) -> None:
        """Leave the checkpoint, if there is one, to another one that has none, and remove this."""
        with contextlib.suppress(OSError):
            if not os.path.lexists(f"{other.path}/checkpoint"):
                os.rename(f"{self.path}/checkpoint", f"{other.path}/checkpoint")
        self.remove()

    def remove(self) -> None:
        """Remove it, as far as that can be done."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Let others have it."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)
