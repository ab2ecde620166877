"""Threads that ask: in order, several at once, and left behind when what they ask hangs."""

from __future__ import annotations

import functools
import http.server
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import closing
from pathlib import Path

import pytest

from pylightnix import Build, Store, promise, pull, push, realize, stage
from pylightnix.remotes.pieces import PIECE
from pylightnix.remotes.workers import PARTING, Workers

SOON = PARTING + 3.0


def slowly(number: int) -> int:
    time.sleep(0.02 * (number % 3))
    return number


def test_answers_come_in_the_order_of_the_questions() -> None:
    with closing(Workers(3, "some")) as workers:
        assert list(workers.map(slowly, range(9))) == list(range(9))
        with pytest.raises(ZeroDivisionError):
            list(workers.map(lambda n: 1 // n, [1, 0, 1]))
        assert workers.submit(divmod, 7, 2).result() == (3, 1)


def test_no_more_at_once_than_there_are() -> None:
    now, most = [0], [0]
    mutex = threading.Lock()

    def ask(_: int) -> None:
        with mutex:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with mutex:
            now[0] -= 1

    with closing(Workers(2, "some")) as workers:
        list(workers.map(ask, range(10)))
    assert most == [2]


def test_what_hangs_is_left_behind_and_what_waits_is_dropped() -> None:
    go = threading.Event()
    workers = Workers(1, "some")
    hanging, waiting = workers.submit(go.wait), workers.submit(go.wait)
    begun = time.monotonic()
    workers.close()
    assert time.monotonic() - begun < SOON
    assert not hanging.done()
    with pytest.raises(CancelledError):
        waiting.result()
    with pytest.raises(CancelledError):
        workers.submit(go.wait).result(5)
    go.set()
    assert hanging.result(5)


@stage(code="ignore")
def large(build: Build, table: Path = promise("table.bin")) -> None:
    with table.open("wb") as file:
        for number in range(3):
            file.write(bytes([number]) * PIECE)


class Hanging(http.server.SimpleHTTPRequestHandler):
    """A server that stops in the middle of a tree."""

    protocol_version = "HTTP/1.1"
    asked = threading.Event()
    over = threading.Event()

    def do_GET(self) -> None:
        if not self.path.startswith("/trees/"):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.asked.set()
        self.over.wait(60)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    handler = functools.partial(Hanging, directory=str(tmp_path / "remote"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        Hanging.over.set()
        server.shutdown()


def test_a_pull_that_hangs_can_be_interrupted(tmp_path: Path, address: str) -> None:
    source, target = Store(tmp_path / "one", durability="none"), Store(tmp_path / "two", durability="none")
    done = realize(large(), store=source, quiet=True)
    push(done, tmp_path / "remote", store=source)
    when: list[float] = []

    def interrupt() -> None:
        assert Hanging.asked.wait(30)
        time.sleep(0.2)
        when.append(time.monotonic())
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        pull(done.ref, address, store=target, unsigned=True)
    assert time.monotonic() - when[0] < SOON
    assert target.verify().findings == ()
    assert pull(done.ref, tmp_path / "remote", store=target, unsigned=True).size == 3 * PIECE
