"""Builders for the contract suite of executors that need a process of their own: they end it, or leave others."""

# ruff: noqa: T201

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def read_input() -> list[str]:
    """Read standard input, which must not wait for anybody."""
    inner = subprocess.run([sys.executable, "-c", "print(repr(input.__name__))"], capture_output=True, check=True)
    return [sys.stdin.read(), inner.stdout.decode().strip()]


def die(how: str) -> None:
    """End the process without returning."""
    print("last words")
    match how:
        case "exit 0":
            os._exit(0)
        case "exit 3":
            os._exit(3)
        case "segfault":
            ctypes.string_at(0)
        case _:
            os.kill(os.getpid(), signal.Signals[how])
    time.sleep(60)


def write_from_children() -> None:
    """Write by descriptor, and by processes."""
    os.write(1, b"by descriptor \xff\n")
    subprocess.run(["sh", "-c", "echo from a child; echo its error >&2"], check=True)


def leave(how: str, fifo: Path, out: Path) -> None:
    """Leave processes behind that are deaf and write later; each holds the fifo open, so its reader knows of them."""
    os.open(fifo, os.O_WRONLY)
    reader, writer = os.pipe()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if how != "child":
            os.setsid()
        if how != "session" and os.fork() != 0:
            os._exit(0)
        os.write(writer, b"x")
        _stay(how, out)
        os._exit(0)
    os.read(reader, 1)


def _stay(how: str, out: Path) -> None:
    until = time.monotonic() + 30
    match how:
        case "stopped":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "bomb":
            for _ in range(6):
                os.fork()
        case "comet":
            while time.monotonic() < until:
                if os.fork() != 0:
                    os._exit(0)
    while time.monotonic() < until:
        with out.open("a") as stream:
            stream.write("x")
        time.sleep(0.02)


def leave_killer_of_parents() -> None:
    """Leave a process behind that kills whoever adopts it."""
    builder = os.getpid()
    if os.fork() == 0:
        os.setsid()
        while os.getppid() == builder:
            pass  # or it is too late
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(1)
        os._exit(0)


def spoil_afterwards(table: Path) -> None:
    """Keep the promise, and break it when Python ends."""
    table.write_text("content")
    atexit.register(table.unlink)


def stop_itself(heard: Path) -> str:
    """Stop until somebody says to go on; a file tells whether SIGTERM was heard."""

    def hear(*_: object) -> None:
        heard.touch()
        os._exit(1)

    signal.signal(signal.SIGTERM, hear)
    os.kill(os.getpid(), signal.SIGSTOP)
    return "went on"


def stop_executor(process: int) -> str:
    """Stop the process that waits for this run, and return."""
    os.kill(process, signal.SIGSTOP)
    return "returned"


def return_twice() -> str:
    """Fork, and return in both processes."""
    return "parent" if os.fork() else "child"


def raise_in_copy() -> str:
    """Fork, return, and fail in the copy."""
    if os.fork() == 0:
        raise KeyboardInterrupt
    return "parent"


def close_descriptors(target: Path) -> None:
    """Close all that daemons close, and open a file in the place of each."""
    os.closerange(3, 64)
    for _ in range(30):
        os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def sleep(pid_file: Path, *, stubborn: bool = False) -> None:
    """Sleep long, perhaps deaf to SIGTERM."""
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    partial = pid_file.with_suffix(".part")
    partial.write_text(str(os.getpid()))
    partial.rename(pid_file)
    time.sleep(60)


def leave_thread() -> str:
    """Leave a thread behind that never ends."""
    threading.Thread(target=time.sleep, args=(60,)).start()
    return "done"


def leave_open(table: Path) -> None:
    """Leave a file open, with something in its buffer, where nothing closes it before Python ends."""
    sys.modules[__name__].__dict__["left_open"] = stream = table.open("w")
    os.write(stream.fileno(), b"begun\n")
    stream.write("and ended\n")
