"""A token goes to the server that it was meant for, over a line that others cannot read, and nowhere else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pylightnix.errors import RemoteError
from pylightnix.remotes.web import Web
from pylightnix.remotes.web_access import TOKEN, access_to
from tests.remotes.servers import Answer, Told

Opened = Callable[[str], Web]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """With a `.netrc` of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(TOKEN, raising=False)
    return tmp_path


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Makes backends that are closed in the end."""
    with contextlib.ExitStack() as stack:
        yield lambda url: stack.enter_context(contextlib.closing(Web(url)))


def test_a_token_goes_to_its_host_and_to_no_other(monkeypatch: pytest.MonkeyPatch, opened: Opened) -> None:
    with Told(Answer.of("200 OK", b"one")).running() as one, Told(Answer.of("200 OK", b"two")).running() as two:
        monkeypatch.setenv(TOKEN, f"{urlsplit(one.url).netloc}=T0KEN==\n")
        backend = opened(one.url)
        backend.get("x", 10)
        opened(two.url).get("x", 10)
        assert "Authorization: Bearer T0KEN==\r\n" in one.asked[0]
        assert "T0KEN" not in two.asked[0], "another port of the same machine, so perhaps of somebody else"
        assert "T0KEN" not in repr(backend.url)


def test_a_redirect_carries_it_nowhere(monkeypatch: pytest.MonkeyPatch, opened: Opened) -> None:
    with Told(Answer.of("200 OK", b"two")).running() as two:
        with Told(Answer.of("302 Found", Location=f"{two.url}/x")).running() as one:
            monkeypatch.setenv(TOKEN, f"{urlsplit(one.url).netloc}=T0KEN")
            with pytest.raises(RemoteError, match="leads elsewhere"):
                opened(one.url).get("x", 10)
            assert "T0KEN" in one.asked[0]
        assert two.asked == []


def test_a_token_that_says_no_host_goes_nowhere_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    with Told(Answer.of("401 Unauthorized")).running() as told:
        host = urlsplit(told.url).netloc
        monkeypatch.setenv(TOKEN, "T0KEN")
        with pytest.raises(RemoteError, match="refused") as caught:
            opened(told.url).get("x", 10)
        assert f"{host}=TOKEN" in caught.value.hint
        assert "does not say which host" in caught.value.hint
        assert "T0KEN" not in str(caught.value) + told.asked[0]
        monkeypatch.setenv(TOKEN, f"example.org=T0KEN {host}=other")
        with pytest.raises(RemoteError, match="look whether"):
            opened(told.url).get("x", 10)
        assert "Bearer other" in told.asked[1]


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("https://example.org/results", "T1"),
        ("https://EXAMPLE.org:443/results", "T1"),
        ("https://example.org:8443/results", "T2"),
        ("https://other.example.org/results", ""),
        ("https://example.org.evil.test/results", ""),
        ("http://example.org/results", ""),
        ("http://example.org:8443/results", ""),
        ("http://localhost:8642", "T3"),
        ("https://localhost:8642", ""),
        ("http://[::1]:8642", "T4"),
        ("http://127.0.0.1:8642", ""),
    ],
)
def test_which_token_is_whose(monkeypatch: pytest.MonkeyPatch, url: str, given: str) -> None:
    monkeypatch.setenv(
        TOKEN,
        "example.org=T1 example.org:8443=T2 http://localhost:8642/=T3 [::1]:8642=T4 http://example.org=T5 [=T6 =T7",
    )
    headers = access_to(urlsplit(url), url).headers
    assert headers == ({"Authorization": f"Bearer {given}"} if given else {})


def test_no_password_goes_over_the_network_in_the_open(home: Path) -> None:
    (home / ".netrc").write_text("machine example.org login ann password pw\n")
    (home / ".netrc").chmod(0o600)
    assert access_to(urlsplit("https://example.org/x"), "x").headers
    plain = access_to(urlsplit("http://example.org/x"), "x")
    assert not plain.headers
    assert "https:" in plain.hint


@pytest.mark.parametrize("token", ["T0KEN\u20ac", "T0KEN\x00", "example.org=T0KEN\x1b"])
def test_what_is_no_token_is_told_and_not_shown(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, TOKEN: token})  # the real one takes no NUL
    with pytest.raises(RemoteError, match="is no token") as caught:
        Web("http://127.0.0.1:9/x")
    assert "T0KEN" not in str(caught.value)


def test_a_password_of_netrc_goes_to_its_host(home: Path, opened: Opened) -> None:
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ann password pw\nmachine other login x password y\n")
    netrc.chmod(0o600)
    with Told(Answer.of("200 OK", b"one")).running() as told:
        opened(told.url).get("x", 10)
        assert "Authorization: Basic YW5uOnB3" in told.asked[0]
