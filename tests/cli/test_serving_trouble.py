"""`serve` where things go wrong: killed, interrupted, beside a collection, asked by who takes nothing or means ill."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pylightnix import Build, Realization, Store, pull, realize, stage
from pylightnix.errors import DamageError, RemoteError, UnknownReferenceError
from pylightnix.remotes.keyring import DIRECTORY
from pylightnix.remotes.pieces import PIECE
from pylightnix.remotes.web_access import TOKEN
from tests.cli.conftest import COMMAND
from tests.cli.server import Between, Server, ask, serving, start
from tests.remotes.tls_server import certify

PIECES = 12
"""Of which eight are asked for at once."""


@stage(code="ignore")
def large(build: Build) -> None:
    with (build.out / "large").open("wb") as file:
        for number in range(PIECES):
            file.write(bytes([number]) * PIECE)


@stage(code="ignore")
def number(build: Build, value: int) -> int:
    (build.out / "same").write_bytes(b"same" * 1000)
    (build.out / "other").write_text(str(value))
    return value


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv(DIRECTORY, str(tmp_path / "keys"))
    return Store(tmp_path / "one", durability="none")


@pytest.fixture
def done(store: Store) -> Realization[Any]:
    return realize(large(), store=store, quiet=True)


def test_killed_on_the_way_it_goes_on_with_another_server(store: Store, done: Realization[Any], tmp_path: Path) -> None:
    target = Store(tmp_path / "two", durability="none")
    server = start(store)
    with Between(server, (PIECES - 1) * PIECE, server.process.kill) as address, pytest.raises(RemoteError):
        pull(done.ref, address, store=target, unsigned=True)
    server.process.communicate(timeout=20)
    assert server.process.returncode == -signal.SIGKILL
    assert not target.realizations(name="large")
    with serving(store) as other:
        arrived = pull(done.ref, other, store=target, unsigned=True)
    assert arrived.fetched < (PIECES - 1) * PIECE, "the first ones were there"
    assert target.realization(done.ref).files == done.files
    assert target.verify().findings == ()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
def test_it_ends_in_order_as_soon_as_it_has_told_its_address(store: Store, end: int) -> None:
    with serving(store, end=end) as server:
        pass
    assert "interrupted" in server.told


def test_those_who_take_nothing_take_no_memory_and_nobody_elses_turn(store: Store, done: Realization[Any]) -> None:
    many = 60
    with contextlib.ExitStack() as stack, serving(store) as server:
        path = piece_of(server, done)
        before = memory_of(server)
        for _ in range(many):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", urlsplit(server).port))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(1)
        assert ask(server, path)[0] == 200
        assert memory_of(server) - before < many * PIECE // 4
        for _ in range(60):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", urlsplit(server).port)))
        assert ask(server, "/remote.json")[0] == 503


def piece_of(server: str, done: Realization[Any]) -> str:
    home = ask(server, f"/refs/{done.ref}")[1].decode()
    offer = json.loads(ask(server, f"/claims/{home}/index.json")[1])["offers"][0]
    tree = json.loads(ask(server, f"/claims/{home}/{offer}")[1])["claim"]["tree"]
    digest = json.loads(ask(server, f"/trees/{tree[:2]}/{tree}.json")[1])["files"][0][0][0]
    return f"/blobs/{digest[:2]}/{digest}"


def memory_of(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) << 10


def test_what_turns_out_to_be_damaged_breaks_off(store: Store, done: Realization[Any]) -> None:
    with serving(store) as server:
        path = piece_of(server, done)
        (done.path / "large").chmod(0o644)
        with (done.path / "large").open("r+b") as file:
            file.write(b"damaged")
        with pytest.raises(http.client.IncompleteRead):
            ask(server, path)
        assert ask(server, path, "HEAD")[0] == 200, "nothing is read for that"
        done.path.chmod(0o755)
        (done.path / "large").unlink()
        assert ask(server, path)[0] == 500
    assert "is another one now" in server.told
    assert "cannot be read" in server.told
    assert "ERROR" not in server.told, "what uvicorn says of that is no news"


def test_beside_a_collection(store: Store, tmp_path: Path) -> None:
    """What is gone is not there; what was collected is known; what stays is whole; nothing is damaged for who asks."""
    refs = [realize(number(value), store=store, quiet=True).ref for value in range(12)]
    kept, collected, removed = refs[::4], refs[1::2], refs[2::4]
    for count, ref in enumerate(kept):
        store.root(f"kept-{count}", store.realization(ref))
    target = Store(tmp_path / "two", durability="none")
    with serving(store) as server:

        def remove() -> None:
            for ref in removed:
                store.remove(ref)
            store.gc(unreachable=True, older_than="0d", trash="0d")

        beside = threading.Thread(target=remove)
        beside.start()
        for ref in reversed(refs):
            take(ref, server, target)
        beside.join()
        assert not any(store.path.joinpath("store", ref).exists() for ref in collected)
        for ref in kept:
            pull(ref, server, store=target, unsigned=True)
            assert target.realization(ref).path.joinpath("other").exists()
        for ref in collected:
            pull(ref, server, store=target, unsigned=True)
        for ref in removed:
            assert ask(server, f"/refs/{ref}")[0] == 404
    assert "damaged" not in server.told
    assert target.verify().findings == ()


def take(ref: str, server: str, target: Store) -> bool:
    """Whether it was there still."""
    try:
        pull(ref, server, store=target, unsigned=True)
    except UnknownReferenceError:
        return False
    except DamageError as error:
        if "it is not there" not in error.what:
            raise
        return False
    return True


def test_over_tls(store: Store, done: Realization[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certify(tmp_path)
    token = "a-token-of-some-length"
    files = ("--tls-cert", str(tmp_path / "certificate"), "--tls-key", str(tmp_path / "key"))
    with serving(store, *files, PYLIGHTNIX_SERVE_TOKEN=token) as server:
        monkeypatch.setenv(TOKEN, f"{server}={token}")
        assert server.startswith("https://127.0.0.1:")
        with pytest.raises(RemoteError, match="CERTIFICATE_VERIFY_FAILED"):
            pull(done.ref, server, store=tmp_path / "two", unsigned=True)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
        pull(done.ref, server, store=tmp_path / "two", unsigned=True)
        monkeypatch.setenv(TOKEN, f"{server}={token}s")
        with pytest.raises(RemoteError, match="refused"):
            pull(done.ref, server, store=tmp_path / "two", unsigned=True)
    assert token not in server.told


@pytest.mark.parametrize("what", ["nonsense", "nothing"])
def test_a_certificate_that_is_none(store: Store, tmp_path: Path, what: str) -> None:
    (tmp_path / "nonsense").write_text("nonsense")
    done = run(store, "--tls-cert", str(tmp_path / what), "--tls-key", str(tmp_path / what))
    assert done.returncode == 2
    assert "the certificate or its key cannot be used" in done.stderr
    assert done.stdout == "", "no address is told"


def test_a_short_token_in_the_environment(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYLIGHTNIX_SERVE_TOKEN", "short-secret")
    done = run(store)
    assert done.returncode == 2
    assert "16 or more" in done.stderr
    assert "short-secret" not in done.stderr


def run(store: Store, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(COMMAND), "serve", "--store", str(store.path), "--port", "0", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"\0\xff\r\n\r\n", b"GET / HTTP/9\r\n\r\n",
        b"GET /../../format.json HTTP/1.1\r\nHost: x\r\n\r\n", b"GET http://x/format.json HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /remote.json HTTP/1.1\r\nAuthorization: \xff\r\n\r\n",
    ],
    ids=["long", "noise", "version", "dots", "absolute", "nul", "header"],
)  # fmt: skip
def test_what_is_no_request_of_ours(quiet: Server, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(quiet).port), timeout=10) as client:
        client.sendall(request_)
        assert client.recv(100)[9:10] == b"4"
    assert ask(quiet, "/remote.json", Authorization="Bearer a-token-of-some-length")[0] == 200


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store = Store(tmp_path_factory.mktemp("quiet") / "one", durability="none")
    realize(number(1), store=store, quiet=True)
    keys = os.fspath(store.path.with_name("keys"))
    with serving(store, PYLIGHTNIX_KEYS=keys, PYLIGHTNIX_SERVE_TOKEN="a-token-of-some-length") as server:
        yield server
