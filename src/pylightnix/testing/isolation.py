"""The part of the contract of executors that is about isolation: what a run must not see, and what it must.

An executor says which isolations it has; it must refuse the others. The tests of the sandbox are skipped where there
can be none; see the reason.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest

from pylightnix.errors import ExecutorError
from pylightnix.executors.sandbox import PROGRAM, require_sandbox
from pylightnix.model.build import BuildRequest
from pylightnix.model.conditions import Conditions, Isolation
from pylightnix.testing import builders, isolated, processes
from pylightnix.testing.bench import TABLE, Bench, Fifo, OnBench, failure_of, value_of

SHUT: tuple[Isolation, ...] = ("process", "sandbox")


def need_sandbox() -> None:
    """Skip the test where there can be no sandbox; fail where there could be one, by a bare bubblewrap, but for us."""
    try:
        require_sandbox()
    except ExecutorError as error:
        bare = [shutil.which(PROGRAM) or "", "--unshare-user-try", "--unshare-pid", "--unshare-net"]
        bare += ["--ro-bind", "/", "/", "--proc", "/proc", "--", "/bin/sh", "-c", ":"]
        if bare[0] and subprocess.run(bare, capture_output=True, check=False).returncode == 0:
            pytest.fail(f"a bare {PROGRAM} works here, and: {error}")
        pytest.skip(str(error))


def under(request: BuildRequest, isolation: Isolation, **conditions: Any) -> BuildRequest:
    """The same run, isolated; its store is the directory of its own directories."""
    store = str(Path(request.out).parent)
    return request._replace(conditions=Conditions(isolation=isolation, **conditions), store=store)


def ask(
    bench: Bench, isolation: Isolation, builder: Any, conditions: dict[str, Any] | None = None, **given: Any
) -> Any:
    """What an isolated builder returns."""
    build = given.pop("wants_build", False)
    request = bench.request(builder, wants_build=build, **given)
    return value_of(bench.perform(under(request, isolation, **(conditions or {}))))


class IsolationContract(OnBench):
    """What holds of isolated runs.

    Attributes:
        isolations: those that the executor has.
    """

    isolations: ClassVar[tuple[Isolation, ...]] = ("none",)

    @pytest.fixture
    def sandbox(self) -> None:
        """Skip where there can be none."""
        need_sandbox()

    @pytest.fixture
    def listening(self) -> Iterator[int]:
        """The port of a server on this machine's loopback, which says hello to everybody."""
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve() -> None:
                while True:
                    try:
                        connection, _ = server.accept()
                    except OSError:
                        return
                    with connection:
                        connection.sendall(b"hello")

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            yield server.getsockname()[1]
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)

    @pytest.fixture(params=SHUT)
    def isolation(self, request: pytest.FixtureRequest) -> Isolation:
        """Each isolation that keeps something from a builder, and that the executor has."""
        isolation: Isolation = request.param
        self.needs(isolation)
        if isolation == "sandbox":
            request.getfixturevalue("sandbox")
        return isolation

    def needs(self, isolation: Isolation) -> None:
        """Skip what the executor does not claim to have."""
        if isolation not in self.isolations:
            pytest.skip(f"there is no isolation {isolation} with this executor")

    @pytest.fixture
    def shut(self, sandbox: None) -> Isolation:
        """The sandbox."""
        self.needs("sandbox")
        return "sandbox"

    @pytest.mark.parametrize("isolation", get_args(Isolation))
    def test_isolation_is_had_or_refused(self, bench: Bench, isolation: Isolation) -> None:
        request = under(bench.request(builders.give, value=1), isolation)
        if isolation not in self.isolations:
            with pytest.raises(ExecutorError, match=isolation):
                bench.perform(request)
            return
        try:
            result = bench.perform(request)
        except ExecutorError:
            assert isolation == "sandbox"
            need_sandbox()
            raise
        assert value_of(result) == 1
        assert result.facts["isolation"] == isolation

    def test_directories_are_in_scratch(self, bench: Bench, isolation: Isolation) -> None:
        seen = ask(bench, isolation, isolated.around, wants_build=True)
        assert seen["cwd"] == seen["scratch"]
        assert Path(seen["temporary"]).is_relative_to(seen["scratch"])
        assert {seen["environment"][name] for name in ("TMPDIR", "TMP", "TEMP")} == {seen["temporary"]}
        assert Path(seen["home"]).is_relative_to(seen["scratch"])
        assert seen["umask"] == 0o022

    def test_only_declared_variables(self, bench: Bench, isolation: Isolation, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("PYLIGHTNIX_ONE", "PYLIGHTNIX_TWO", "PYLIGHTNIX_SECRET", "PYTHONPATH"):
            monkeypatch.setenv(name, name.lower())
        conditions = {"variables": ("PYLIGHTNIX_ONE", "PYLIGHTNIX_ABSENT"), "pass_variables": ("PYLIGHTNIX_TWO",)}
        seen = ask(bench, isolation, isolated.around, conditions, wants_build=True)["environment"]
        ours = {"PYLIGHTNIX_ONE": "pylightnix_one", "PYLIGHTNIX_TWO": "pylightnix_two", "PYLIGHTNIX_MAKING": "key"}
        assert {name: value for name, value in seen.items() if name.startswith("PYLIGHTNIX")} == ours
        assert "PYTHONPATH" not in seen
        assert (seen["LANG"], seen["TZ"], seen["PYTHONHASHSEED"]) == ("C.UTF-8", "UTC", "0")

    def test_a_declared_variable_wins(
        self, bench: Bench, isolation: Isolation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TZ", "Europe/Berlin")
        seen = ask(bench, isolation, isolated.around, {"pass_variables": ("TZ",)}, wants_build=True)
        assert seen["environment"]["TZ"] == "Europe/Berlin"

    def test_descriptors_and_signals(self, bench: Bench, isolation: Isolation, tmp_path: Path) -> None:
        kept = os.open(tmp_path / "open", os.O_RDWR | os.O_CREAT)
        os.set_inheritable(kept, True)
        before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        try:
            seen = ask(bench, isolation, isolated.around, wants_build=True)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            signal.signal(signal.SIGUSR1, before)
            os.close(kept)
        assert [name.partition(":")[0] for name in seen["descriptors"]] == ["pipe"]
        assert (seen["ignored"], seen["blocked"]) == ([], [])

    def test_no_random_state_and_no_arguments(
        self, bench: Bench, isolation: Isolation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["program", "--secret"])
        first, second = (ask(bench, isolation, isolated.around, wants_build=True) for _ in range(2))
        assert first["random"] != second["random"]
        assert first["arguments"] == []

    def test_code_is_found(self, bench: Bench, isolation: Isolation, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a directory that only the caller's search path has, also what is imported late; and what is installed."""
        folder = bench.top / "project"
        (folder / "package").mkdir(parents=True)
        (folder / "late.py").write_text("ANSWER = 42\n")
        (folder / "package" / "__init__.py").write_text("")
        (folder / "package" / "inner.py").write_text("ANSWER = 43\n")
        monkeypatch.syspath_prepend(str(folder))

        def import_late() -> list[int]:
            import late  # type: ignore[import-not-found]
            import package.inner  # type: ignore[import-not-found]

            return [late.ANSWER, package.inner.ANSWER]

        assert ask(bench, isolation, import_late) == [42, 43]
        assert ask(bench, isolation, isolated.use_package, name="pytest") == [pytest.__file__, sys.prefix]
        assert ask(bench, isolation, isolated.use_programs) == "sh\n"

    def test_artifacts_are_the_callers(self, bench: Bench, isolation: Isolation) -> None:
        request = under(bench.request(isolated.make_artifacts, TABLE, wants_build=True), isolation)
        value_of(bench.perform(request))
        made = [Path(request.out, name) for name in ("table.txt", "folder", "folder/file")]
        assert {path.stat().st_uid for path in made} == {os.getuid()}
        assert [path.stat().st_mode & 0o777 for path in made] == [0o644, 0o755, 0o644]
        assert Path(request.out, "link").read_text() == "content"

    def test_checkpoint(self, bench: Bench, isolation: Isolation) -> None:
        for expected in ("first", "second"):
            request = under(bench.request(builders.ask_for_directories, TABLE, wants_build=True), isolation)
            value_of(bench.perform(request))
            assert Path(request.out, "table.txt").read_text() == expected

    def test_nothing_unused_is_left(self, bench: Bench, isolation: Isolation) -> None:
        request = under(bench.request(builders.about, wants_build=True), isolation)
        value_of(bench.perform(request))
        assert not Path(request.checkpoint).exists()
        assert not Path(request.scratch, ".home").exists()
        if isolation == "process":  # a sandbox has its mounts there, if they lie in a /tmp
            assert not Path(request.scratch).exists()

    @pytest.mark.parametrize("how", ["child", "session", "daemon", "stopped", "bomb", "comet"])
    def test_isolated_processes_left_behind_are_ended(self, bench: Bench, isolation: Isolation, how: str) -> None:
        request = bench.request(processes.leave, how=how, fifo=bench.top / "x", out=bench.top / "y")
        place = Path(request.out)
        with Fifo(place / "fifo") as fifo:
            arguments = {"how": how, "fifo": fifo.path, "out": place / "written"}
            result = bench.perform(under(request._replace(arguments=arguments), isolation))
            value_of(result)
            assert not fifo.has_writers()
        assert result.facts["ended_processes"] >= 1

    def test_isolated_log_progress_and_memory(self, bench: Bench, isolation: Isolation) -> None:
        request = under(bench.request(processes.write_from_children), isolation)
        result = bench.perform(request)
        assert Path(request.log).read_bytes() == b"by descriptor \xff\nfrom a child\nits error\n"
        assert 2**20 < result.facts["peak_memory"] < 2**40
        heard: list[float] = []
        moving = under(bench.request(builders.advance, wants_build=True, steps=100), isolation)
        value_of(bench.perform(moving, lambda _, done, __: heard.append(done)))
        assert heard[-1] == 100

    @pytest.mark.parametrize("how", ["exit 3", "SIGKILL", "segfault"])
    def test_isolated_deaths_are_told(self, bench: Bench, isolation: Isolation, how: str) -> None:
        request = under(bench.request(processes.die, how=how), isolation)
        kind = "exit" if how.startswith("exit") else "killed"
        fields = {"exit 3": {"code": 3}, "SIGKILL": {"signal": "SIGKILL"}, "segfault": {"signal": "SIGSEGV"}}
        assert failure_of(bench.perform(request), kind).fields == fields[how]
        assert "last words" in Path(request.log).read_text()

    # The sandbox alone

    def test_sandbox_hides_files(self, bench: Bench, shut: Isolation, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = bench.top / "home"
        (folder / "project").mkdir(parents=True)
        (folder / "project" / "code.py").write_text("")
        for secret in (folder / "secret.txt", folder / "project" / "data.csv"):
            secret.write_text("secret")
        monkeypatch.setenv("HOME", str(folder))
        monkeypatch.syspath_prepend(str(folder / "project"))
        assert ask(bench, shut, isolated.read, path=str(folder / "secret.txt")) == "FileNotFoundError"
        assert ask(bench, shut, isolated.read, path=str(folder / "project" / "data.csv")) == "FileNotFoundError"
        assert ask(bench, shut, isolated.look_around, path=str(folder)) == ["project"]
        assert ask(bench, shut, isolated.look_around, path=str(folder / "project")) == ["code.py"]
        assert "secret" not in str(ask(bench, shut, isolated.look_around, path=str(bench.top)))
        assert ask(bench, shut, isolated.read, path="/etc/shadow") == "FileNotFoundError"

    def test_sandbox_shows_what_is_declared(self, bench: Bench, shut: Isolation) -> None:
        data = bench.top / "data"
        data.mkdir()
        (data / "table.csv").write_text("1,2")
        path = str(data / "table.csv")
        declared = {"reads": (str(data),)}
        assert ask(bench, shut, isolated.read, path=path) == "FileNotFoundError"
        assert ask(bench, shut, isolated.read, declared, path=path) == "1,2"
        assert ask(bench, shut, isolated.write, declared, path=path) == "OSError"
        assert Path(path).read_text() == "1,2"

    def test_sandbox_shows_inputs_and_no_more_of_the_store(self, bench: Bench, shut: Isolation) -> None:
        request = bench.request(isolated.read, path="")
        store = Path(request.out).parent
        for name in ("one", "other"):
            (store / "store" / name).mkdir(parents=True)
            (store / "store" / name / "file").write_text(name)

        def perform(builder: Any, path: Path, **conditions: Any) -> Any:
            given = request._replace(
                builder=builder, arguments={"path": str(path)}, inputs=(str(store / "store" / "one"),)
            )
            return value_of(bench.perform(under(given, shut, **conditions)))

        one, other = (store / "store" / name / "file" for name in ("one", "other"))
        above = {"reads": (str(bench.top),)}
        assert perform(isolated.read, one) == "one"
        assert perform(isolated.look_around, store / "store") == ["one"]
        assert perform(isolated.read, other) == "FileNotFoundError"
        assert perform(isolated.read, other, **above) == "FileNotFoundError"
        for path in (one, one.with_name("new"), store / "new", store / "store" / "new", Path("/new"), Path("/usr/new")):
            assert perform(isolated.write, path) == "OSError", path
        assert one.read_text() == "one"

    def test_sandbox_has_its_own_temporary_directory(self, bench: Bench, shut: Isolation) -> None:
        path = f"/tmp/pylightnix-{os.getpid()}-{time.time_ns()}"
        assert ask(bench, shut, isolated.write, path=path) == "written"
        assert not Path(path).exists()
        request = under(bench.request(isolated.leave_temporary), shut)
        left = value_of(bench.perform(request))
        assert Path(left).is_relative_to(request.scratch)

    def test_sandbox_has_no_network(self, bench: Bench, shut: Isolation, listening: int) -> None:
        assert isolated.connect(listening) == "hello"
        assert ask(bench, shut, isolated.connect, port=listening) == "ConnectionRefusedError"
        assert ask(bench, shut, isolated.connect, {"network": True}, port=listening) == "hello"

    def test_sandbox_hides_processes(self, bench: Bench, shut: Isolation) -> None:
        assert ask(bench, shut, isolated.count_processes) == [1, 2]
        assert ask(bench, shut, isolated.signal_process, number=os.getpid()) == "ProcessLookupError"

    def test_sandbox_has_no_powers(self, bench: Bench, shut: Isolation) -> None:
        seen = ask(bench, shut, isolated.tell_capabilities)
        assert {int(value, 16) for name, value in seen.items() if name.startswith("Cap")} == {0}
        assert seen["NoNewPrivs"] == "1"

    def test_sandbox_cannot_set_the_kernel(self, bench: Bench, shut: Isolation) -> None:
        """Nor can that of root, to whom these files belong."""
        for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/swappiness"):
            assert ask(bench, shut, isolated.open_to_write, path=path) in ("OSError", "PermissionError"), path

    def test_sandbox_hides_the_name_of_the_machine(self, bench: Bench, shut: Isolation) -> None:
        assert ask(bench, shut, socket.gethostname) == "pylightnix"
