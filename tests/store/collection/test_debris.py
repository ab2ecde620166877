"""What killed processes leave is swept, and nothing that a living one may be using."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, realize, stage
from pylightnix.store.collection.debris import ABANDONED, Sweeper
from pylightnix.store.removal import remove_tree


@stage(code="ignore")
def waits(build: Build, pipe: str) -> None:
    (build.out / "half").write_text("x")
    (build.scratch / "x").write_text("x")
    (build.checkpoint / "x").write_text("x")
    with open(pipe, "w") as stream:
        stream.write("ready")
    signal.pause()


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from test_debris import waits
from pylightnix import realize
realize(waits(sys.argv[3]), store=sys.argv[2], quiet=True)
"""


@pytest.fixture
def building(plant: Any, tmp_path: Path) -> Any:
    """A process that builds, and does not end by itself."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    here = str(Path(__file__).parent)
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, here, str(plant.store.path), str(pipe)])
    with pipe.open() as stream:
        assert stream.read() == "ready"
    yield process
    process.kill()
    process.wait()


def inside(plant: Any, place: str) -> list[str]:
    return sorted(os.listdir(plant.store.path / place))


def test_what_a_living_process_makes_is_left_and_what_a_killed_one_left_is_swept(plant: Any, building: Any) -> None:
    plant.one("a")
    before = inside(plant, "tmp")
    assert len(before) == 4
    for name in before:
        os.utime(plant.store.path / "tmp" / name, (0, 0))  # it may work for days
    collected = plant.store.gc(unreachable=True, trash="0d")
    assert len(collected.victims) == 1
    assert inside(plant, "tmp") == before
    assert len(list((plant.store.path / "locks").glob("?/*@*.lock"))) == 1
    os.kill(building.pid, signal.SIGKILL)
    building.wait()
    told = plant.store.gc(unreachable=True, dry_run=True)
    assert len(told.swept.tmp) == 3
    assert inside(plant, "tmp") == before
    assert plant.store.gc(unreachable=True).swept.tmp == told.swept.tmp
    assert inside(plant, "tmp") == ["checkpoints"]
    assert len(inside(plant, "tmp/checkpoints")) == 1, "the next attempt gets it"
    assert list((plant.store.path / "locks").rglob("*@*.lock")) == []
    plant.store.gc(unreachable=True, failed="0d")
    assert inside(plant, "tmp/checkpoints") == []


def test_what_a_process_holds_is_held_until_it_is_killed(plant: Any) -> None:
    made = plant.one("a")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        holding = plant.store.keeper.holding()
        with holding.looking():
            holding.add([made[0].ref])
        os.write(writer, b"x")
        signal.pause()
    os.read(reader, 1)
    try:
        assert plant.store.gc(unreachable=True).victims == ()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert len(inside(plant, "locks/held")) == 1
    assert len(plant.store.gc(unreachable=True).victims) == 1
    assert inside(plant, "locks/held") == []


def test_artifacts_without_a_record_are_swept_unless_somebody_is_about_to_write_it(plant: Any) -> None:
    made = plant.one("a")
    remove_tree(plant.store.keeper.place(made[0]))
    holding = plant.store.keeper.holding()
    with holding.looking():
        holding.add([made[0].ref])
    assert plant.store.gc(unreachable=True).swept.artifacts == ()
    assert plant.store.keeper.present(made[0])
    holding.release()
    assert plant.store.gc(unreachable=True, dry_run=True).swept.artifacts == (f"store/{made[0].ref}",)
    assert plant.store.gc(unreachable=True).swept.artifacts == (f"store/{made[0].ref}",)
    assert inside(plant, "store") == []
    assert inside(plant, "tmp") == []


def test_a_record_that_comes_at_the_last_moment_keeps_its_artifacts(
    plant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plant.one("a")
    place, aside = plant.store.keeper.place(made[0]), plant.store.path / "aside"
    os.rename(place, aside)
    take = Sweeper._take

    def come(self: Sweeper, path: str, ref: str) -> bool:
        os.rename(aside, place)
        return take(self, path, ref)

    monkeypatch.setattr(Sweeper, "_take", come)
    assert plant.store.gc(older_than="9999d").swept.artifacts == ()
    assert plant.store.keeper.present(made[0])


def test_old_failed_runs_are_swept(plant: Any) -> None:
    failed = plant.store.path / "failed"
    old = time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() - 31 * 86400))
    new = time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() - 29 * 86400))
    plant.one("a")
    for name in (f"{old}-a-1-{'0' * 12}", f"{new}-a-1-{'1' * 12}", "notes"):
        (failed / name).mkdir()
    plant.store.gc(older_than="9999d")
    assert inside(plant, "failed") == [f"{new}-a-1-{'1' * 12}", "notes"]
    plant.store.gc(older_than="9999d", failed="1d")
    assert inside(plant, "failed") == ["notes"]


def test_what_is_old_is_swept_although_its_number_was_given_to_another_process(plant: Any) -> None:
    plant.one("a")
    tmp = plant.store.path / "tmp"
    for digit, age in (("0", 0.0), ("1", ABANDONED + 60)):
        (tmp / f"1-{digit * 12}").mkdir()
        os.utime(tmp / f"1-{digit * 12}", (time.time() - age,) * 2)
    assert plant.store.gc(unreachable=True).swept.tmp == (f"tmp/1-{'1' * 12}",)


def test_what_is_not_ours_is_left(plant: Any) -> None:
    plant.one("a")
    tmp = plant.store.path / "tmp"
    for name in ("notes", f"1-{'0' * 12}", f"{os.getpid()}-{'0' * 12}.out", f"99999999-{'0' * 12}x"):
        (tmp / name).mkdir()
    (tmp / f"99999999-{'0' * 12}.out").mkdir()
    (plant.store.path / "store" / "README").write_text("")
    plant.store.gc(unreachable=True)
    assert len(inside(plant, "tmp")) == 4
    assert inside(plant, "store") == ["README"]


def test_an_ordinary_users_trash(ordinary: Any, tmp_path: Path) -> None:
    """A sealed directory can be moved by them only where it stands."""
    done = ordinary(
        """
import sys
from pathlib import Path
from pylightnix import promise, realize, stage, Store

@stage(code="ignore")
def one(out: Path = promise("deep/out.txt")) -> None:
    out.write_text("x")

store = Store(sys.argv[1])
realize(one(), store=store, quiet=True)
assert len(store.gc(unreachable=True).victims) == 1
(ref,) = [record.ref for record in store.keeper.records()]
assert store.restore(ref).out.read_text() == "x"
assert store.verify().sound
assert len(store.gc(unreachable=True, trash="0d").victims) == 1
assert list((store.path / "tmp").iterdir()) == list((store.path / "trash").iterdir()) == []
assert [p.name for p in (store.path / "store").iterdir()] == []
""",
        tmp_path / "store",
    )
    assert done.returncode == 0, done.stderr


def test_a_realize_after_a_collection_finds_all_it_needs(plant: Any, tmp_path: Path) -> None:
    """The debris of a killed run does not stop the next one."""
    realize(quick(), store=plant.store, quiet=True)
    plant.store.gc(unreachable=True, forget=True, trash="0d", failed="0d")
    assert realize(quick(), store=plant.store, quiet=True).value == 1


@stage(code="ignore")
def quick() -> int:
    return 1
