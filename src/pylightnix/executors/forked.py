"""A supervisor that a nursery forked, as the executor sees it: with its nursery, or without. Unaware of runs."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess

from pylightnix.executors.nursery import BEGUN, ENDED

_COMING_UP = 60.0
"""Seconds that a nursery may take to fork."""


class Forked:
    """A supervisor that a nursery forked: its child, so the nursery tells how it ended, if it is still there then.

    Args:
        channel: by which they tell.
        nursery: its process.

    Attributes:
        has_begun: whether it is, or was, there at all.
    """

    def __init__(self, channel: socket.socket, nursery: subprocess.Popen[bytes]) -> None:
        self._channel = channel
        self._nursery = nursery
        self._told = b""
        self._code: int | None = None
        self._handle: int | None = None
        channel.settimeout(_COMING_UP)
        told = self._hear(BEGUN)
        self.has_begun = told is not None
        self.pid = -1 if told is None else told
        if told is None:
            ended = self._hear(ENDED)
            self._code = nursery.wait() if ended is None else ended  # it did not come up, or is gone
            channel.close()
        elif hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._handle = os.pidfd_open(self.pid)

    def _hear(self, word: str) -> int | None:
        """The number that is told with a word, once it is; None if it never will be."""
        while True:
            for line in self._told.split(b"\n")[:-1]:
                said, number = line.split()
                if said == word.encode():
                    return int(number)
                if said == ENDED.encode():
                    return None
            try:
                data = self._channel.recv(64)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._told += data

    def poll(self) -> int | None:
        """How it ended, None if it has not."""
        return self._look(0)

    def wait(self) -> int:
        """Wait for its end; how it ended."""
        code = self._look(None)
        return -signal.SIGKILL if code is None else code

    def _look(self, patience: float | None) -> int | None:
        if self._code is not None:
            return self._code
        self._channel.settimeout(patience)
        with contextlib.suppress(BlockingIOError):
            code = self._hear(ENDED)
            if code is not None or self._is_gone(patience):
                self._ended(code)
        return self._code

    def _is_gone(self, patience: float | None) -> bool:
        """Whether it has ended, seen without its nursery, after which it goes on."""
        if self._handle is None:
            return True  # a killed nursery ends what it forked there
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(None if patience is None else patience * 1000))

    def _ended(self, code: int | None) -> None:
        """Without its nursery nobody knows how: it has told by the pipe for events, if it was not killed."""
        self._code = -signal.SIGKILL if code is None else code
        self._channel.close()
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def send_signal(self, number: int) -> None:
        """Signal it, if it has not ended."""
        if self._code is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, number)
            else:
                os.kill(self.pid, number)
