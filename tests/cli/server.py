"""`serve` in a process of its own, as somebody would start it, plain requests to it, and a line to it that breaks."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from pylightnix import Store
from tests.cli.conftest import COMMAND

Answer = tuple[int, bytes, dict[str, str]]


class Server(str):
    """Its address.

    Attributes:
        process: the server.
        told: what it had said when it had ended.
    """

    process: subprocess.Popen[str]
    told: str = ""


def start(store: Store, *options: str, **environ: str) -> Server:
    command = [str(COMMAND), "serve", "--store", str(store.path), "--port", "0", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0,
        env={**os.environ, **environ},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    address = process.stdout.readline().strip()
    assert address, process.stderr.read()
    server = Server(address)
    server.process = process
    return server


@contextlib.contextmanager
def serving(store: Store, *options: str, end: int = signal.SIGINT, **environ: str) -> Iterator[Server]:
    """A server, which ends in order when it is interrupted."""
    server = start(store, *options, **environ)
    try:
        yield server
    finally:
        server.process.send_signal(end)
        try:
            _, server.told = server.process.communicate(timeout=20)
        finally:
            server.process.kill()
    assert server.process.returncode == 130, server.told
    assert "Traceback" not in server.told, server.told
    assert "Warning" not in server.told, server.told


def ask(address: str, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
    with contextlib.closing(connection):
        connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        response = connection.getresponse()
        return response.status, response.read(), {name.lower(): text for name, text in response.getheaders()}


class Between:
    """Passes so many bytes on from a server, then does something, and passes no more."""

    def __init__(self, server: str, most: int, then: Callable[[], object]) -> None:
        self._server = (urlsplit(server).hostname, urlsplit(server).port)
        self._left = most
        self._then = then
        self._mutex = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listening]
        self._threads = [threading.Thread(target=self._accept)]
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> str:
        self._threads[0].start()
        return self.address

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._sockets.append(client)
                server = socket.socket()
                self._sockets.append(server)
                if server.connect_ex(self._server) != 0:
                    client.shutdown(socket.SHUT_RDWR)
                    continue
                for ends in ((client, server, False), (server, client, True)):
                    thread = threading.Thread(target=self._pass_on, args=ends)
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if is_answer and self._is_last(len(data)):
                    break
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _is_last(self, size: int) -> bool:
        with self._mutex:
            if self._left > 0 and self._left <= size:
                self._then()
            self._left -= size
            return self._left <= 0
