"""Stands between the executor and the worker of one run, and ends the run's whole process tree. Unaware of requests.

The executor starts a fresh interpreter here; this forks the worker (where the user's code runs) before anything is
imported that could matter, and stays behind: small, with no user code in it, adopting every process that the run
leaves behind (Linux; elsewhere only the worker's process group is ended). It talks to the executor thus:

- the pipe `control` carries the request to the worker; its other end closes with the executor: all ends at once.
- SIGTERM: end the worker politely, at once after `GRACE` seconds; SIGHUP: at once.
- the pipe `events` gets one line when the worker was started and one when everything has ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""

PATIENCE = 5.0
"""Seconds that are waited for killed processes to be gone; some cannot be killed, such as another user's."""

_PDEATHSIG, _CHILD_SUBREAPER = 1, 36


def main() -> None:
    """Fork; the supervisor never returns from here, the worker does when the run has ended."""
    control, events = int(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(control, False)
    os.set_inheritable(events, False)
    _default_signals()
    _set_process_option(_CHILD_SUBREAPER, 1)
    _set_process_option(_PDEATHSIG, signal.SIGHUP)  # no SIGKILL: there is sweeping to do
    supervisor = os.getpid()
    worker = os.fork()
    if worker:
        try:
            _supervise(worker, control, events)
        finally:
            os._exit(1)
    os.setsid()
    _set_process_option(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(1)
    from pylightnix.executors.worker import work  # in the worker only

    work(control, events)


def _default_signals() -> None:
    """What the executor's process ignored or blocked is no business of the run."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _set_process_option(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _supervise(worker: int, control: int, events: int) -> None:
    _say(events, f'{{"worker": {worker}}}')
    status, peak = _watch(worker, control)
    swept, peak = _sweep(worker, peak)
    _say(events, f'{{"status": {os.waitstatus_to_exitcode(status)}, "maxrss": {peak}, "swept": {swept}}}')
    os._exit(0)


def _say(events: int, line: str) -> None:
    """Write a line; it begins with a line end, because the worker may have died within a line of its own."""
    with contextlib.suppress(OSError):
        os.write(events, f"\n{line}\n".encode())


def _watch(worker: int, control: int) -> tuple[int, int]:
    """Wait for the worker's end, or bring it about when told to; its status and peak memory."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    poll = select.poll()
    poll.register(control, 0)
    poll.register(wake, select.POLLIN)
    deadline: float | None = None
    while True:
        pid, status, usage = os.wait4(worker, os.WNOHANG)
        if pid:
            return status, usage.ru_maxrss
        ready = dict(poll.poll(None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000))
        told = os.read(wake, 4096) if wake in ready else b""
        late = deadline is not None and time.monotonic() >= deadline
        if control in ready or signal.SIGHUP in told or late:
            _kill_group(worker, signal.SIGKILL)
            deadline = None
            if control in ready:
                poll.unregister(control)
        elif signal.SIGTERM in told and deadline is None:
            _kill_group(worker, signal.SIGTERM)
            deadline = time.monotonic() + GRACE


def _kill_group(worker: int, number: int) -> None:
    """Signal the worker and what is in its process group; the group may not be there yet."""
    with contextlib.suppress(OSError):
        os.kill(worker, number)
    with contextlib.suppress(OSError):
        os.killpg(worker, number)


def _sweep(worker: int, peak: int) -> tuple[int, int]:
    """Kill all that the run left, however it hid: orphans become our children. How many, and the peak memory."""
    with contextlib.suppress(OSError):
        os.killpg(worker, signal.SIGKILL)
    swept, pause = 0, 0.0005
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            swept, peak = swept + 1, max(peak, usage.ru_maxrss)
            continue
        for child in _children():
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    return swept, peak


def _children() -> list[int]:
    """The processes whose parent is this one, as far as the system tells."""
    found = []
    me = os.getpid()
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as stat:
                    if int(stat.read().rpartition(b")")[2].split()[1]) == me:
                        found.append(int(name))
    return found
