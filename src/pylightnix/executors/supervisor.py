"""Stands between the executor and the worker of one run, and ends the run's whole process tree. Unaware of requests.

A process that has run no user's code comes here, forked by a nursery or started for the run; this forks the worker
(where the user's code runs) and stays behind: small, with no user code in it, adopting every process that the run
leaves behind (Linux; elsewhere only the worker's process group is ended). It talks to the executor thus:

- the pipe `control` carries the request to the worker; its other end closes with the executor: all ends at once.
- SIGTERM: end the worker politely, at once after `GRACE` seconds; SIGHUP: at once. In a sandbox no signal of the
  executor's arrives: there the pipe `orders` has the numbers of signals, a byte each, and this process is the first
  of a namespace, which ends with it.
- a handle of the executor's process, where a nursery has one, shows that it has ended: as when `control` closes.
- the pipe `events` gets one line when the worker was started and one when everything has ended, or could not be ended;
  `told` says why if this process was told to end the run: a signal's number, or 0 because nobody waits for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Collection
from typing import NamedTuple

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""

PATIENCE = 5.0
"""Seconds that are waited for killed processes to be gone; some cannot be killed, such as another user's."""

_SHORTEST, _LONGEST = 0.0005, 0.05
"""Seconds between two looks for processes that are left."""

_PDEATHSIG, _CHILD_SUBREAPER = 1, 36
_HEARD = (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Begin in a process that was started for one run."""
    default_signals()
    supervise_worker(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[6]) if len(sys.argv) > 6 else None)


def supervise_worker(control: int, events: int, orders: int | None = None, executor: int | None = None) -> None:
    """Fork; the supervisor never returns from here, the worker does when the run has ended."""
    for descriptor in filter(None, (control, events, orders, executor)):
        os.set_inheritable(descriptor, False)
    adopt_orphans()
    if orders is None and executor is None:
        _set_process_option(_PDEATHSIG, signal.SIGHUP)  # no SIGKILL: there is sweeping to do
    supervisor = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)  # told to end the run before it can hear, it would die alone
    worker = os.fork()
    if worker:
        try:
            _supervise(worker, events, Ends(control, orders, executor))
        finally:
            os._exit(1)
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
    _set_process_option(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(1)
    for descriptor in filter(None, (orders, executor)):
        os.close(descriptor)
    from pylightnix.executors.worker import work  # in the worker only

    work(control, events)


def default_signals() -> None:
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


class Ends(NamedTuple):
    """What a supervisor watches to learn that the run is to end, see above."""

    control: int
    orders: int | None
    executor: int | None


def _supervise(worker: int, events: int, ends: Ends) -> None:
    _say(events, f'{{"worker": {worker}}}')
    status, peak, told = _watch(worker, ends)
    swept, left, peak = _sweep(worker, peak)
    code = os.waitstatus_to_exitcode(status)
    end = {"status": code, "maxrss": peak, "swept": swept, "left": sorted(left), "told": told}
    _say(events, json.dumps(end))
    os._exit(0)


def _say(events: int, line: str) -> None:
    """Write a line; it begins with a line end, because the worker may have died within a line of its own."""
    with contextlib.suppress(OSError):
        os.write(events, f"\n{line}\n".encode())


def _watch(worker: int, ends: Ends) -> tuple[int, int, int | None]:
    """Wait for the worker's end, or bring it about when told to; its status, peak memory, and who told so."""
    control, orders, executor = ends
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    for number in _HEARD:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
    poll = select.poll()
    poll.register(control, 0)
    heard = [wake] if orders is None else [wake, orders]
    for descriptor in heard if executor is None else [*heard, executor]:
        poll.register(descriptor, select.POLLIN)
    deadline: float | None = None
    why: int | None = None
    while True:
        pid, status, usage = os.wait4(worker, os.WNOHANG | os.WUNTRACED)
        if pid and os.WIFSTOPPED(status):
            _tell_of_stop(worker, os.WSTOPSIG(status))
            continue
        if pid:
            return status, usage.ru_maxrss, why
        ready = dict(poll.poll(None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000))
        if orders is not None and ready.get(orders, 0) & select.POLLHUP:
            poll.unregister(orders)
        told = b"".join(os.read(descriptor, 4096) for descriptor in heard if ready.get(descriptor, 0) & select.POLLIN)
        late = deadline is not None and time.monotonic() >= deadline
        alone = [descriptor for descriptor in (control, executor) if descriptor in ready]
        if alone or signal.SIGHUP in told or late:
            _kill_group(worker, signal.SIGKILL)
            deadline = None
            why = why if late else 0 if alone else signal.SIGHUP
            for descriptor in alone:
                poll.unregister(descriptor)
        elif signal.SIGTERM in told and deadline is None:
            _kill_group(worker, signal.SIGTERM)
            deadline, why = time.monotonic() + GRACE, signal.SIGTERM


def _tell_of_stop(worker: int, number: int) -> None:
    """Somebody stopped the worker, perhaps itself, perhaps to go on later: that is said in the log, and waited for."""
    inside = " (which is its number in the sandbox)" if os.getpid() == 1 else ""
    text = f"pylightnix: the process was stopped by signal {number}; it goes on after: kill -CONT {worker}{inside}\n"
    with contextlib.suppress(OSError):
        os.write(2, text.encode())


def _kill_group(worker: int, number: int) -> None:
    """Signal the worker and what is in its process group, stopped ones too; the group may not be there yet."""
    for sent in (number, signal.SIGCONT):
        with contextlib.suppress(OSError):
            os.kill(worker, sent)
        with contextlib.suppress(OSError):
            os.killpg(worker, sent)


def _sweep(worker: int, peak: int) -> tuple[int, set[int], int]:
    """Kill all that the run left, however it hid: how many, those that could not be ended, and the peak memory.

    Orphans become our children, so nobody is gone from our sight who was once below us. While new ones appear they are
    killed faster than they can fork; else we wait longer each time.
    """
    with contextlib.suppress(OSError):
        os.killpg(worker, signal.SIGKILL)
    swept, pause = 0, _SHORTEST
    known: set[int] = set()
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return swept, set(), peak
        if pid:
            swept, peak = swept + 1, max(peak, usage.ru_maxrss)
            known.discard(pid)
            continue
        found = _kill_descendants()
        pause = min(pause * 2, _LONGEST) if found <= known else _SHORTEST
        known |= found
        time.sleep(pause)
    return swept, _kill_descendants(), peak


def adopt_orphans() -> None:
    """From now on, what is left of a process below this one that is gone is below this one (Linux)."""
    _set_process_option(_CHILD_SUBREAPER, 1)


def end_strays(own: Collection[int]) -> None:
    """Kill all that is below this process and below none of its own children: what a killed supervisor has left."""
    until, pause = time.monotonic() + PATIENCE, _SHORTEST
    known: set[int] = set()
    while (found := _kill_descendants(own)) and time.monotonic() < until:
        for pid in found:
            with contextlib.suppress(ChildProcessError):  # it is the child of another one that was killed
                os.waitpid(pid, os.WNOHANG)
        pause = min(pause * 2, _LONGEST) if found <= known else _SHORTEST
        known |= found
        time.sleep(pause)


def _kill_descendants(spared: Collection[int] = ()) -> set[int]:
    """Kill all processes below this one, as far as the system tells, each as it is found: its children then are ours.

    Parents mostly have lower numbers than their children, so one pass finds nearly all.
    """
    me = os.getpid()
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/stat", "rb") as stat:
                parent = int(stat.read().rpartition(b")")[2].split()[1])
                if (parent == me and pid not in spared) or parent in found:
                    found.add(pid)
                    os.kill(pid, signal.SIGKILL)
    return found
