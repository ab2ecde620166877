"""A real web server with TLS serves a remote: over few connections, uncompressed, and only if it is the one meant."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pylightnix.errors import RemoteError
from pylightnix.remotes.web import Web
from tests.remotes.tls_server import Nginx, tls_server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with tls_server(tmp_path_factory.mktemp("nginx")) as server:
        yield server


@pytest.fixture
def server(running: Nginx, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Nginx:
    monkeypatch.setenv("SSL_CERT_FILE", str(running.certificate))
    monkeypatch.setenv("HOME", str(tmp_path))
    running.access.write_text("")
    return running


@pytest.mark.parametrize("secure", [False, True])
def test_one_connection_for_all_that_a_thread_asks(server: Nginx, secure: bool) -> None:
    data = os.urandom(3_000_000)
    (server.files / "large").write_bytes(data)
    (server.files / "empty").write_bytes(b"")
    with contextlib.closing(Web(server.secure if secure else server.plain)) as backend:
        for _ in range(5):
            assert backend.get("large", len(data)) == data
            assert backend.get("empty", 1) == b""
            assert backend.get("none", 1) is None
            assert backend.has("large")
            assert not backend.has("none")
    lines = [line.split() for line in server.access.read_text().splitlines()]
    assert len(lines) == 25
    assert len({connection for connection, *_ in lines}) == 1
    assert {(scheme, encoding) for _, scheme, _, _, encoding in lines} == {("https" if secure else "http", "-")}


def test_many_threads(server: Nginx) -> None:
    names = [f"t{number}" for number in range(40)]
    for name in names:
        (server.files / name).write_text(name * 1000)
    with contextlib.closing(Web(server.secure)) as backend, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda name: backend.get(name, 10_000), names)) == [n.encode() * 1000 for n in names]
    assert len({line.split()[0] for line in server.access.read_text().splitlines()}) <= 8


def test_a_connection_from_which_more_would_come_is_not_used_again(server: Nginx) -> None:
    (server.files / "large").write_bytes(b"x" * 3_000_000)
    (server.files / "small").write_bytes(b"small")
    with contextlib.closing(Web(server.plain)) as backend:
        for _ in range(3):
            with pytest.raises(RemoteError, match="more than the 10 bytes"):
                backend.get("large", 10)
            assert backend.get("small", 10) == b"small"


@pytest.mark.parametrize(("name", "what"), [("moved/x", "leads elsewhere"), ("shut/x", "refused"), ("t", "elsewhere")])
def test_what_is_no_file(server: Nginx, name: str, what: str) -> None:
    (server.files / "t").mkdir(exist_ok=True)
    with contextlib.closing(Web(server.secure)) as backend:
        for ask in (lambda: backend.get(name, 100), lambda: backend.has(name)):
            with pytest.raises(RemoteError, match=what) as caught:
                ask()
            assert not caught.value.again


def test_who_cannot_show_that_he_is_meant(server: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with contextlib.closing(Web(server.secure)) as backend, pytest.raises(RemoteError, match="verify") as caught:
        backend.get("x", 1)
    assert not caught.value.again


def test_a_certificate_that_nobody_vouches_for(server: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with contextlib.closing(Web(server.secure)) as backend, pytest.raises(RemoteError, match="verify failed") as caught:
        backend.get("large", 1)
    assert "SSL_CERT_FILE" in str(caught.value.hint)
