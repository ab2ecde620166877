"""The sandbox where it cannot be had, and where what it lies in is awkward."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pylightnix.errors import ExecutorError
from pylightnix.executors import LocalExecutor, ProcessExecutor, installed, sandbox
from pylightnix.model.build import BuildRequest
from pylightnix.model.conditions import Conditions
from pylightnix.testing import builders, isolated
from pylightnix.testing.bench import Bench, failure_of, value_of
from pylightnix.testing.isolation import need_sandbox, under


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    need_sandbox()
    return Bench(ProcessExecutor(), tmp_path)


def program(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "bwrap").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "bwrap").chmod(0o755)


def refusal(tmp_path: Path) -> ExecutorError:
    request = under(Bench(LocalExecutor(), tmp_path).request(builders.nothing), "sandbox")
    with pytest.raises(ExecutorError, match="there can be no sandbox here") as caught:
        LocalExecutor().submit(request)
    return caught.value


@pytest.mark.skipif(sys.platform != "linux", reason="there is another reason")
class TestNotToBeHad:
    def test_not_installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        error = refusal(tmp_path)
        assert "bwrap is not installed" in error.what
        assert "apt-get install bubblewrap" in error.hint

    def test_forbidden(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program(tmp_path / "bin", "echo 'bwrap: No permissions to create new namespace' >&2; exit 1")
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        (tmp_path / "sysctl").write_text("0\n")
        monkeypatch.setattr(sandbox, "_FORBIDDERS", ((str(tmp_path / "sysctl"), "0", "sysctl -w kernel.it=1"),))
        error = refusal(tmp_path)
        assert "No permissions to create new namespace" in error.what
        assert "sysctl -w kernel.it=1" in error.hint

    def test_too_old(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program(tmp_path / "bin", "echo 'bwrap: Unknown option --as-pid-1' >&2; exit 1")
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        assert "too old" in refusal(tmp_path).what


def test_a_missing_input_fails_the_run(bench: Bench) -> None:
    request = under(bench.request(builders.nothing), "sandbox")
    result = bench.perform(request._replace(inputs=(str(bench.top / "absent"),)))
    failure_of(result, "transport")
    assert "absent" in Path(request.log).read_text()


def test_a_stopped_executor_lets_the_builder_hear_of_it(bench: Bench) -> None:
    future, place = _begun(bench)
    bench.executor.stop()
    assert (place / "heard").read_text() == "heard"
    assert failure_of(future.result(10), "killed").fields == {"stopped": True}


def test_a_killed_sandbox_leaves_no_process(bench: Bench) -> None:
    future, place = _begun(bench)
    (launch,) = bench.executor._running  # type: ignore[attr-defined]
    inside = _below(launch._process.pid)
    assert len(inside) == 2
    os.kill(launch._process.pid, signal.SIGKILL)
    failure_of(future.result(20), "killed")
    until = time.monotonic() + 10
    while any(map(_is_alive, inside)):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert not (place / "heard").exists()


def test_whoever_is_killed_in_a_sandbox_takes_all_with_it_and_is_named(bench: Bench) -> None:
    for victim, who in enumerate(("the process that watched over the run", "the process")):
        future, _ = _begun(bench)
        (launch,) = bench.executor._running  # type: ignore[attr-defined]
        inside = _below(launch._process.pid)
        os.kill(inside[victim], signal.SIGKILL)
        assert failure_of(future.result(20), "killed").what == f"{who} was killed by SIGKILL"
        assert not any(map(_is_alive, inside))


def test_a_killed_sandbox_leaves_no_process_that_hears_nothing(bench: Bench) -> None:
    """A supervisor that is stopped does not see that its pipe was closed: the kernel must end it."""
    future, _ = _begun(bench)
    (launch,) = bench.executor._running  # type: ignore[attr-defined]
    inside = _below(launch._process.pid)
    os.kill(inside[0], signal.SIGSTOP)
    os.kill(launch._process.pid, signal.SIGKILL)
    try:
        until = time.monotonic() + 10
        while any(map(_is_alive, inside)):
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(inside[0], signal.SIGCONT)
    failure_of(future.result(20), "killed")


SCRIPT = """
import os, signal, sys, time
from pylightnix import Build, realize, stage

@stage
def wait(build: Build) -> None:
    (build.checkpoint / "here").touch()
    time.sleep(60)

realize(wait(), store=sys.argv[1], isolation="sandbox", quiet=True)
"""


def test_a_killed_realize_leaves_no_process(bench: Bench) -> None:
    (bench.top / "script.py").write_text(SCRIPT)
    store = bench.top / "store"
    with subprocess.Popen([sys.executable, bench.top / "script.py", store]) as realizing:
        until = time.monotonic() + 30
        while not list(store.glob("tmp/checkpoints/*/here")):
            assert time.monotonic() < until
            time.sleep(0.01)
        inside = _below(realizing.pid)
        assert len(inside) == 3
        realizing.kill()
    while any(map(_is_alive, inside)):
        assert time.monotonic() < until
        time.sleep(0.01)


def _begun(bench: Bench):  # type: ignore[no-untyped-def]
    """A run that waits, and where it writes."""
    request = bench.request(isolated.wait_politely)
    place = Path(request.out)
    given = request._replace(arguments={"pid_file": place / "pid", "heard": place / "heard"})
    future = bench.executor.submit(under(given, "sandbox"))
    until = time.monotonic() + 20
    while not ((place / "pid").exists() and (place / "pid").read_text()):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert (place / "pid").read_text() == "2"
    return future, place


def _below(process: int) -> list[int]:
    """The processes below one, as this machine numbers them."""
    found, parents = [], {process}
    for number in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        if _field(number, 1) in {str(parent) for parent in parents}:
            found.append(number)
            parents.add(number)
    return found


def _field(number: int, index: int) -> str:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[index]
    except OSError:
        return "X"


def _is_alive(number: int) -> bool:
    return _field(number, 0) not in ("X", "Z")


def test_a_store_within_what_is_visible_stays_hidden(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as in a package of the project, which is shown as a whole."""
    package = bench.top / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "beside.txt").write_text("of the package")
    monkeypatch.syspath_prepend(str(bench.top))
    inner = Bench(bench.executor, package / "store")
    (package / "store").mkdir()
    (package / "store" / "secret").write_text("secret")

    def read(path: Path) -> object:
        request = inner.request(isolated.read, path=str(path))
        return value_of(bench.perform(under(request, "sandbox")._replace(store=str(package / "store"))))

    assert read(package / "beside.txt") == "of the package"
    assert read(package / "store" / "secret") == "FileNotFoundError"


def test_a_store_behind_a_link_stays_hidden_where_it_really_is(bench: Bench) -> None:
    store = bench.top / "real" / "store"
    store.mkdir(parents=True)
    (store / "secret").write_text("secret")
    (bench.top / "link").symlink_to(store)
    request = bench.request(isolated.read, path=str(store / "secret"))
    given = under(request, "sandbox", reads=(str(bench.top / "real"),))
    assert value_of(bench.perform(given)) == "secret"
    assert value_of(bench.perform(given._replace(store=str(bench.top / "link")))) == "FileNotFoundError"


def test_graphics_processors_are_there_if_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_GPUS", ("/dev/nul*",))
    request = under(Bench(LocalExecutor(), tmp_path).request(builders.nothing), "sandbox")
    with_one = request._replace(conditions=Conditions(isolation="sandbox", resources={"gpus": 1}))
    devices = [_devices(request), _devices(with_one)]
    assert devices == [[], ["/dev/null"]]


def _devices(request: BuildRequest) -> list[str]:
    return [mount.path for mount in sandbox._mounts(request, sys.path) if mount.how == "--dev-bind"]


def test_a_python_whose_prefix_is_a_home_is_not_taken_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    for name in ("prefix", "base_prefix", "exec_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path))
    assert str(tmp_path) in installed.code_paths((), sys.path)
    found = installed.code_paths((str(tmp_path / "home"),), sys.path)
    assert str(tmp_path) not in found
    assert str(tmp_path / "lib") in found


def test_links_to_the_interpreter_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python").symlink_to("other")
    (tmp_path / "other").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert {str(tmp_path / "python"), str(tmp_path / "other")} <= installed.code_paths((), sys.path)


def reads(path: str) -> str:
    return Path(path).read_text()


def connects() -> None:
    import socket

    socket.create_connection(("127.0.0.1", 9), timeout=5)


def writes(path: str) -> None:
    Path(path).write_text("x")


def crosses() -> None:
    raise OSError(errno.EXDEV, "no fault of the sandbox's network")


def raises() -> None:
    raise ValueError("no fault of the sandbox")


def test_what_the_sandbox_may_have_kept_away_is_told(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    missing = failure_of(
        bench.perform(under(bench.request(reads, path=str(tmp_path / "secret")), "sandbox")), "exception"
    )
    assert "reads=" in missing.hint
    assert "network=True" in failure_of(bench.perform(under(bench.request(connects), "sandbox")), "exception").hint
    hint = failure_of(
        bench.perform(under(bench.request(writes, path="/usr/pylightnix-new"), "sandbox")), "exception"
    ).hint
    assert "can be written to" in hint
    for builder in (raises, crosses):
        assert failure_of(bench.perform(under(bench.request(builder), "sandbox")), "exception").hint == ""
    assert failure_of(bench.run(reads, path=str(tmp_path / "nothing")), "exception").hint == ""
