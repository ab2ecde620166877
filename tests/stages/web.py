"""A web server on loopback that serves bytes, and does what it is told wrong."""

from __future__ import annotations

import contextlib
import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Site:
    """What it serves, and how: `faults` are taken one per request, "" for none; the last one stays."""

    url: str = ""
    body: bytes = b""
    etag: str | None = '"one"'
    ranges: bool = True
    faults: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def next_fault(self) -> str:
        return self.faults.pop(0) if self.faults else ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site
    done: threading.Event

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        site = self.site
        site.asked.append(dict(self.headers.items()))
        site.paths.append(self.path)
        fault = site.next_fault()
        self.close_connection = True
        if self.path.startswith("/away/"):
            return self._answer(302, b"", Location=site.url + self.path.removeprefix("/away"))
        if fault.isdigit():
            return self._answer(int(fault), b"no", **({"Location": site.url + self.path} if fault == "302" else {}))
        body, status, more = site.body, 200, {"ETag": site.etag} if site.etag else {}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        fits = self.headers.get("If-Range") in (None, site.etag)
        if wanted and site.ranges and fits:
            start = int(wanted[1])
            if start >= len(body):
                return self._answer(416, b"")
            more["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body, status = body[start:], 206
        if fault == "wrong range":
            more["Content-Range"] = f"bytes 0-{len(body) - 1}/{len(body)}"
            status = 206
        if fault == "page":
            body, more = b"<html>please log in</html>", {"Content-Type": "text/html"}
        if fault == "bytes":
            body = body[:-1] + b"!"
        return self._answer(status, body, fault, **more)

    def _answer(self, status: int, body: bytes, fault: str = "", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if fault not in ("no length", "untold cut", "endless"):
            self.send_header("Content-Length", str(len(body) + (100 if fault == "long" else 0)))
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(OSError):
            self._write(body, fault)

    def _write(self, body: bytes, fault: str) -> None:
        if fault == "endless":
            while not self.done.is_set():
                self.wfile.write(bytes(1 << 16))
        elif fault == "drip":
            for byte in body:
                self.wfile.write(bytes([byte]))
                if self.done.wait(0.02):
                    break
        elif fault == "soon":
            self.wfile.write(body[: 3 << 19])
        elif fault in ("cut", "slow", "untold cut"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if fault == "slow":
                self.done.wait(20)
        else:
            self.wfile.write(body)


@contextlib.contextmanager
def serving(body: bytes = b"", identity: Path | None = None) -> Iterator[Site]:
    """Serve these bytes; over TLS if there is a directory with a `certificate` and a `key`."""
    site, done = Site(body=body), threading.Event()
    handler = type("Handler", (_Handler,), {"site": site, "done": done})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        if identity is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity / "certificate", identity / "key")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        site.url = f"http{'s' if identity else ''}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield site
        finally:
            done.set()
            server.shutdown()
            thread.join()
