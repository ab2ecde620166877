"""Engines keep the contract: Python's own pool, loky, and a Dask cluster of several worker processes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Store, realize, stage
from pylightnix.errors import ExecutorError
from pylightnix.executors.engines import adapt
from pylightnix.model.build import Executor
from pylightnix.model.conditions import Conditions
from pylightnix.testing import builders, processes
from pylightnix.testing.bench import Bench, OnBench, failure_of, value_of, wait_for
from pylightnix.testing.executors import ExecutorContract

WHOLE = bool(os.environ.get("PYLIGHTNIX_ENGINES"))
"""Whether each engine has the whole contract (`make test-engines`); else a sample of it."""


@pytest.fixture(scope="module")
def there() -> Iterator[None]:
    """Variables of the workers, which this process does not have when it submits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SET_THERE", "by the worker")
        yield


@pytest.fixture(scope="module")
def pool(there: None) -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2) as pool:
        pool.submit(int).result()  # now there is a worker
        yield pool


@pytest.fixture(scope="module")
def loky(there: None) -> Iterator[Any]:
    module = pytest.importorskip("loky")
    executor = module.get_reusable_executor(max_workers=2, timeout=60)
    executor.submit(int).result()
    yield executor
    executor.shutdown(wait=True, kill_workers=True)


@pytest.fixture(scope="module")
def client(there: None) -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=2, dashboard_address=":0", resources={"CPU": 2, "GPU": 1}
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


SAMPLE = (
    "test_value_and_artifact", "test_inputs", "test_local_function", "test_facts", "test_progress", "test_log",
    "test_submit_from_threads", "test_stopped",
)  # fmt: skip
Contract: Any = (
    ExecutorContract
    if WHOLE
    else type(
        "Sample", (OnBench,), {name: vars(ExecutorContract)[name] for name in SAMPLE if name in vars(ExecutorContract)}
    )
)


class Shared(Contract):
    """An engine that outlives the executors that use it."""

    engine = "pool"
    isolations = ("none", "process", "sandbox")

    @pytest.fixture(autouse=True)
    def _engine(self, request: pytest.FixtureRequest) -> None:
        self._given = request.getfixturevalue(self.engine)

    def make(self) -> Executor:
        return adapt(self._given)


class TestPool(Shared):
    engine = "pool"
    isolations = ("none", "process", "sandbox")


class TestLoky(Shared):
    engine = "loky"


class TestDask(Shared):
    engine = "client"

    def test_random_state_is_not_touched(self, bench: Bench) -> None:
        pytest.skip("the client of Dask itself draws from the generator")


def beginning(desk: Path) -> str:
    """Which worker has begun the run of a desk."""
    with contextlib.suppress(OSError, IndexError):
        return (desk / "begun").read_text().split()[1]
    return ""


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    executor = adapt(request.getfixturevalue(request.param))
    yield Bench(executor, tmp_path)
    executor.stop()


ENGINES = ["pool", "loky", "client"]
on_all = pytest.mark.parametrize("bench", ENGINES, indirect=True)


@on_all
def test_stop_ends_what_runs_and_what_waits(bench: Bench) -> None:
    files = [bench.top / f"pid{number}" for number in range(6)]
    futures = [bench.executor.submit(bench.request(processes.sleep, pid_file=file)) for file in files]
    wait_for(lambda: sum(file.exists() for file in files) >= 2)
    start = time.monotonic()
    bench.executor.stop()
    assert time.monotonic() - start < 6
    for future in futures:
        assert failure_of(future.result(0), "killed").fields == {"stopped": True}
    assert not any(Path(f"/proc/{file.read_text()}").exists() for file in files if file.exists())
    assert not list(bench.top.rglob("*.desk"))


@on_all
def test_a_worker_that_does_not_see_the_store_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from pylightnix.executors.desk import Desk

    def elsewhere(above: str) -> Desk:
        made.append(make(above))
        return Desk(f"{made[-1].path}-elsewhere")

    made: list[Desk] = []
    make = Desk.make
    monkeypatch.setattr(Desk, "make", elsewhere)
    failure = failure_of(bench.run(builders.nothing), "transport")
    assert "does not see the files of the store" in failure.what
    assert "mount" in failure.hint


@on_all
def test_a_large_request(bench: Bench) -> None:
    text = "x" * 3_000_000
    assert value_of(bench.run(builders.give, value=text)) == text


@on_all
def test_declared_variables_reach_the_worker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEN_THERE", "now")
    monkeypatch.delenv("SET_THERE")

    def look() -> list[str | None]:
        return [os.environ.get(name) for name in ("SEEN_THERE", "NOT_SET_HERE", "SET_THERE")]

    conditions = Conditions(variables=("SEEN_THERE", "NOT_SET_HERE"), pass_variables=("SET_THERE",))
    declared = bench.request(look)._replace(conditions=conditions)
    assert value_of(bench.perform(declared)) == ["now", None, "by the worker"], "only what counts must be as it is here"


def test_a_killed_dask_worker_fails_its_own_run_only(client: Any, tmp_path: Path) -> None:
    bench = Bench(adapt(client), tmp_path)
    doomed_file, other_file = tmp_path / "doomed", tmp_path / "other"
    doomed = bench.request(processes.sleep, pid_file=doomed_file)
    other = bench.request(wait_and_return, pid_file=other_file, end=tmp_path / "end")
    futures = [bench.executor.submit(doomed), bench.executor.submit(other)]
    wait_for(lambda: doomed_file.exists() and other_file.exists())
    workers = [int(beginning(desk)) for request in (doomed, other) for desk in Path(request.out).parent.glob("*.desk")]
    assert len(set(workers)) == 2, "Dask gave both to one worker"
    os.kill(workers[0], signal.SIGKILL)
    failure = failure_of(futures[0].result(30), "killed")
    assert "is gone" in failure.what or "died" in failure.what
    assert not futures[1].done()
    (tmp_path / "end").touch()
    assert value_of(futures[1].result(30)) == "woken"
    wait_for(lambda: not Path(f"/proc/{doomed_file.read_text()}").exists())
    bench.executor.stop()


def wait_and_return(pid_file: Path, end: Path) -> str:
    pid_file.touch()
    while not end.exists():
        time.sleep(0.02)
    return "woken"


def test_a_pool_that_lost_a_worker_says_so(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1) as pool:
        bench = Bench(adapt(pool), tmp_path)
        file = tmp_path / "pid"
        request = bench.request(processes.sleep, pid_file=file)
        future = bench.executor.submit(request)
        wait_for(file.exists)
        [desk] = Path(request.out).parent.glob("*.desk")
        os.kill(int(beginning(desk)), signal.SIGKILL)
        failure = failure_of(future.result(30), "killed")
        assert "loses all its runs" in failure.hint
        wait_for(lambda: not Path(f"/proc/{file.read_text()}").exists())
        with pytest.raises(ExecutorError, match="takes no runs"):
            bench.run(builders.nothing)
        bench.executor.stop()


def test_dask_resources(client: Any, tmp_path: Path) -> None:
    @stage(resources={"gpus": 1, "cpus": 2})
    def fitting(build: Build) -> int:
        return 1

    @stage(resources={"gpus": 2})
    def greedy(build: Build) -> int:
        return 1

    store = Store(tmp_path / "store")
    assert realize(fitting(), store=store, executor=client, quiet=True).value == 1
    with pytest.raises(ExecutorError, match="no worker of the Dask cluster has gpus=2"):
        realize(greedy(), store=store, executor=client.get_executor(), quiet=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_realize(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    factor = 7

    @stage
    def scaled(build: Build, number: int) -> list[Any]:
        return [number * factor, os.environ["PYLIGHTNIX_MAKING"] != "", build.run]

    given = request.getfixturevalue(engine)
    made = realize([scaled(n) for n in range(3)], store=tmp_path / "store", executor=given, quiet=True)
    assert [one.value[:2] for one in made] == [[0, True], [7, True], [14, True]]
    assert not list((tmp_path / "store" / "tmp").glob("*.desk"))


def test_what_is_no_engine(tmp_path: Path) -> None:
    from pylightnix.errors import ConfigError

    @stage
    def none() -> None: ...

    with pytest.raises(ConfigError, match="runs no builders"):
        realize(none(), store=tmp_path / "store", executor=3)
    with pytest.raises(ConfigError, match="is unknown"):
        realize(none(), store=tmp_path / "store", executor="pool")


SCRIPT = """
import os, sys, time
from pathlib import Path
from concurrent.futures import ProcessPoolExecutor
from pylightnix import realize, stage

@stage
def long(place: str, number: int) -> None:
    (Path(place) / f"new{number}").write_text(str(os.getpid()))
    os.rename(f"{place}/new{number}", f"{place}/ready{number}")
    time.sleep(60)

if __name__ == "__main__":
    if sys.argv[2] == "pool":
        pool = ProcessPoolExecutor(2)
    elif sys.argv[2] == "loky":
        pool = __import__("loky").get_reusable_executor(2)
    else:
        pool = __import__("distributed").Client(sys.argv[2]).get_executor()
    try:
        realize([long(sys.argv[1], n) for n in range(4)], store=sys.argv[1] + "/store", executor=pool, quiet=True)
    finally:
        pool.shutdown(wait=True)
"""


@pytest.mark.parametrize("engine", ["pool", "loky"])
def test_ctrl_c_leaves_no_process(engine: str, tmp_path: Path) -> None:
    """As a terminal sends it: to the workers of the pool too."""
    import subprocess

    if engine == "loky":
        pytest.importorskip("loky")
    (tmp_path / "script.py").write_text(SCRIPT)
    marker = f"{tmp_path}-{os.getpid()}"
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), str(tmp_path), engine],
        env={**os.environ, "PYLIGHTNIX_FAMILY": marker}, start_new_session=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: (tmp_path / "ready0").exists() and (tmp_path / "ready1").exists())
    os.killpg(parent.pid, signal.SIGINT)
    assert parent.wait(20) != 0
    wait_for(lambda: not family(marker))
    assert not list((tmp_path / "store" / "tmp").glob("*-*"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_realize_leaves_no_builder_and_no_worker(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The workers of pools end with it, and the runs that it gave to a cluster, which goes on for others."""
    import subprocess

    given = request.getfixturevalue(engine)
    (tmp_path / "script.py").write_text(SCRIPT)
    where = given.scheduler.address if engine == "client" else engine
    marker = f"{tmp_path}-{os.getpid()}"
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), str(tmp_path), where],
        env={**os.environ, "PYLIGHTNIX_FAMILY": marker}, start_new_session=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    ready = [tmp_path / "ready0", tmp_path / "ready1"]
    wait_for(lambda: all(file.exists() for file in ready))
    builders = [int(file.read_text()) for file in ready]
    parent.kill()
    parent.wait(20)
    wait_for(lambda: not any(map(processes.is_alive, builders)), 10)
    wait_for(lambda: not family(marker), 15)
    assert not (tmp_path / "ready2").exists() or engine == "client", "what waited in the pool was begun"


def family(marker: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if marker.encode() in (folder / "environ").read_bytes():
                found.append(folder.name)
    return found
