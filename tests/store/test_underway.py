"""Runs under way, as another process finds them; and files that grow while they are read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pylightnix.names import KeyRef
from pylightnix.store.growing import GrowingFile
from pylightnix.store.store import Store
from pylightnix.store.underway import failure_of, registered, runs_under_way
from pylightnix.testing.bench import wait_for

MAKER = """
import sys, time
from pylightnix.names import KeyRef
from pylightnix.store.store import Store

keeper = Store(sys.argv[1]).keeper
home = KeyRef(sys.argv[2])
slot = keeper.claim(home)
workspace = keeper.workspace(home, keeper.reserve(home, first=slot.first))
print(workspace.notes, flush=True)
sys.stdin.read()
"""
HOME = KeyRef.of("a" * 40, "model")


def begun(store: Store) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", MAKER, str(store.path), HOME], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def test_a_run_is_found_by_whoever_looks_until_its_process_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert runs_under_way(store.keeper.layout) == []
    with begun(store) as process:
        [found] = runs_under_way(store.keeper.layout)
        assert (found.home, found.run, found.process, found.is_there) == (HOME, 0, process.pid, True)
        assert runs_under_way(store.keeper.layout, lambda home: home.name == "other") == []
        process.kill()
    wait_for(lambda: runs_under_way(store.keeper.layout) == [])
    assert found.is_there, "what a killed process leaves stays until a collection"
    assert registered(store.keeper.layout, found) is None
    assert failure_of(store.keeper.layout, found) is None


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with begun(store) as process:
        process.kill()
    assert list((store.path / "tmp").iterdir())
    store.gc(unreachable=True)
    assert list((store.path / "tmp").iterdir()) == []


def test_a_run_that_was_registered_is_found_as_that(tmp_path: Path, make: Any) -> None:
    record = make("model", log="words")
    layout = make.store.keeper.layout
    [log] = layout_logs(make.store)
    form = log.stem.split("-", 2)
    from pylightnix.store.underway import UnderWay

    run = UnderWay(record.home, int(form[1]), os.getpid(), str(tmp_path / "gone"), form[2], 0.0)
    assert registered(layout, run) == str(log)


def layout_logs(store: Store) -> list[Path]:
    return list(store.path.glob("records/*/*/run-*.log"))


def test_a_file_is_read_to_its_end_wherever_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    growing = GrowingFile(str(path))
    assert growing.more() == b""
    assert growing.end(10) is None
    path.write_bytes(b"one\n")
    assert growing.more() == b"one\n"
    assert growing.more() == b""
    moved = path.rename(tmp_path / "elsewhere")
    with moved.open("ab") as stream:
        stream.write(b"two\n")
    assert growing.more() == b"two\n"
    assert growing.end(4) == b"two\n"
    assert growing.end(4) is None, "nothing was appended since"
    assert growing.size == 8
    growing.close()
    growing.close()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "log").symlink_to(tmp_path / "secret")
    assert GrowingFile(str(tmp_path / "log")).more() == b""
