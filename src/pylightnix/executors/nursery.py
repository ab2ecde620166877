"""A process that has imported what every run needs, and forks a supervisor for each. Unaware of requests.

A fresh interpreter takes longer to come up than many a builder runs. This one comes up once for an executor, runs no
user's code, and has no threads; what is forked from it finds the state that a fresh interpreter would have. It ends
when the executor's process does, or closes its end of the socket.

A supervisor that is killed leaves what was below it to this process, which ends that. If this process is killed, what
it forked goes on where the system lets a supervisor see by itself that the executor's process is there (Linux).

The executor sends a message of one byte with four descriptors for each run: a socket for the run, and the pipes for
control, events and output. By the socket the child reads its environment (JSON, one line) and tells its number; later
this process tells how it ended: a line each, which begins with `BEGUN` or `ENDED`.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time

DESCRIPTORS = 4
BEGUN, ENDED = "begun", "ended"
ASIDE = 2.0
"""Seconds between two looks whether the executor's process is still there, should somebody else hold its socket."""

_NAME = 15
_SET_NAME = 15


def main() -> None:
    """Serve until nobody can ask for more; in a forked child it returns when the run has ended."""
    from pylightnix.executors import supervisor, worker

    worker.prepare()
    line = socket.socket(fileno=int(sys.argv[1]))
    line.set_inheritable(False)
    parent = int(sys.argv[2])
    executor = _handle(parent)
    supervisor.default_signals()
    supervisor.adopt_orphans()
    wake, waker = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what was said in coming up stood in the log of the run that asked for it
        os.dup2(nowhere, stream)
    os.close(nowhere)
    gc.collect()
    gc.freeze()
    children: dict[int, socket.socket] = {}
    poll = select.poll()
    poll.register(line, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while os.getppid() == parent:
        ready = dict(poll.poll(ASIDE * 1000))
        if wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
        _reap(children)
        if line.fileno() not in ready:
            continue
        data, descriptors, _, _ = socket.recv_fds(line, 1, DESCRIPTORS)
        if not data:
            break
        if not _begin(descriptors, children):
            return supervisor.supervise_worker(*_become(descriptors, executor), executor=executor)
    os._exit(0)


def _begin(descriptors: list[int], children: dict[int, socket.socket]) -> bool:
    """Fork; False in the child."""
    child = os.fork()
    if not child:
        return False
    for inner in descriptors[1:]:
        os.close(inner)
    children[child] = socket.socket(fileno=descriptors[0])
    return True


def _handle(parent: int) -> int | None:
    """By which it is seen that the executor's process has ended; None where the system has no such thing."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            return os.pidfd_open(parent)  # had it ended before, the loop would see that its parent is another one
    return None


def _reap(children: dict[int, socket.socket]) -> None:
    from pylightnix.executors.supervisor import end_strays

    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            channel = children.pop(pid, None)
            if channel is None:  # it was left by a supervisor
                continue
            if status:  # that did not end its run
                end_strays(children)
            _say(channel, ENDED, os.waitstatus_to_exitcode(status))
            channel.close()


def _say(channel: socket.socket, word: str, number: int) -> None:
    with contextlib.suppress(OSError):
        channel.send(f"{word} {number}\n".encode(), socket.MSG_DONTWAIT)


def _become(descriptors: list[int], executor: int | None) -> tuple[int, int]:
    """Have what a process started for this run would have, and nothing else; the pipes for control and events."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    channel, control, events, output = descriptors
    os.dup2(output, 1)
    os.dup2(output, 2)
    with socket.socket(fileno=channel) as own, own.makefile("rb") as lines:
        told = json.loads(lines.readline())
        _say(own, BEGUN, os.getpid())  # so who hears of nobody knows that there is nobody
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else range(3, 256):
        if int(name) > 2 and int(name) not in (control, events, executor):
            with contextlib.suppress(OSError):
                os.close(int(name))
    os.environ.clear()
    os.environ.update(told["environ"])
    time.tzset()
    _set_name(told["name"])
    return control, events


def _set_name(name: str) -> None:
    """The name under which tools show the process."""
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_SET_NAME, name.encode()[:_NAME], 0, 0, 0)
