"""What a builder did not declare is told, kept and, if asked for, forbidden."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pylightnix import Dep, Store, promise, realize, stage
from pylightnix.engine.events import UndeclaredWarning
from pylightnix.errors import BuildError
from pylightnix.executors import watching
from pylightnix.executors.declared import Declared
from pylightnix.model.build import BuildRequest
from pylightnix.model.conditions import Isolation


@stage
def reader(path: str) -> str:
    return Path(path).read_text()


@stage
def made(out: Path = promise("out.txt")) -> None:
    out.write_text("1")


@stage
def user(one: Dep) -> str:
    return one.out.read_text() + str(len(one.files))


@stage
def outer(store: str) -> str:
    return realize(user(made()), store=store, quiet=True).value


@pytest.fixture
def data(tmp_path: Path) -> str:
    (tmp_path / "data.txt").write_text("1")
    return str(tmp_path / "data.txt")


def test_it_is_told_once_and_kept(tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = realize(reader(data), store=tmp_path / "s")
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert len(told) == 1
    assert (
        f'reader run 0 read {data}, which it did not declare; give pylightnix.stages.local_file("{data}") as an input, '
        f'or say reads=["{data}"]' in told[0]
    )
    assert done.runs[0].facts["findings"] == [{"kind": "file", "what": data}]


def test_quiet_it_is_a_warning(tmp_path: Path, data: str) -> None:
    with pytest.warns(UndeclaredWarning, match="reader run 0 read"):
        realize(reader(data), store=tmp_path / "s", quiet=True)


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_strict_registers_nothing(tmp_path: Path, data: str, executor: str) -> None:
    with pytest.raises(BuildError, match="did not declare") as caught:
        realize(reader(data), store=tmp_path / "s", strict=True, quiet=True, executor=executor)  # type: ignore[arg-type]
    assert caught.value.fields["kind"] == "undeclared"
    assert Path(str(caught.value.fields["kept"])).exists()
    assert Store(tmp_path / "s").realizations(name="reader") == []


def test_inputs_and_a_realize_within_are_nothing(tmp_path: Path) -> None:
    done = realize(outer(str(tmp_path / "s")), store=tmp_path / "s", strict=True, quiet=True)
    assert done.value == "11"


@stage(variables=["PLX_COUNTS"], pass_variables=["PLX_PASSES"])
def told() -> str:
    return f"{os.environ.get('PLX_COUNTS')} {os.environ.get('PLX_PASSES')}"


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_declared_variable_counts_and_a_passed_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolation: Isolation
) -> None:
    """Both are there, and neither is a finding."""

    def value(counts: str, passes: str) -> str:
        monkeypatch.setenv("PLX_COUNTS", counts)
        monkeypatch.setenv("PLX_PASSES", passes)
        return realize(told(), store=tmp_path / "s", quiet=True, strict=True, isolation=isolation).value

    assert value("1", "1") == "1 1"
    assert value("1", "2") == "1 1"
    assert value("2", "2") == "2 2"
    assert value("1", "3") == "1 1"
    monkeypatch.delenv("PLX_COUNTS")
    assert realize(told(), store=tmp_path / "s", quiet=True, strict=True, isolation=isolation).value == "None 3"


def test_threads_that_were_there_before_are_somebody_elses(tmp_path: Path, data: str) -> None:
    """Also while they do for the builder what it could do itself."""
    global _pool
    with ThreadPoolExecutor(1) as _pool:
        _pool.submit(int).result()
        assert realize(asker(data), store=tmp_path / "s", strict=True, quiet=True).value == "1"


_pool: ThreadPoolExecutor | None = None


@stage(code="ignore")
def asker(path: str) -> str:
    pool = sys.modules[__name__].__dict__["_pool"]
    return str(pool.submit(Path(path).read_text).result())


def test_nothing_is_held_after_a_run(tmp_path: Path, data: str) -> None:
    """What was noted of many runs is gone with them."""
    bench = tmp_path / "bench"
    bench.mkdir()
    perform_many(bench, data, 200)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        perform_many(bench, data, 3_000)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert watching._watch is None
    assert grown < 40_000


def perform_many(bench: Path, data: str, number: int) -> None:
    """Watch a builder so many times, as an executor does; each time it reads other names."""
    places = [str(bench / name) for name in ("out", "scratch", "checkpoint", "log")]
    request = BuildRequest("stage", int, False, {}, {}, "key", 0, 0, *places)
    for index in range(number):
        declared = Declared(request)
        with watching.Watch(declared.is_clear) as watch:
            Path(data).read_text()
            with contextlib.suppress(OSError):
                open(f"{data}{index}")  # noqa: SIM115
            os.environ.get(f"PLX_{index}")
        declared.findings(watch, 0.0)
