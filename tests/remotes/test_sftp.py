"""A directory on another machine keeps the contract, over a real sshd; and what goes wrong on the way is told."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from pylightnix.errors import DamageError, RemoteError
from pylightnix.remotes import pace, ssh
from pylightnix.remotes.backend import Backend
from pylightnix.remotes.sftp import Sftp
from pylightnix.remotes.ssh_login import Target
from pylightnix.store.checkpoints import place
from pylightnix.testing.remotes import BackendContract
from tests.remotes.ssh_server import Ssh, make_key, ssh_server

Opened = Callable[[str], Sftp]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ssh]:
    with ssh_server(tmp_path_factory.mktemp("ssh")) as running:
        yield running


@pytest.fixture
def home(server: Ssh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home directory of who asks, to be changed."""
    place = tmp_path / "home"
    shutil.copytree(server.home, place)
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return place


@pytest.fixture
def opened(home: Path) -> Iterator[Opened]:
    """Makes backends that are closed in the end."""
    with contextlib.ExitStack() as stack:
        yield lambda url: stack.enter_context(contextlib.closing(Sftp(url)))


class TestSftp(BackendContract):
    @pytest.fixture
    def backend(self, server: Ssh, opened: Opened, tmp_path: Path) -> Backend:
        return opened(server.url(tmp_path / "not" / "yet made"))


def test_what_is_there_can_be_read_without_it(server: Ssh, opened: Opened, tmp_path: Path) -> None:
    backend = opened(server.url(tmp_path / "remote"))
    backend.put("a/b", b"x")
    assert (tmp_path / "remote" / "a" / "b").read_bytes() == b"x"
    assert sorted(one.name for one in (tmp_path / "remote").rglob("*")) == [".new", "a", "b"], "and nothing else"


def test_links_lead_nowhere(server: Ssh, opened: Opened, tmp_path: Path) -> None:
    backend = opened(server.url(tmp_path / "remote"))
    backend.put("a/b", b"x")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "remote" / "a" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "remote" / "away").symlink_to(tmp_path)
    assert not backend.has("a/link")
    assert list(backend.names("")) == ["a/b"]
    assert list(backend.names("away/")) == []
    with pytest.raises(DamageError, match="no regular file"):
        backend.get("a/link", 100)


def test_a_fifo_does_not_hang(server: Ssh, opened: Opened, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(DamageError, match="no regular file"):
        opened(server.url(tmp_path)).get("fifo", 100)


def test_what_was_being_written_is_not_there_and_goes_in_time(server: Ssh, opened: Opened, tmp_path: Path) -> None:
    (tmp_path / ".new").mkdir()
    left, young = tmp_path / ".new" / ".new-1-0123456789ab", tmp_path / ".new" / ".new-2-0123456789ab"
    for one in (left, young):
        one.write_text("half")
    os.utime(left, (time.time() - 100_000,) * 2)
    dead = subprocess.Popen(["true"])
    dead.wait()
    ours = [tmp_path / ".new" / f".new-{place()}-{process}-0123456789ab" for process in (dead.pid, os.getpid())]
    for one in ours:
        one.write_text("half")
    backend = opened(server.url(tmp_path))
    assert [name for name in backend.names("") if "new" in name] == []
    backend.put("b", b"x")
    assert [one.exists() for one in ours] == [False, True]
    assert not left.exists()
    assert young.exists()


@pytest.mark.parametrize("size", [300_000, 1_500_000])
def test_a_full_disk_is_told(server: Ssh, opened: Opened, tmp_path: Path, size: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], check=False).returncode:
        pytest.skip("only who has root's powers can mount here")
    try:
        backend = opened(server.url(disk))
        backend.put("before", b"x")
        with pytest.raises(RemoteError) as caught:
            backend.put("large", os.urandom(size))
        assert not caught.value.again
        assert "room" in caught.value.hint
        assert not backend.has("large")
        backend.put("after", b"y" * 100_000)
        assert sorted(backend.names("")) == ["after", "before"]
        assert list((disk / ".new").iterdir()) == []
    finally:
        backend.close()
        subprocess.run(["umount", "--lazy", disk], check=True)


def cut(server: Ssh, backend: Sftp, wait: bool) -> None:
    """End the server's side of every connection, and wait until this side has seen that."""
    transport = backend._connection._client.get_transport()
    for child in psutil.Process(server.process.pid).children(recursive=True):
        child.kill()
    if wait:
        transport.join(10)
        assert not transport.is_active()


def test_a_connection_that_was_lost_meanwhile_is_made_again(server: Ssh, opened: Opened, tmp_path: Path) -> None:
    backend = opened(server.url(tmp_path))
    for number in range(3):
        backend.put("x", b"%d" % number)
        cut(server, backend, wait=True)
        assert backend.get("x", 10) == b"%d" % number


@pytest.mark.parametrize("seen", [False, True])
def test_what_broke_off_may_be_done_again(server: Ssh, opened: Opened, tmp_path: Path, seen: bool) -> None:
    backend = opened(server.url(tmp_path))

    def ask() -> None:
        with backend._connection.channel() as channel:
            cut(server, backend, wait=seen)
            channel.listdir(".")

    with pytest.raises(RemoteError, match="lost") as caught:
        ask()
    assert caught.value.again
    backend.put("x", b"1")
    assert backend.get("x", 1) == b"1"


def test_more_threads_than_the_server_takes(server: Ssh, opened: Opened, tmp_path: Path) -> None:
    backend = opened(server.url(tmp_path))
    together = threading.Barrier(24)

    def there_and_back(number: int) -> bytes | None:
        together.wait(10)
        backend.put(f"x{number}", b"%d" % number)
        return backend.get(f"x{number}", 10)

    with ThreadPoolExecutor(24) as pool:
        assert list(pool.map(there_and_back, range(24))) == [b"%d" % number for number in range(24)]


def test_what_is_not_allowed(server: Ssh, opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    backend = opened(server.url(tmp_path / "file"))
    assert backend.get("a", 1) is None
    with pytest.raises(RemoteError) as caught:
        backend.put("a", b"x")
    assert not caught.value.again
    assert caught.value.hint


def test_an_unknown_host_is_not_believed(server: Ssh, opened: Opened, home: Path, tmp_path: Path) -> None:
    (home / ".ssh" / "known_hosts").unlink()
    with pytest.raises(RemoteError, match="not known") as caught:
        opened(server.url(tmp_path)).get("x", 1)
    assert not caught.value.again
    assert f"ssh -p {server.port}" in caught.value.hint


def test_another_key_of_the_host_is_told(server: Ssh, opened: Opened, home: Path, tmp_path: Path) -> None:
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {make_key(tmp_path / 'other')}")
    with pytest.raises(RemoteError, match="another key") as caught:
        opened(server.url(tmp_path)).put("x", b"")
    assert not caught.value.again
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "line", ["[127.0.0.1]:{port} ssh-ed25519 !!!!", "@revoked x", "\xff\0", "# nothing"], ids=range(4)
)
def test_known_hosts_that_say_nothing(server: Ssh, opened: Opened, home: Path, tmp_path: Path, line: str) -> None:
    (home / ".ssh" / "known_hosts").write_text(line.format(port=server.port), "latin-1")
    with pytest.raises(RemoteError) as caught:
        opened(server.url(tmp_path)).get("x", 1)
    assert not caught.value.again


def test_a_key_that_is_not_known_there(server: Ssh, opened: Opened, home: Path, tmp_path: Path) -> None:
    (home / ".ssh" / "id_ed25519").unlink()
    make_key(home / ".ssh" / "id_ed25519")
    with pytest.raises(RemoteError, match="refused") as caught:
        opened(server.url(tmp_path)).get("x", 1)
    assert not caught.value.again
    assert "ssh-add" in caught.value.hint


@pytest.mark.parametrize("config", ["", "IdentityFile /nowhere/key", "IdentityFile ~/.ssh/known_hosts"])
def test_no_key_at_all(server: Ssh, opened: Opened, home: Path, tmp_path: Path, config: str) -> None:
    (home / ".ssh" / "id_ed25519").unlink()
    (home / ".ssh" / "config").write_text(config)
    with pytest.raises(RemoteError, match="refused") as caught:
        opened(server.url(tmp_path)).get("x", 1)
    assert not caught.value.again


def test_a_key_with_a_passphrase_is_not_asked_for(server: Ssh, opened: Opened, home: Path, tmp_path: Path) -> None:
    key = home / ".ssh" / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "a passphrase", "-f", key], check=True, stdout=subprocess.DEVNULL)
    with pytest.raises(RemoteError, match="refused") as caught:
        opened(server.url(tmp_path)).get("x", 1)
    assert "without a question" in caught.value.hint


def test_a_name_of_the_configuration_of_ssh(server: Ssh, opened: Opened, home: Path, tmp_path: Path) -> None:
    (home / ".ssh" / "id_ed25519").rename(home / "elsewhere")
    (home / ".ssh" / "known_hosts").rename(home / "hosts")
    (home / ".ssh" / "config").write_text(
        f"Host lab\n HostName 127.0.0.1\n Port {server.port}\n IdentityFile {home}/elsewhere\n IdentitiesOnly yes\n"
        f" UserKnownHostsFile {home}/hosts\n"
        "Host behind\n ProxyJump lab\n"
        "Host odd\n Port many\n"
    )
    backend = opened(f"sftp://lab{tmp_path}")
    backend.put("x", b"1")
    assert (tmp_path / "x").read_bytes() == b"1"
    with pytest.raises(RemoteError, match="over another machine") as caught:
        opened(f"sftp://behind{tmp_path}").get("x", 1)
    assert "ssh -N -L" in caught.value.hint
    with pytest.raises(RemoteError, match="cannot be used"):
        opened(f"sftp://odd{tmp_path}").get("x", 1)


def test_a_server_that_is_not_there(opened: Opened) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(RemoteError, match="no connection") as caught:
        opened(f"sftp://127.0.0.1:{port}/x").get("x", 1)
    assert caught.value.again


def test_what_speaks_no_ssh(opened: Opened) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(RemoteError, match="no connection"):
            opened(f"sftp://127.0.0.1:{listening.getsockname()[1]}/x").get("x", 1)
        thread.join()


def test_what_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "IDLE", 0.2)
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def drip() -> None:
            with contextlib.suppress(OSError):
                while True:
                    theirs.send(b"x")
                    time.sleep(0.02)

        thread = threading.Thread(target=drip)
        thread.start()
        watched = ssh._Watched(ours)
        with pytest.raises(TimeoutError, match="too slowly"):
            list(iter(lambda: watched.recv(100), b""))
        watched.pace.begin()
        assert watched.recv(100), "what is asked next begins anew"
        ours.close()
        thread.join()


def test_what_is_said_to_be_endless_is_given_up() -> None:
    import paramiko

    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(paramiko.SSHException, match="4294967295 bytes"):
        ssh._Watched(ours).recv((1 << 32) - 1)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("sftp://ann:PASSWORD@host/x", "password in it"),
        ("sftp://host", "no address"),
        ("sftp://host/", "no address"),
        ("sftp:///x", "no address"),
        ("sftp://host:port/x", "no address"),
        ("sftp://-oProxyCommand=x/y", "no address"),
        ("sftp://host/x?password=PASSWORD", "no address"),
        ("sftp://host/a%00b", "no address"),
        ("sftp://host/~", "no address"),
    ],
)
def test_addresses_that_mean_nothing(url: str, what: str) -> None:
    with pytest.raises(RemoteError, match=what) as caught:
        Sftp(url)
    assert "PASSWORD" not in str(caught.value)
    assert "sftp://ann@" in caught.value.hint


def test_addresses() -> None:
    assert Target.parse("sftp://an%40n@host:22/a%20b/") == ("host", 22, "an@n", "/a b", "sftp://host:22/a%20b/")
    assert Target.parse("sftp://host/~/results").path == "results"
