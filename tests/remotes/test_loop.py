"""Calls of libraries that hang: given up when whoever waits is interrupted, when the loop is closed, and at the end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import closing
from pathlib import Path

import pytest

from pylightnix.remotes.loop import PARTING, Loop


async def double(number: int) -> int:
    await asyncio.sleep(0.01)
    return 2 * number


def test_several_threads_may_wait() -> None:
    found: list[int] = []
    with closing(Loop()) as loop:
        threads = [threading.Thread(target=lambda n=n: found.append(loop.call(lambda: double(n)))) for n in range(9)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        with pytest.raises(ZeroDivisionError):
            loop.call(divide)
    assert sorted(found) == list(range(0, 18, 2))


async def divide() -> float:
    return 1 / 0


def test_what_hangs_is_given_up_when_it_is_closed_and_it_begins_anew() -> None:
    before = set(threading.enumerate())
    loop, raised = Loop(), threading.Event()

    def hang() -> None:
        with pytest.raises(CancelledError):
            loop.call(lambda: asyncio.sleep(60))
        raised.set()

    thread = threading.Thread(target=hang)
    thread.start()
    loop.call(lambda: double(1))
    begun = time.monotonic()
    loop.close()
    assert raised.wait(5)
    assert time.monotonic() - begun < PARTING
    thread.join()
    assert loop.call(lambda: double(2)) == 4
    loop.close()
    assert set(threading.enumerate()) <= before


def test_a_forked_process_has_one_of_its_own() -> None:
    code = (
        "import os\nfrom pylightnix.remotes.loop import Loop\n"
        "async def one(): return 1\n"
        "loop = Loop()\nloop.call(one)\n"
        "child = os.fork()\n"
        "assert loop.call(one) == 1\n"
        "child and os.waitpid(child, 0)[1] and os.abort()\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0


@pytest.fixture
def silent() -> Iterator[tuple[str, socket.socket]]:
    """An S3 server that takes connections and says nothing."""
    pytest.importorskip("obstore")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield f"s3://bucket/results?endpoint=http://127.0.0.1:{server.getsockname()[1]}", server


PULL = "pull('0' * 8, ADDRESS, store='two')"
PUSH = "push(realize(text('a', 'b'), store='one', quiet=True), ADDRESS, store='one')"
OPEN = "remote = Remote(ADDRESS)\npull('0' * 8, remote, store='two')"
THREADS = (  # silent ones: Python, when it ends, waits for whoever died with its stderr in hand
    "import threading, time\nthreading.excepthook = lambda _: None\nremote = Remote(ADDRESS)\n"
    "[threading.Thread(target=remote.backend.has, args=('a',), daemon=True).start() for _ in range(8)]\ntime.sleep(60)"
)


@pytest.mark.parametrize("code", [PULL, PUSH, OPEN, THREADS], ids=["pull", "push", "open", "threads"])
def test_object_storage_that_hangs_can_be_interrupted(
    tmp_path: Path, silent: tuple[str, socket.socket], code: str
) -> None:
    address, server = silent
    script = f"from pylightnix import *\nfrom pylightnix.stages import text\nADDRESS = {address!r}\n{code}"
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
    running = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    connections = [server.accept()[0] for _ in range(8 if code is THREADS else 1)]
    assert all(one.recv(100) for one in connections), "it is asking"
    begun = time.monotonic()
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=30)[1]
    assert time.monotonic() - begun < 2
    assert "KeyboardInterrupt" in said
    assert running.returncode == -signal.SIGINT
    for one in connections:
        one.close()
