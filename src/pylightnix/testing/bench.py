"""Where the contract suite of executors runs builders: directories, an executor, and what is expected of results."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from pylightnix.model.build import BuildRequest, BuildResult, Executor, Failure, Progress
from pylightnix.model.config import decode
from pylightnix.model.promises import Promise

TABLE: Mapping[str, Promise] = {"table": Promise("table.txt")}


class Bench:
    """A place for runs, and an executor that does them."""

    def __init__(self, executor: Executor, top: Path) -> None:
        self.executor = executor
        self.top = top
        self._count = 0

    def request(
        self,
        builder: Callable[..., object],
        promises: Mapping[str, Promise] | None = None,
        *,
        wants_build: bool = False,
        **arguments: object,
    ) -> BuildRequest:
        """A request with directories of its own."""
        self._count += 1
        place = self.top / str(self._count)
        (place / "out").mkdir(parents=True)
        return BuildRequest(
            "stage", builder, wants_build, arguments, promises or {}, "key", self._count, 2**62 + 1,
            str(place / "out"), str(place / "scratch"), str(self.top / "checkpoint"), str(place / "log"),
        )  # fmt: skip

    def run(self, builder: Callable[..., object], *args: Any, **keywords: Any) -> BuildResult:
        """The result of a run."""
        return self.perform(self.request(builder, *args, **keywords))

    def perform(self, request: BuildRequest, progress: Progress | None = None) -> BuildResult:
        """The result of this run."""
        return self.executor.submit(request, progress).result(timeout=60)


class Fifo:
    """A fifo that processes of a run open for writing: as long as one of them lives, it has writers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def has_writers(self) -> bool:
        """Whether a process has it open; nothing is ever written."""
        try:
            return os.read(self._handle, 1) != b""
        except BlockingIOError:
            return True


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something holds; that it never does fails the test."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.01)


def value_of(result: BuildResult) -> Any:
    """What the builder returned; the run must not have failed."""
    assert result.failure is None, result.failure
    return decode(result.value, {})


def failure_of(result: BuildResult, kind: str) -> Failure:
    """The failure, which must be of this kind and must survive JSON."""
    assert result.failure is not None
    assert result.failure.kind == kind, result.failure
    assert result.value is None or kind == "promise"
    json.dumps(dict(result.failure.fields))
    return result.failure


class OnBench:
    """What all parts of the contract share.

    Attributes:
        own_process: whether a run has a process of its own, so that it may die, be killed, leave processes behind,
            read standard input, and have the output of its children in its log.
        has_error: whether `BuildResult.error` is the exception itself.
        log_limit: bytes that a log has at most.
    """

    own_process: ClassVar[bool] = True
    has_error: ClassVar[bool] = False
    log_limit: ClassVar[int] = 65 * 2**20

    def make(self) -> Executor:
        """A new executor; it is stopped when the test is over."""
        raise NotImplementedError

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        """An executor and a place for its runs."""
        executor = self.make()
        yield Bench(executor, tmp_path)
        executor.stop()

    def needs_own_process(self) -> None:
        """Skip what only a process of its own can survive."""
        if not self.own_process:
            pytest.skip("runs share a process")
