"""Starts the supervisor of a run: a new process each time, or one forked by a nursery. Unaware of what runs are."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import blake3

from pylightnix.executors.forked import Forked

_ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
_NEEDED = os.path.dirname(os.path.dirname(os.path.abspath(blake3.__file__)))
"""Where the one package is that is needed to read a request: isolated runs have neither our PYTHONPATH nor our home."""

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[3]); from pylightnix.executors.{} import main; "
    "del sys.path[0]; sys.path.append(sys.argv[4]); main()"
)
_AT_START = ("PYTHON", "LD_", "DYLD_", "MALLOC_", "GLIBC_", "LANG", "LC_")
"""How the names of variables begin that count while a process comes up, and not afterwards."""

_PAUSE = 0.1
"""Seconds that one may take to fork once all are to end at once."""

_LEAVING = 5.0
"""Seconds that a nursery may take to end when it is not needed any more."""


class Pipes(NamedTuple):
    """The ends of its pipes that a supervisor gets."""

    control: int
    events: int
    output: int


class Fence(NamedTuple):
    """What puts a supervisor into a sandbox.

    Attributes:
        command: begins the command.
        descriptors: what that needs.
        orders: a pipe by which the supervisor hears in there, where no signal reaches it.
    """

    command: Sequence[str]
    descriptors: Sequence[int]
    orders: int


class Started(Protocol):
    """A supervisor; as `subprocess.Popen` has them."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...
    def wait(self) -> int: ...
    def send_signal(self, number: int, /) -> None: ...


def start_fresh(pipes: Pipes, environ: Mapping[str, str], name: str, fence: Fence | None = None) -> Started:
    """Start a new process.

    Args:
        pipes: what it gets.
        environ: its environment.
        name: stands among its arguments, for who looks at processes.
        fence: puts it into a sandbox.

    Raises:
        OSError: none can be started.
    """
    boot = [*_interpreter(), "-c", _BOOT.format("supervisor")]
    command = [*boot, str(pipes.control), str(pipes.events), _ROOT, _NEEDED, name]
    lent: list[int] = []
    if fence is not None:
        command = [*fence.command, *command, str(fence.orders)]
        lent = [*fence.descriptors, fence.orders]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=pipes.output,
        stderr=pipes.output,
        pass_fds=(pipes.control, pipes.events, *lent),
        env=dict(environ),
        start_new_session=True,
    )


def _interpreter() -> list[str]:
    flags: list[str] = getattr(subprocess, "_args_from_interpreter_flags", list)()
    return [sys.executable, *flags, "-P"]


class Nurseries:
    """Nurseries by what counts while they come up; each is started when the first run needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nurseries: dict[tuple[object, ...], _Nursery] = {}
        self._closed = False

    def start(self, pipes: Pipes, environ: Mapping[str, str], name: str) -> Started:
        """Let a supervisor be forked.

        Raises:
            OSError: no process can be started.
        """
        kind = (sys.executable, *sorted(item for item in environ.items() if item[0].startswith(_AT_START)))
        with self._lock:
            while True:
                if self._closed:
                    raise OSError("the executor was stopped")
                nursery = self._nurseries.get(kind)
                fresh = nursery is None or not nursery.is_alive()
                if nursery is None or fresh:
                    nursery = self._nurseries[kind] = _Nursery(environ, pipes.output)
                started = nursery.start(pipes, environ, name)
                if fresh or started.has_begun or nursery.given_up or nursery.is_alive():
                    return started

    def close(self) -> None:
        """End them; what they have forked ends too."""
        self._closed = True
        while not self.give_up():
            time.sleep(_PAUSE)
        with self._lock:
            while self._nurseries:
                self._nurseries.popitem()[1].close()

    def give_up(self) -> bool:
        """Wait no longer for one that does not fork, and end all at once if one does not; whether all do."""
        if self._lock.acquire(timeout=_PAUSE):
            self._lock.release()
            return True
        for nursery in list(self._nurseries.values()):
            nursery.kill()
        return False


class _Nursery:
    """One of them.

    Args:
        environ: of the first run.
        output: where it complains if it cannot come up: the log of that run.
    """

    def __init__(self, environ: Mapping[str, str], output: int) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with its:
                descriptor = str(its.fileno())
                process = subprocess.Popen(
                    [*_interpreter(), "-c", _BOOT.format("nursery"), descriptor, str(os.getpid()), _ROOT, _NEEDED],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=(its.fileno(),),
                    env=dict(environ),
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        self.given_up = False
        self._line = ours
        self._process = process
        self.close: Callable[[], object] = weakref.finalize(self, _end, ours, process, os.getpid())

    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once; whoever waits for it hears of it."""
        self.given_up = True
        self._process.kill()

    def start(self, pipes: Pipes, environ: Mapping[str, str], name: str) -> Forked:
        """Let it fork."""
        ours, its = socket.socketpair()
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError), its:  # it did not come up
                socket.send_fds(self._line, [b"+"], [its.fileno(), *pipes])
                ours.sendall(json.dumps({"environ": dict(environ), "name": name}).encode() + b"\n")
            return Forked(ours, self._process)
        except BaseException:
            ours.close()
            raise


def _end(line: socket.socket, process: subprocess.Popen[bytes], owner: int) -> None:
    line.close()
    if os.getpid() != owner:  # a forked child has no nursery
        return
    try:
        process.wait(_LEAVING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
