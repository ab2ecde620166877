"""Calls that share a store share the machine: what stages take is counted over all of them, whoever makes them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Store, realize, stage
from pylightnix.errors import BuildError
from pylightnix.store import changes
from pylightnix.testing.bench import wait_for

SCRIPT = """
import os, sys, time
from pathlib import Path
from pylightnix import realize, stage

@stage(resources={"gpus": 1}, reads=[sys.argv[1]], pass_variables=["CUDA_VISIBLE_DEVICES"])
def use(n: int, place: str) -> None:
    mine = Path(place, "using", str(n))
    mine.write_text(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    end = time.monotonic() + 20
    while not Path(place, "go", str(n)).exists() and time.monotonic() < end:
        time.sleep(0.01)
    mine.unlink()

options = {"jobs": 2} if sys.argv[3] == "process" else {}
limits = {"gpus": float(sys.argv[4])}
realize(use(int(sys.argv[2]), sys.argv[1]), store=sys.argv[1] + "/store", limits=limits, **options)
"""


class Place:
    """Where processes use something for as long as they are let."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started: list[subprocess.Popen[str]] = []
        for name in ("using", "go"):
            (path / name).mkdir()

    def start(self, number: int, how: str = "process", there: int = 1) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, str(self.path), str(number), how, str(there)]
        environ = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
        process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True, stdout=subprocess.DEVNULL)
        self.started.append(process)
        return process

    def using(self) -> set[str]:
        return set(os.listdir(self.path / "using"))

    def let_go(self, number: int) -> None:
        (self.path / "go" / str(number)).touch()


@pytest.fixture
def place(tmp_path: Path) -> Any:
    made = Place(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", ["process", "inline"])
def test_two_processes_share_what_there_is_of_one_thing(place: Place, how: str) -> None:
    first = place.start(1, how)
    wait_for(lambda: place.using() == {"1"})
    second = place.start(2, how)
    line = ""
    assert second.stderr is not None
    while "taken by" not in line:
        line = second.stderr.readline()
    assert f"use (process {first.pid} on " in line
    assert place.using() == {"1"}
    place.let_go(1)
    wait_for(lambda: place.using() == {"2"})
    place.let_go(2)
    assert [process.wait(20) for process in (first, second)] == [0, 0]


def test_a_killed_process_takes_nothing_any_more(place: Place) -> None:
    first = place.start(1)
    wait_for(lambda: place.using() == {"1"})
    second = place.start(2)
    first.send_signal(signal.SIGKILL)
    wait_for(lambda: "2" in place.using())
    place.let_go(2)
    assert second.wait(20) == 0
    assert [name for name in os.listdir(place.path / "store/locks/shares") if name != "shares.lock"] == []


def test_each_process_has_devices_of_its_own(place: Place) -> None:
    for number in (1, 2):
        place.start(number, there=2)
    wait_for(lambda: len({(place.path / "using" / name).read_text() for name in place.using()} - {""}) == 2)
    assert {(place.path / "using" / name).read_text() for name in place.using()} == {"0", "1"}


def test_while_a_store_is_made_others_can_open_it(tmp_path: Path) -> None:
    """Also after whoever made it was killed, at whatever change."""

    @stage(resources={"licences": 1})
    def use() -> None: ...

    seen = []

    def look(name: str, _: object) -> None:
        Store(tmp_path / "store")
        seen.append(name)

    with changes.observed(look):
        realize(use(), store=tmp_path / "store", limits={"licences": 1}, quiet=True)
    assert "mkdir" in seen


@pytest.mark.parametrize("ends_well", [True, False])
def test_who_tries_again_keeps_what_he_has(tmp_path: Path, ends_well: bool) -> None:
    """Somebody who waits for it would take it between two attempts, and both would use it."""
    attempts, given_back = [], []

    @stage(resources={"licences": 1}, retries={"OSError": 1}, code="ignore")
    def use() -> None:
        attempts.append(len(shares()))
        if len(attempts) < 2 or not ends_well:
            raise OSError("by chance")

    def shares() -> list[str]:
        return [name for name in os.listdir(tmp_path / "store/locks/shares") if name != "shares.lock"]

    def look(name: str, paths: tuple[object, ...]) -> None:
        if name == "unlink" and "/locks/shares/" in str(paths[0]):
            given_back.append(len(attempts))

    with changes.observed(look), contextlib.suppress(BuildError):
        realize(use(), store=tmp_path / "store", limits={"licences": 1}, quiet=True)
    assert (attempts, given_back, shares()) == ([1, 1], [2], [])


def test_threads_share_what_there_is(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "using").mkdir()

    @stage(resources={"licences": 1}, reads=[str(tmp_path)])
    def use(n: int, place: str) -> int:
        mine = Path(place, "using", str(n))
        mine.touch()
        time.sleep(0.2)
        most = len(os.listdir(Path(place, "using")))
        mine.unlink()
        return most

    found: list[int] = []

    def one(n: int) -> None:
        found.append(realize(use(n, str(tmp_path)), store=store, jobs=2, limits={"licences": 1}, quiet=True).value)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [1, 1, 1]


@stage(resources={"licences": 1}, code="ignore")
def rest(n: int, begun: str) -> int:
    Path(begun).touch()
    time.sleep(0.3)
    return n


def test_it_is_told_once_for_whom_is_waited(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store, begun = Store(tmp_path / "store"), str(tmp_path / "begun")
    asked = [rest(n, begun) for n in range(3)]
    options: Any = {"store": store, "jobs": 2, "limits": {"licences": 1}}
    first = threading.Thread(target=lambda: realize(asked, quiet=True, **options))
    first.start()
    wait_for(Path(begun).exists)
    realize(rest(3, begun), **options)
    first.join()
    assert capfd.readouterr().err.count("what the next run takes is taken by rest (process") == 1


@stage(resources={"licences": 1})
def inner() -> int:
    return 1


@stage(resources={"licences": 1}, isolation="none")
def outer(build: Build, store: str) -> int:
    return realize(inner(), store=store, jobs=2, limits={"licences": 1}, quiet=True).value


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_builder_realizes_does_not_wait_for_what_the_builder_takes(tmp_path: Path, jobs: int) -> None:
    path = str(tmp_path / "store")
    done = realize(outer(path), store=path, jobs=jobs, limits={"licences": 1}, quiet=True)
    assert done.value == 1


def test_a_call_that_takes_nothing_makes_no_place_for_shares(tmp_path: Path) -> None:
    @stage
    def plain() -> int:
        return 1

    realize(plain(), store=Store(tmp_path / "store"), quiet=True)
    assert not (tmp_path / "store/locks/shares").exists()
