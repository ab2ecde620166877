"""The contract of an executor as tests: subclass `ExecutorContract`, say how to make one, and let pytest collect it.

Unaware of any executor. Needs pytest; `pytest.register_assert_rewrite("pylightnix.testing")` in a conftest.py makes its
asserts count under `python -O` too.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pylightnix.errors import ExecutorError
from pylightnix.model.build import BuildRequest, BuildResult
from pylightnix.model.visible import VisibleInput
from pylightnix.testing import builders, processes
from pylightnix.testing.bench import TABLE, Bench, failure_of, value_of
from pylightnix.testing.faults import FaultContract
from pylightnix.testing.isolation import IsolationContract
from pylightnix.testing.promises import PromiseContract
from pylightnix.testing.undeclared import UndeclaredContract


class ExecutorContract(PromiseContract, FaultContract, IsolationContract, UndeclaredContract):
    """What every executor does; the attributes (of `OnBench`) say which parts apply."""

    # What a builder is given, and what it gives back

    def test_value_and_artifact(self, bench: Bench) -> None:
        request = bench.request(builders.note, TABLE, text="héllo")
        assert value_of(bench.perform(request)) == "héllo"
        assert Path(request.out, "table.txt").read_text() == "héllo"

    def test_inputs(self, bench: Bench) -> None:
        seen = VisibleInput[Any](Path("/x/y"), {"table": "a.txt"}, {"depth": 3}, {"score": 1.5}, builders.no_files)
        result = bench.run(builders.look_at, one=seen, many=(seen, seen), path=Path("/p"), nested={"deep": [seen]})
        assert value_of(result) == ["/x/y/a.txt", 3, 1.5, 2, "/p", "/x/y", []]

    @pytest.mark.parametrize(
        "value", [None, True, 0, -0.0, 2**70, "ü\x00", [1, [2.5]], {"a": {"$b": None}}, (1, (2,)), {"x": math.inf}]
    )
    def test_values(self, bench: Bench, value: object) -> None:
        assert repr(value_of(bench.run(builders.give, value=value))) == repr(value)

    def test_value_nan(self, bench: Bench) -> None:
        assert math.isnan(value_of(bench.run(builders.give, value=[math.nan]))[0])

    @pytest.mark.parametrize("value", [{1, 2}, b"bytes", {"a": object}, {1: 2}, Path("x"), "\udcff"])
    def test_value_not_json(self, bench: Bench, value: object) -> None:
        failure = failure_of(bench.run(builders.give, value=value), "value")
        assert "stage returned value" in failure.what
        assert failure.fields["path"].startswith("value")

    def test_build(self, bench: Bench) -> None:
        request = bench.request(builders.about, wants_build=True)
        assert value_of(bench.perform(request)) == [request.out, request.seed, request.run]
        assert not Path(request.scratch).exists()
        assert not Path(request.checkpoint).exists()
        assert not Path(request.log).exists()

    def test_scratch_and_checkpoint(self, bench: Bench) -> None:
        for expected in ("first", "second"):
            request = bench.request(builders.ask_for_directories, TABLE, wants_build=True)
            assert value_of(bench.perform(request)) is None
            assert Path(request.out, "table.txt").read_text() == expected
            assert Path(request.scratch, "a").read_text() == "scratch"

    def test_local_function(self, bench: Bench) -> None:
        factor = 3

        def local(number: int) -> int:
            return number * factor

        assert value_of(bench.run(local, number=2)) == 6
        assert value_of(bench.run(lambda number: number + factor, number=2)) == 5

    def test_facts(self, bench: Bench) -> None:
        before = datetime.now(UTC)
        result = bench.run(builders.nothing)
        json.dumps(dict(result.facts))
        assert {"host", "pid", "python", "platform"} <= result.facts.keys()
        assert result.facts["executor"] == bench.executor.name
        assert 2**20 < result.facts["peak_memory"] < 2**40
        assert result.facts["peak_memory_of"] == ("run" if self.own_process else "process")
        assert result.facts["python"] == sys.version.split()[0]
        assert before - timedelta(seconds=1) < datetime.fromisoformat(result.started) < datetime.now(UTC)
        assert 0 <= result.duration < 30

    def test_progress(self, bench: Bench) -> None:
        heard: list[tuple[BuildRequest, float, float | None]] = []
        request = bench.request(builders.advance, wants_build=True, steps=1000)
        value_of(bench.perform(request, lambda *told: heard.append(told)))
        assert heard[0] == (request, 0, 1000)
        assert heard[-1] == (request, 1000, 1000)

    def test_progress_listener_raises(self, bench: Bench) -> None:
        def listener(*_: object) -> None:
            raise RuntimeError("nobody's failure")

        value_of(bench.perform(bench.request(builders.advance, wants_build=True, steps=3), listener))

    # The log

    def test_log(self, bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
        request = bench.request(builders.write_logs, wants_build=True)
        value_of(bench.perform(request))
        log = Path(request.log).read_bytes()
        for part in (b"on standard output\n", b"on standard error\n", b"DEBUG to the logger\n", b"bytes \xff\xfe\n"):
            assert part in log
        assert b"a lone surrogate \\udcff\n" in log
        assert capfd.readouterr().out == ""

    def test_log_is_bounded(self, bench: Bench) -> None:
        request = bench.request(builders.write_much, mebibytes=self.log_limit // 2**20 + 20)
        value_of(bench.perform(request))
        assert Path(request.log).stat().st_size <= self.log_limit
        with Path(request.log).open("rb") as stream:
            assert stream.readline().startswith(b"the first line")
            stream.seek(-40, os.SEEK_END)
            assert stream.read().endswith(b"x\nthe last line\n")

    def test_log_of_children(self, bench: Bench) -> None:
        self.needs_own_process()
        request = bench.request(processes.write_from_children)
        value_of(bench.perform(request))
        assert Path(request.log).read_bytes() == b"by descriptor \xff\nfrom a child\nits error\n"

    # The executor itself

    def test_names(self, bench: Bench) -> None:
        assert bench.executor.slots >= 1
        assert bench.executor.name.isidentifier()

    def test_submit_from_threads(self, bench: Bench) -> None:
        requests = [bench.request(builders.note, TABLE, text=str(number)) for number in range(4)]
        results: dict[str, BuildResult] = {}

        def work(request: BuildRequest) -> None:
            results[request.arguments["text"]] = bench.perform(request)

        threads = [threading.Thread(target=work, args=(request,)) for request in requests]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {text: value_of(result) for text, result in results.items()} == {str(n): str(n) for n in range(4)}

    def test_stopped(self, bench: Bench) -> None:
        value_of(bench.run(builders.nothing))
        bench.executor.stop()
        bench.executor.stop()
        with pytest.raises(ExecutorError, match="stopped"):
            bench.run(builders.nothing)
