"""The log of a run keeps its beginning and its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from pylightnix.executors.runlog import RunLog


def test_made_when_something_is_written(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log")
    log.write(b"")
    assert not (tmp_path / "log").exists()
    log.write(b"a")
    assert (tmp_path / "log").read_bytes() == b"a"
    log.close()
    log.write(b"b")
    log.close()
    assert (tmp_path / "log").read_bytes() == b"a"


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 10, 25, 100])
def test_the_middle_is_left_out(tmp_path: Path, chunk: int) -> None:
    for size in (0, 5, 9, 10, 11, 14, 15, 16, 21, 40, 100):
        data = bytes(range(100, 200))[:size]
        path = tmp_path / f"log{size}"
        log = RunLog(path, head=10, tail=5)
        for start in range(0, size, chunk):
            log.write(data[start : start + chunk])
        log.close()
        expected = data
        if size > 15:
            expected = data[:10] + b"\n[... %d bytes left out ...]\n" % (size - 15) + data[-5:]
        assert (path.read_bytes() if path.exists() else b"") == expected


def test_a_full_disk_is_noted_and_raises_nothing() -> None:
    log = RunLog(Path("/dev/full"))
    log.write(b"a")
    log.write(b"b")
    log.close()
    assert log.problem == "the log is not complete: No space left on device"


def test_no_directory_for_it(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "none" / "log")
    log.write(b"a")
    log.close()
    assert "No such file" in log.problem
