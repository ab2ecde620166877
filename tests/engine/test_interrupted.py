"""An interrupted realize in a program that goes on: once or twice, builders are gone, and what they held is free."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import Store, promise, stage
from pylightnix.engine.events import Silent
from pylightnix.model.build import BuildRequest, BuildResult
from pylightnix.store import changes
from pylightnix.testing.bench import wait_for


@stage(code="ignore")
def stubborn(begun: str, n: int = 0, out: Path = promise("out")) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(begun).write_text(str(os.getpid()))
    while not Path(begun).with_suffix(".go").exists():
        time.sleep(0.01)
    out.write_text("x")


@stage(code="ignore")
def quick(out: Path = promise("out")) -> None:
    out.write_text("x")


def interrupt() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def nothing_left(store: Store) -> None:
    assert list((store.path / "tmp").iterdir()) == []
    assert {file.name for file in store.path.glob("locks/*/*")} <= {"key.lock"}
    assert store.realizations() == []


def test_twice_ends_builders_at_once(tmp_path: Path) -> None:
    """The second interruption comes while a builder that is deaf to SIGTERM has its two seconds."""
    store, begun = Store(tmp_path / "store"), tmp_path / "begun"
    came: list[str] = []
    where = "inside"

    def come(*_: object) -> None:
        came.append(where)
        if where == "inside":
            raise KeyboardInterrupt

    def twice() -> None:
        wait_for(begun.exists)
        interrupt()
        time.sleep(0.3)
        interrupt()

    before = signal.signal(signal.SIGINT, come)
    try:
        thread = threading.Thread(target=twice)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            pylightnix.realize(stubborn(str(begun)), store=store, executor="process", quiet=True)
        where = "after"
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert came == ["inside", "inside"]
    pid = int(begun.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    nothing_left(store)
    begun.with_suffix(".go").touch()
    assert pylightnix.realize(stubborn(str(begun)), store=store, executor="process", quiet=True).out.read_text() == "x"


def test_once_while_artifacts_are_taken_in(tmp_path: Path) -> None:
    """Nothing stays held: others in this program and elsewhere can make the run."""
    store = Store(tmp_path / "store")
    pylightnix.instantiate(quick(), store=store)

    def interrupt_sealing(name: str, paths: tuple[object, ...]) -> None:
        if name == "fchmod":
            interrupt()

    with changes.observed(interrupt_sealing), pytest.raises(KeyboardInterrupt):
        pylightnix.realize(quick(), store=store, quiet=True)
    nothing_left(store)
    made: list[Any] = []
    other = threading.Thread(target=lambda: made.append(pylightnix.realize(quick(), store=store, quiet=True)))
    other.start()
    other.join(10)
    assert len(made) == 1


@pytest.mark.parametrize("when", ["started", "finished"])
def test_a_listener_that_raises_leaves_nothing_held(tmp_path: Path, when: str) -> None:
    class Raises(Silent):
        def started(self, request: BuildRequest) -> None:
            if when == "started":
                raise RuntimeError(when)

        def finished(self, request: BuildRequest, result: BuildResult, kept: Path | None) -> None:
            if when == "finished":
                raise RuntimeError(when)

    store = Store(tmp_path / "store")
    with pytest.raises(RuntimeError, match=when):
        pylightnix.realize(quick(), store=store, listener=Raises())
    assert list((store.path / "tmp").iterdir()) == []
    assert {file.name for file in store.path.glob("locks/*/*")} <= {"key.lock"}
    assert len(store.realizations()) == (when == "finished")
