"""`serve` in a process of its own, as somebody would start it, and plain requests to it."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
from collections.abc import Iterator
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
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environ},
        process_group=0,
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
