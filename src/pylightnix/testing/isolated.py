"""Builders for the isolation part of the contract of executors: each tells what it sees, or tries what it must not.

Unaware of tests: a worker imports no pytest.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pylightnix.model.build import Build


def around(build: Build) -> dict[str, Any]:
    """Tell of what is around the run."""
    umask = os.umask(0)
    os.umask(umask)
    return {
        "cwd": os.getcwd(),
        "scratch": str(build.scratch),
        "temporary": tempfile.gettempdir(),
        "home": str(Path.home()),
        "environment": dict(os.environ),
        "umask": umask,
        "descriptors": sorted(_descriptors()),
        "ignored": [number for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM)
                    if signal.getsignal(number) != signal.SIG_DFL],
        "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
        "arguments": sys.argv[1:],
        "random": random.random(),
        "user": [os.getuid(), os.getgid()],
    }  # fmt: skip


def _descriptors() -> list[str]:
    """What descriptors lead to, but for the standard ones, and the one that lists them."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):
                found.append(os.readlink(f"/proc/self/fd/{name}"))
    return found


def leave_temporary() -> str:
    """Make temporary files in every way, and leave them."""
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"left")
    Path("beside").write_text("left")
    (Path.home() / ".settings").write_text("left")
    return file.name


def read(path: str) -> str:
    """Read a file; what came of it."""
    try:
        return Path(path).read_text()
    except OSError as error:
        return type(error).__name__


def write(path: str, text: str = "changed") -> str:
    """Write a file; what came of it."""
    try:
        Path(path).write_text(text)
    except OSError as error:
        return type(error).__name__
    return "written"


def open_to_write(path: str) -> str:
    """Open a file for writing, and write nothing; what came of it."""
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError as error:
        return type(error).__name__
    return "opened"


def look_around(path: str) -> list[str]:
    """List a directory; nothing if it is not there."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def connect(port: int, address: str = "127.0.0.1") -> str:
    """Open a connection to a port of this machine; what came of it."""
    try:
        with socket.create_connection((address, port), timeout=5) as connection:
            return connection.recv(100).decode()
    except OSError as error:
        return type(error).__name__


def count_processes() -> list[int]:
    """The numbers of all processes that can be seen."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def signal_process(number: int) -> str:
    """Send nothing to a process; what came of it."""
    try:
        os.kill(number, 0)
    except OSError as error:
        return type(error).__name__
    return "reached"


def use_package(name: str) -> list[str]:
    """Import an installed package: where it is; and start a Python: where that is."""
    found = str(__import__(name).__file__)
    inner = subprocess.run([sys.executable, "-c", "import sys; print(sys.prefix)"], capture_output=True, check=True)
    return [found, inner.stdout.decode().strip()]


def use_programs() -> str:
    """Run programs by name."""
    return subprocess.run(["sh", "-c", "cat /dev/null && echo $0"], capture_output=True, text=True, check=True).stdout


def make_artifacts(build: Build, table: Path) -> None:
    """Make artifacts in every kind."""
    table.write_text("content")
    (build.out / "folder").mkdir()
    (build.out / "folder" / "file").write_text("content")
    (build.out / "link").symlink_to("folder/file")


def wait_politely(pid_file: Path, heard: Path) -> None:
    """Say by a file that SIGTERM was heard."""

    def hear(*_: object) -> None:
        heard.write_text("heard")
        os._exit(1)

    signal.signal(signal.SIGTERM, hear)
    pid_file.write_text(str(os.getpid()))
    time.sleep(60)


def tell_capabilities() -> dict[str, str]:
    """What /proc says of the powers of this process."""
    lines = (line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return {name: value.strip() for name, value in lines if name.startswith("Cap") or name == "NoNewPrivs"}
