"""What every executor finds of what a builder did not declare. Unaware of how it finds it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from pylightnix.model.build import Build, BuildRequest, Finding
from pylightnix.model.conditions import Conditions
from pylightnix.testing.bench import Bench, OnBench, value_of


def read(path: str) -> str:
    """Read a file, twice."""
    Path(path).read_text()
    return Path(path).read_text()


def read_below(folder: str) -> str:
    """Read a file by a relative path, and change the directory afterwards."""
    os.chdir(folder)
    text = Path("data.txt").read_text()
    os.chdir("/")
    return text


def read_own(build: Build, place: str) -> None:
    """Read what was made before: here, in scratch, in a temporary directory, by a child, by renaming."""
    for path in (build.out / "a", build.scratch / "b", Path(place, "c")):
        path.write_text("own")
        path.read_text()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", f"open({folder + '/x'!r}, 'w').write('x')"], check=True)
        Path(folder, "x").read_text()
    Path(place, "d.part").write_text("own")
    Path(place, "d.part").rename(Path(place, "d"))
    Path(place, "d").read_text()
    for name in ("/etc/passwd", "/proc/self/status", os.__file__, sys.executable):
        Path(name).read_bytes()


def count_up(path: str) -> None:
    """Read a file and replace what is in it."""
    number = int(Path(path).read_text())
    Path(path).write_text(str(number + 1))


def look_into(path: str) -> None:
    """Open a database."""
    sqlite3.connect(path).close()


def ask_variables(names: list[str], how: str) -> None:
    """Read variables."""
    for name in names:
        match how:
            case "get":
                os.environ.get(name)
            case "getenv":
                os.getenv(name)
            case "in":
                _ = name in os.environ
            case "expand":
                os.path.expandvars(f"${name}/x")
            case "bytes":
                os.environb.get(name.encode())
            case "own":
                os.environ[name] = "1"
                _ = os.environ[name]
            case "copy":
                _ = dict(os.environ), os.environ.copy(), list(os.environ.items())
            case "library":
                shutil.which("sh")
                subprocess.run(["true"], check=True)


def read_at(path: str) -> None:
    """Read a file relative to a directory that is open, and others that were made so."""
    folder, name = os.path.split(path)
    with tempfile.TemporaryDirectory() as own:
        os.chdir(own)
        Path(name).write_text("the same name, read by nobody")
        os.remove(name)
        place = os.open(folder, os.O_RDONLY)
        os.close(os.open(name, os.O_RDONLY, dir_fd=place))
        os.close(place)
        place = os.open(own, os.O_RDONLY)
        os.close(os.open("made", os.O_WRONLY | os.O_CREAT, dir_fd=place))
        os.close(os.open("made", os.O_RDONLY, dir_fd=place))
        os.close(place)
        os.chdir("/")


def append_and_read(path: str) -> None:
    """Add to a file, and read all of it."""
    with open(path, "a") as file:
        file.write("more")
    Path(path).read_text()


def append_both(path: str) -> None:
    """Add to a file and read it by one opening."""
    with open(path, "a+") as file:
        file.seek(0)
        file.read()


def append_alone(path: str) -> None:
    """Add to a file."""
    with open(path, "a") as file:
        file.write("more")


def read_database(path: str) -> None:
    """Open a database by its address."""
    sqlite3.connect(f"file:{path}?mode=ro", uri=True).close()


def look_up(how: str) -> None:
    """Ask who a host is; nobody needs to answer."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams, contextlib.suppress(OSError):
        match how:
            case "getaddrinfo":
                socket.getaddrinfo("127.0.0.9", 80)
            case "connect_ex":
                stream.connect_ex(("127.0.0.9", 9))
            case "sendto":
                datagrams.sendto(b"x", ("127.0.0.9", 9))
            case "bind":
                stream.bind(("127.0.0.9", 0))
            case _:
                getattr(socket, how)("127.0.0.9")


def read_in_a_thread(path: str) -> None:
    """Let a thread read that the builder started."""
    thread = threading.Thread(target=read, args=(path,))
    thread.start()
    thread.join()


def connect(port: int) -> None:
    """Use the network, and pairs of sockets, which are none."""
    one, other = socket.socketpair()
    one.close()
    other.close()
    with socket.socket() as sock:
        sock.connect(("127.0.0.1", port))


def fork_and_read(path: str) -> None:
    """Let a child end, then read."""
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    Path(path).read_text()


def ask_and_set(name: str) -> None:
    """Read a variable, and set it where nobody did."""
    os.environ.setdefault(name, "1")


class UndeclaredContract(OnBench):
    """A part of the contract of executors."""

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        """A file of the user's."""
        path = tmp_path / "mine" / "data.txt"
        path.parent.mkdir()
        path.write_text("1")
        return path

    def findings(self, bench: Bench, request: BuildRequest, **conditions: Any) -> tuple[Finding, ...]:
        """What is found of a run under these conditions, which must succeed."""
        result = bench.perform(request._replace(conditions=Conditions(**conditions)))
        value_of(result)
        return result.findings

    @pytest.mark.parametrize(
        "builder", [
            read, count_up, look_into, fork_and_read, append_and_read, append_both, read_database, read_in_a_thread,
            pytest.param(read_at, marks=pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")),
        ],
    )  # fmt: skip
    def test_undeclared_file(self, bench: Bench, data: Path, builder: Any) -> None:
        assert self.findings(bench, bench.request(builder, path=str(data))) == (Finding("file", str(data)),)

    def test_a_file_that_is_only_added_to(self, bench: Bench, data: Path) -> None:
        assert self.findings(bench, bench.request(append_alone, path=str(data))) == ()

    def test_undeclared_relative_file(self, bench: Bench, data: Path) -> None:
        request = bench.request(read_below, folder=str(data.parent))
        assert self.findings(bench, request) == (Finding("file", str(data)),)

    def test_declared_file(self, bench: Bench, data: Path, tmp_path: Path) -> None:
        request = bench.request(read, path=str(data))
        assert self.findings(bench, request, reads=(str(data),)) == ()
        assert self.findings(bench, request, reads=(str(data.parent),)) == ()
        for given in (data, data.parent):
            assert self.findings(bench, request._replace(inputs=(str(given),))) == ()
        assert self.findings(bench, request._replace(inputs=(str(data) + "x",))) != ()

    def test_file_of_the_store(self, bench: Bench, tmp_path: Path) -> None:
        artifact, record = tmp_path / "s" / "store" / "x" / "a", tmp_path / "s" / "records" / "r"
        for path in (artifact, record):
            path.parent.mkdir(parents=True)
            path.write_text("1")
        store = str(tmp_path / "s")
        request = bench.request(read, path=str(artifact))._replace(store=store)
        assert self.findings(bench, request) == (Finding("store", str(artifact)),)
        request = bench.request(read, path=str(record))._replace(store=store)
        assert self.findings(bench, request) == ()

    def test_link_out_of_an_input(self, bench: Bench, data: Path, tmp_path: Path) -> None:
        given = tmp_path / "given"
        given.mkdir()
        (given / "link").symlink_to(data.parent)
        request = bench.request(read, path=f"{given}/link/data.txt")._replace(inputs=(str(given),))
        assert self.findings(bench, request) == (Finding("file", f"{given}/link/data.txt"),)

    def test_own_files(self, bench: Bench, tmp_path: Path) -> None:
        (tmp_path / "place").mkdir()
        request = bench.request(read_own, wants_build=True, place=str(tmp_path / "place"))
        assert self.findings(bench, request) == ()

    @pytest.mark.parametrize("how", ["get", "getenv", "in", "expand", "bytes"])
    def test_undeclared_variable(self, bench: Bench, how: str) -> None:
        request = bench.request(ask_variables, names=["PLX_ONE", "HOME", "PLX_ONE"], how=how)
        assert self.findings(bench, request) == (Finding("variable", "PLX_ONE"),)
        assert self.findings(bench, request, variables=("PLX_ONE",)) == ()
        assert self.findings(bench, request, pass_variables=("PLX_ONE",)) == ()

    def test_a_variable_that_is_read_and_set_afterwards(self, bench: Bench) -> None:
        assert self.findings(bench, bench.request(ask_and_set, name="PLX_ONE")) == (Finding("variable", "PLX_ONE"),)

    @pytest.mark.parametrize("how", ["own", "copy", "library"])
    def test_no_undeclared_variable(self, bench: Bench, how: str) -> None:
        assert self.findings(bench, bench.request(ask_variables, names=["PLX_ONE"], how=how)) == ()

    def test_network(self, bench: Bench) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            request = bench.request(connect, port=port)
            assert self.findings(bench, request) == (Finding("network", f"127.0.0.1:{port}"),)
            assert self.findings(bench, request, network=True) == ()

    @pytest.mark.parametrize(
        "how", ["getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "connect_ex", "sendto", "bind"]
    )
    def test_hosts(self, bench: Bench, how: str) -> None:
        request = bench.request(look_up, how=how)
        (found,) = self.findings(bench, request)
        assert found.kind == "network"
        assert found.what.split(":")[0] == "127.0.0.9"
        assert self.findings(bench, request, network=True) == ()

    def test_strict(self, bench: Bench, data: Path) -> None:
        request = bench.request(read, path=str(data))._replace(conditions=Conditions(strict=True))
        result = bench.perform(request)
        assert result.failure is not None
        assert result.failure.kind == "undeclared"
        assert str(data) in result.failure.what
        assert "reads=" in result.failure.hint
        assert result.failure.fields == {"findings": [{"kind": "file", "what": str(data)}]}

    def test_many(self, bench: Bench, tmp_path: Path) -> None:
        (tmp_path / "many").mkdir()
        for number in range(120):
            (tmp_path / "many" / str(number)).write_text("x")
        result = bench.run(_read_all, folder=str(tmp_path / "many"))
        assert len(result.findings) == 100
        assert result.facts["more_findings"] == 20


def _read_all(folder: str) -> None:
    for path in sorted(Path(folder).iterdir()):
        path.read_text()
