"""Single flight between real processes and threads: who builds, who waits, what they say, and what a death leaves."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import promise, stage
from pylightnix.engine.events import Silent
from pylightnix.errors import BuildError
from pylightnix.model.claiming import Holder
from pylightnix.model.plan import Step
from pylightnix.store import changes
from pylightnix.store.locks import LocksWarning
from pylightnix.store.store import Store
from pylightnix.store.trees import hash_tree

STAGES = """
import os, random, sys, time
from pathlib import Path
import pylightnix
from pylightnix import Build, Dep, match, promise, stage

top = Path(sys.argv[1])

def note(name):
    (top / "ran" / f"{name}-{os.getpid()}-{time.monotonic_ns()}").touch()

@stage(code="ignore")
def slow(n: int = 0, seconds: float = 0.5, fails: bool = False, out: Path = promise("out")) -> None:
    note(f"slow{n}")
    while seconds < 0 and not (top / "go").exists():
        time.sleep(0.01)
    time.sleep(max(seconds, 0))
    if fails and not (top / "repaired").exists():
        (top / "repaired").touch()
        raise ValueError("broken")
    out.write_text(str(n))

@stage(code="ignore", matcher=match.best("n", of=5))
def five(build: Build, out: Path = promise("out")) -> dict[str, int]:
    note("five")
    time.sleep(0.2)
    out.write_text(str(build.run))
    return {"n": build.run}

@stage(code="ignore")
def both(a: Dep, b: Dep, out: Path = promise("out")) -> None:
    note("both")
    out.write_text(a.out.read_text() + b.out.read_text())

def get(asked, **how):
    done = pylightnix.realize(asked, store=top / "store", **how)
    print(done.ref, flush=True)
"""


class Started:
    """Processes with the stages above."""

    def __init__(self, top: Path) -> None:
        self.top = top
        (top / "ran").mkdir()
        self.all: list[subprocess.Popen[str]] = []

    def __call__(self, code: str) -> subprocess.Popen[str]:
        script = self.top / f"script{len(self.all)}.py"
        script.write_text(STAGES + code)
        self.all.append(
            subprocess.Popen(
                [sys.executable, "-W", "error", str(script), str(self.top)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        return self.all[-1]

    def go(self) -> None:
        """Let those end that were given less than no time."""
        (self.top / "go").touch()

    def ran(self, name: str) -> int:
        return len(list((self.top / "ran").glob(f"{name}-*")))

    def until(self, name: str) -> None:
        for _ in range(1000):
            if self.ran(name):
                return
            time.sleep(0.01)
        raise AssertionError(f"{name} never ran")

    def sound(self) -> None:
        store = Store(self.top / "store")
        for realization in store.realizations():
            assert hash_tree(realization.path).digest == realization.record.tree
        assert {file.name for file in (self.top / "store/locks").glob("*/*")} <= {"key.lock"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Started]:
    started = Started(tmp_path)
    yield started
    for process in started.all:
        process.kill()
        process.communicate()


def test_one_builds_and_the_other_waits_and_says_for_whom(start: Started) -> None:
    maker = start("get(slow(0, -1))")
    start.until("slow0")
    waiter = start("get(slow(0, -1))")
    assert waiter.stderr is not None
    told = waiter.stderr.readline()
    start.go()
    said, rest = waiter.communicate(timeout=30)
    told += rest
    assert maker.communicate(timeout=30)[0] == said
    assert start.ran("slow0") == 1
    assert told.count("is being made by") == 1
    assert f"slow  is being made by process {maker.pid} on {os.uname().nodename} since 20" in told
    assert "1 of 1 reused, 0 runs" in told
    assert "build" not in told
    start.sound()


def test_two_processes_share_five_runs(start: Started) -> None:
    processes = [start("get(five())") for _ in range(2)]
    said = [process.communicate(timeout=30)[0] for process in processes]
    assert said[0] == said[1]
    assert start.ran("five") == 5
    assert {process.pid for process in processes} == {
        int(path.name.split("-")[1]) for path in (start.top / "ran").iterdir()
    }
    start.sound()


def test_four_slots_share_with_others(start: Started) -> None:
    processes = [start("get(five(), jobs=4)") for _ in range(2)]
    assert len({process.communicate(timeout=60)[0] for process in processes}) == 1
    assert start.ran("five") == 5
    start.sound()


def test_a_waiting_process_builds_when_its_maker_is_killed(start: Started) -> None:
    maker = start("get(slow(0, 30.0) if not (top / 'second').exists() else slow(0, 30.0))")
    start.until("slow0")
    waiter = start("import time; real = time.sleep; time.sleep = lambda s: real(min(s, 0.3)); get(slow(0, 30.0))")
    assert waiter.stderr is not None
    assert "is being made by" in waiter.stderr.readline()
    maker.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    assert waiter.wait(20) == 0
    assert time.monotonic() - killed < 5
    assert start.ran("slow0") == 2
    start.sound()


def test_who_waits_tries_itself_when_the_maker_fails(start: Started) -> None:
    maker = start("get(slow(0, -1, fails=True))")
    start.until("slow0")
    waiter = start("get(slow(0, -1, fails=True))")
    assert waiter.stderr is not None
    assert "is being made by" in waiter.stderr.readline()
    start.go()
    assert waiter.wait(20) == 0
    assert maker.wait(20) == 1
    assert start.ran("slow0") == 2
    start.sound()


def test_ctrl_c_while_waiting_ends_at_once_and_leaves_nothing(start: Started) -> None:
    maker = start("get(slow(0, -1))")
    start.until("slow0")
    waiter = start("get(slow(0, -1))")
    assert waiter.stderr is not None
    assert "is being made by" in waiter.stderr.readline()
    waiter.send_signal(signal.SIGINT)
    asked = time.monotonic()
    waiter.wait(10)
    assert time.monotonic() - asked < 5  # and not when the maker is done, which waits for us
    start.go()
    assert maker.wait(20) == 0
    start.sound()
    assert list((start.top / "store/tmp").iterdir()) == []


def test_crossed_dependencies_never_deadlock(start: Started) -> None:
    one = start("get(both(slow(1), slow(2)))")
    two = start("get(both(slow(2), slow(1)))")
    assert [process.wait(30) for process in (one, two)] == [0, 0]
    assert start.ran("slow1") == start.ran("slow2") == 1
    start.sound()


def test_eight_processes_at_random(start: Started) -> None:
    code = """
rng, end = random.Random(os.getpid()), time.monotonic() + 4
while time.monotonic() < end:
    a, b = (slow(rng.randrange(12), 0.02) for _ in range(2))
    asked = rng.choice([a, both(a, b), both(both(a, b), both(b, a)), five()])
    pylightnix.realize(asked, store=top / "store", quiet=True)
"""
    processes = [start(code) for _ in range(8)]
    time.sleep(2)
    processes[0].kill()
    said = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes[1:]] == [0] * 7, said
    runs = [start.ran(f"slow{n}") for n in range(12)]
    assert sum(runs) <= 12 + 1, "only what the killed one made was made twice"
    assert start.ran("five") <= 5 + 1
    left = [name for name in os.listdir(start.top / "store/tmp") if name != "checkpoints"]
    assert all(name.startswith(f"{processes[0].pid}-") for name in left)


# Threads

slept: list[int] = []


@stage(code="ignore")
def nap(n: int = 0, out: Path = promise("out")) -> None:
    slept.append(n)
    time.sleep(0.2)
    out.write_text(str(n))


@stage(code="ignore")
def itself(out: Path = promise("out")) -> None:
    slept.append(1)
    if len(slept) < 3:
        pylightnix.realize(itself(), store=out.parent.parent.parent, quiet=True)
    out.write_text("done")


class Hears(Silent):
    def __init__(self) -> None:
        self.heard: list[tuple[Step, Sequence[Holder]]] = []

    def waiting(self, step: Step, holders: Sequence[Holder]) -> None:
        self.heard.append((step, holders))


@pytest.mark.parametrize("shared", [True, False])
def test_threads_fly_single_too(tmp_path: Path, shared: bool) -> None:
    slept.clear()
    store = Store(tmp_path)
    hears = [Hears() for _ in range(3)]
    threads = [
        threading.Thread(
            target=lambda hear=hear: pylightnix.realize(
                nap(), store=store if shared else Store(tmp_path), executor="process", listener=hear
            )
        )
        for hear in hears
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (realization,) = store.realizations()
    assert len(realization.runs) == 1
    told = [event for hear in hears for event in hear.heard]
    assert told
    assert all(holder.process == os.getpid() and holder.stage == "nap" for _, holders in told for holder in holders)


def test_a_builder_that_realizes_itself_does_not_wait_for_itself(tmp_path: Path) -> None:
    slept.clear()
    pylightnix.realize(itself(), store=tmp_path, quiet=True)
    assert len(slept) == 3


@stage(code="ignore")
def asks(how: str, place: str, out: Path = promise("out")) -> None:
    """For itself, for what needs it, or for what the same process makes beside it."""
    asked = {"itself": lambda: asks(how, place), "user": lambda: link(asks(how, place)), "sibling": nap}[how]()
    out.write_text(str(pylightnix.realize(asked, store=place, quiet=True, executor="process").ref))


@pytest.mark.parametrize("how", ["itself", "user"])
def test_a_builder_that_needs_its_own_run_is_told_so(tmp_path: Path, how: str) -> None:
    with pytest.raises(BuildError, match="a builder asked for what itself is to make") as caught:
        pylightnix.realize(asks(how, str(tmp_path)), store=tmp_path, quiet=True, executor="process")
    assert caught.value.fields["exception"] == "GraphError"
    assert Store(tmp_path).realizations() == []


def test_a_builder_may_wait_for_what_is_made_beside_it(tmp_path: Path) -> None:
    made, other = pylightnix.realize([asks("sibling", str(tmp_path)), nap()], store=tmp_path, quiet=True, jobs=2)
    assert made.out.read_text() == other.ref
    assert len(other.runs) == 1


@stage(code="ignore")
def link(before: Any = None, out: Path = promise("out")) -> None:
    out.write_text("x")


def changed(count: int, store: Path) -> list[tuple[str, str]]:
    """What a realize of so many satisfied stages changes: which changes, and in which directories."""
    chain = link()
    for _ in range(count - 1):
        chain = link(chain)
    for _ in range(2):
        pylightnix.realize(chain, store=store, quiet=True)
    gc.collect()
    seen: list[tuple[str, str]] = []
    place = lambda path: str(Path(str(path)).relative_to(store).parent) if str(path).startswith("/") else ""  # noqa: E731
    with changes.observed(lambda name, paths: seen.append((name, place(paths[0])))):
        kept = pylightnix.realize(chain, store=store, quiet=True)
    assert kept.out.read_text() == "x"
    return seen


def test_what_is_satisfied_takes_no_lock_of_its_own(tmp_path: Path) -> None:
    """One note of what is held is written for all, and one of what was used."""
    few, many = changed(100, tmp_path / "few"), changed(300, tmp_path / "many")
    assert few == many
    assert {place for _, place in few} <= {"", "locks", "locks/held", "cache/used"}
    assert len(few) < 20


def test_without_locks_it_goes_on_and_warns_once(tmp_path: Path) -> None:
    def refuse(name: str, paths: tuple[object, ...]) -> None:
        if name == "flock":
            raise OSError(95, "Operation not supported")

    slept.clear()
    with changes.observed(refuse), pytest.warns(LocksWarning) as warned:
        pylightnix.realize([nap(1), nap(2)], store=tmp_path, quiet=True)
    assert slept == [1, 2]
    assert len(warned) == 1
    assert [file.name for file in (tmp_path / "locks").iterdir()] == ["collect.lock"]
