"""A web server is a stranger: what it sends is bounded, and it leads nowhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pylightnix import Dep, Store, promise, pull, push, realize, stage
from pylightnix.errors import RemoteError, UnknownReferenceError
from pylightnix.remotes import pace
from pylightnix.remotes.pieces import PACKED
from pylightnix.remotes.web import Web
from tests.remotes.servers import Answer, Told, files_server, nginx_server

Opened = Callable[[str], Web]


@pytest.fixture
def opened() -> Iterator[Callable[[str], Web]]:
    """Makes backends that are closed in the end."""
    with contextlib.ExitStack() as stack:
        yield lambda url: stack.enter_context(contextlib.closing(Web(url)))


def test_files(tmp_path: Path, opened: Opened) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a@b+c.json").write_bytes(b"{}")
    (tmp_path / "in" / "large").write_bytes(b"x" * 1_000_000)
    with files_server(tmp_path) as url:
        backend = opened(f"{url}/in")
        for _ in range(3):
            assert backend.get("a@b+c.json", 10) == b"{}"
            assert backend.has("a@b+c.json")
            assert backend.get("none", 10) is None
            assert not backend.has("none")
        assert backend.get("large", 1_000_000) == b"x" * 1_000_000
        with pytest.raises(RemoteError, match="more than the 10 bytes"):
            backend.get("large", 10)
        assert backend.get("a@b+c.json", 10) == b"{}", "and goes on"
        for ask in (lambda: backend.put("x", b""), lambda: backend.remove("x"), lambda: backend.names("")):
            with pytest.raises(RemoteError):
                ask()
        backend.close()


@pytest.mark.parametrize(
    ("answer", "what", "again"),
    [
        (Answer.of("200 OK", b"<html>log in", Content_Type="text/html; charset=utf-8"), "web page", False),
        (Answer.of("302 Found", Location="http://elsewhere.invalid/x?token=SECRET"), "leads elsewhere", False),
        (Answer.of("403 Forbidden"), "refused", False),
        (Answer.of("503 Busy", Retry_After="7"), "says 503 Busy", True),
        (Answer.of("500 Oh"), "says 500 Oh", True),
        (Answer.of("418 \x1b[31mTea"), "says 418", False),
        (Answer.of("200 OK", b"x" * 200, Content_Length=""), "more than the 100", False),
        (Answer.of("200 OK", b"x" * 200), "more than the 100", False),
        (Answer.of("200 OK", b"x" * 10, Content_Length="50"), "IncompleteRead|broke off", True),
        (Answer.of("200 OK", b"x" * 10, Content_Length="1" * 30), "more than the 100", False),
        (Answer(((0, b"no HTTP at all\r\n\r\n"),)), "BadStatusLine|no HTTP", True),
        (Answer(((0, b""),)), "closed connection", True),
    ],
    ids=range(12),
)
def test_answers_that_are_no_use(answer: Answer, what: str, again: bool, opened: Opened) -> None:
    with Told(answer).running() as told:
        with pytest.raises(RemoteError, match=what) as caught:
            opened(told.url).get("x", 100)
        assert caught.value.again == again
        assert str(caught.value).replace("\n", "").isprintable()
        assert "SECRET" not in str(caught.value)
        assert caught.value.wait == (7 if "Retry" in str(answer) else 0)


def test_what_drips_is_given_up(monkeypatch: pytest.MonkeyPatch, opened: Opened) -> None:
    monkeypatch.setattr(pace, "IDLE", 0.3)
    head = (0.0, b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n")
    with Told(Answer((head, *((0.1, b"x"),) * 90))).running() as told:
        begun = time.monotonic()
        with pytest.raises(RemoteError, match="too slowly"):
            opened(told.url).get("x", 100)
        assert time.monotonic() - begun < 3
    with Told(Answer(((0.0, b"HTTP/1.1 200 OK\r\nX: "), *((0.1, b"x"),) * 90))).running() as told:
        begun = time.monotonic()
        with pytest.raises(RemoteError, match="too slowly"):
            opened(told.url).get("x", 100)
        assert time.monotonic() - begun < 3, "a head may drip too"
    with Told(Answer((head, (2.0, b"x")))).running() as told:
        with pytest.raises(RemoteError) as caught:
            opened(told.url).get("x", 100)
        assert caught.value.again


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 100 Continue\r\n\r\n" * 60_000, CHUNKED + b"a: b\r\n" * 300_000], ids=["head", "trailer"]
)
def test_what_does_not_end_beside_a_body_is_given_up(data: bytes, opened: Opened) -> None:
    with Told(Answer(((0, data),))).running() as told, pytest.raises(RemoteError, match="bytes came"):
        opened(told.url).get("x", 100)


def test_a_connection_that_was_closed_meanwhile_is_made_again(opened: Opened) -> None:
    with Told(Answer.of("200 OK", b"one")).running() as told:
        backend = opened(told.url)
        for _ in range(3):  # it closes after each answer, and does not say so
            assert backend.get("x", 10) == b"one"
        assert len(told.asked) == 3


@stage(code="ignore")
def data(table: Path = promise("table.txt")) -> None:
    table.write_text("one two")


@stage(code="ignore")
def model(source: Dep = data(), weights: Path = promise("w.bin")) -> float:
    weights.write_bytes(b"weights" * PACKED)
    return 0.5


def test_a_remote_that_nginx_serves(tmp_path: Path) -> None:
    """Whoever serves the directory of a remote serves a remote: for pull, for realize, and for fetch."""
    one, two, three = (Store(tmp_path / name, durability="none") for name in ("one", "two", "three"))
    done = realize(model(), store=one, quiet=True)
    push(done, tmp_path / "remote", store=one)
    with nginx_server(tmp_path / "remote", tmp_path / "nginx") as url:
        pull(done.ref, url, store=two, unsigned=True)
        pull(done.ref, url, store=three, unsigned=True, only=[])
        assert three.realization(done.ref).fetch("weights").read_bytes() == done.weights.read_bytes()
        with pytest.raises(UnknownReferenceError, match="nothing is named"):
            pull(f"{'0' * 40}-model", url, store=two, unsigned=True)
        with pytest.raises(RemoteError, match="no remote"):
            pull(done.ref, f"{url}/elsewhere", store=two, unsigned=True)
    assert two.verify().findings == ()
    assert two.realization(done.ref).deps.source.table.read_text() == "one two"
