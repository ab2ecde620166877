"""The part of the contract of executors that is about bad builders."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest

from pylightnix.model.conditions import Conditions
from pylightnix.testing import builders, processes
from pylightnix.testing.bench import TABLE, Bench, Fifo, OnBench, failure_of, value_of


class FaultContract(OnBench):
    """Whatever a builder does, there is a result that says so, and the next run and the caller see nothing of it."""

    @pytest.mark.parametrize(
        ("how", "what"),
        [
            ("plain", "ValueError: this is the text"),
            ("caused", "RuntimeError: the second"),
            ("exit", "SystemExit(0)"),
            ("unpicklable", "pylightnix.testing.builders.TwoPartError: one and two"),
            ("silent", "pylightnix.testing.builders.SilentError: (its text cannot be had)"),
            ("deep", "RecursionError: maximum recursion depth exceeded"),
            ("group", "ExceptionGroup: many (2 sub-exceptions)"),
            ("base", "BaseException: no Exception"),
            ("surrogate", "ValueError: \udcff"),
        ],
    )
    def test_exception(self, bench: Bench, how: str, what: str) -> None:
        result = bench.run(builders.fail, how=how)
        failure = failure_of(result, "exception")
        assert failure.what.startswith(what)
        assert "in fail\n" in failure.traceback
        assert "work.py" not in failure.traceback
        assert failure.fields["exception"] == what.partition(":")[0].partition("(")[0].rpartition(".")[2]
        assert (result.error is not None) == self.has_error

    def test_cause_is_told(self, bench: Bench) -> None:
        assert "invalid literal" in failure_of(bench.run(builders.fail, how="caused"), "exception").traceback

    def test_long_exception(self, bench: Bench) -> None:
        failure = failure_of(bench.run(builders.fail, how="long"), "exception")
        assert len(failure.what) + len(failure.traceback) < 100_000
        assert "characters left out" in failure.what

    def test_wrong_arguments(self, bench: Bench) -> None:
        assert "TypeError" in failure_of(bench.run(builders.give, wrong=1), "exception").what

    def test_changes_do_not_leak(self, bench: Bench) -> None:
        before = builders.surroundings()
        streams = sys.stdout, sys.stderr
        value_of(bench.run(builders.change_process))
        assert value_of(bench.run(builders.surroundings)) == before == builders.surroundings()
        assert (sys.stdout, sys.stderr) == streams

    def test_removed_working_directory(self, bench: Bench) -> None:
        before = builders.surroundings()
        gone = bench.top / "gone"
        gone.mkdir()
        value_of(bench.run(builders.remove_cwd, where=gone))
        assert value_of(bench.run(builders.surroundings)) == before

    def test_random_state_is_not_touched(self, bench: Bench) -> None:
        state = random.getstate()
        value_of(bench.run(builders.nothing))
        assert random.getstate() == state

    # Builders that have a process of their own

    def test_input_is_empty(self, bench: Bench) -> None:
        self.needs_own_process()
        assert value_of(bench.run(processes.read_input)) == ["", "'input'"]

    @pytest.mark.parametrize(("how", "code"), [("exit 0", 0), ("exit 3", 3)])
    def test_exit(self, bench: Bench, monkeypatch: pytest.MonkeyPatch, how: str, code: int) -> None:
        self.needs_own_process()
        monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
        request = bench.request(processes.die, how=how)
        failure = failure_of(bench.perform(request), "exit")
        assert failure.fields["code"] == code
        assert str(code) in failure.what
        assert Path(request.log).read_text() == "last words\n"

    @pytest.mark.parametrize(
        ("how", "name"),
        [("segfault", "SIGSEGV"), ("SIGKILL", "SIGKILL"), ("SIGTERM", "SIGTERM"), ("SIGABRT", "SIGABRT")],
    )
    def test_killed(self, bench: Bench, how: str, name: str) -> None:
        self.needs_own_process()
        request = bench.request(processes.die, how=how)
        result = bench.perform(request)
        failure = failure_of(result, "killed")
        assert failure.fields["signal"] == name
        assert name in failure.what
        assert "last words" in Path(request.log).read_text()
        assert result.facts["peak_memory"] > 0
        value_of(bench.run(builders.nothing))

    @pytest.mark.parametrize("how", ["child", "session", "daemon", "stopped", "bomb", "comet"])
    def test_processes_left_behind_are_ended(self, bench: Bench, how: str) -> None:
        """Before the result is there: none is left that could write. Where one has no subreaper, children only."""
        self.needs_own_process()
        if how != "child" and sys.platform != "linux":
            pytest.skip("only Linux gives orphans to whom they came from")
        with Fifo(bench.top / "fifo") as fifo:
            value_of(bench.run(processes.leave, how=how, fifo=fifo.path, out=bench.top / "written"))
            assert not fifo.has_writers()

    def test_promise_broken_after_the_builder_returned(self, bench: Bench) -> None:
        self.needs_own_process()
        failure = failure_of(bench.run(processes.spoil_afterwards, TABLE), "promise")
        assert failure.fields["found"] == "is not there"

    def test_file_that_was_left_open(self, bench: Bench) -> None:
        self.needs_own_process()
        request = bench.request(processes.leave_open, TABLE)
        value_of(bench.perform(request))
        assert Path(request.out, "table.txt").read_text() == "begun\nand ended\n"

    def test_takes_longer_than_it_may(self, bench: Bench) -> None:
        self.needs_own_process()
        for stubborn in (False, True):
            request = bench.request(processes.sleep, pid_file=bench.top / f"pid-{stubborn}", stubborn=stubborn)
            start = time.monotonic()
            result = bench.perform(request._replace(conditions=Conditions(timeout=1.0)))
            failure = failure_of(result, "timeout")
            assert failure.what == "the run took longer than 1 s, and was ended"
            assert failure.fields["timeout"] == 1.0
            assert 1.0 < time.monotonic() - start < 8
            assert not processes.is_alive(int((bench.top / f"pid-{stubborn}").read_text()))

    def test_takes_no_longer_than_it_may(self, bench: Bench) -> None:
        request = bench.request(builders.give, value=1)
        assert value_of(bench.perform(request._replace(conditions=Conditions(timeout=50.0)))) == 1

    def test_fork_that_returns(self, bench: Bench) -> None:
        self.needs_own_process()
        assert value_of(bench.run(processes.return_twice)) == "parent"

    def test_closed_descriptors(self, bench: Bench) -> None:
        self.needs_own_process()
        target = bench.top / "target"
        result = bench.run(processes.close_descriptors, target=target)
        assert failure_of(result, "exit").fields["code"] != 0
        assert target.read_bytes() == b""
        value_of(bench.run(builders.nothing))
