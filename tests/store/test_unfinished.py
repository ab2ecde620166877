"""Files beside others: whole or not there, and what the dead left goes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from pylightnix.store import changes
from pylightnix.store.unfinished import ABANDONED, finished


def write(path: Path, text: str) -> None:
    with finished(str(path)) as beside:
        Path(beside).write_text(text)


def killed_while_writing(path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        with finished(str(path)) as beside:
            Path(beside).write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)


def test_what_the_dead_left_goes_with_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "a.plx"
    (tmp_path / ".a.plx.mine").write_text("of somebody else")
    killed_while_writing(path)
    assert len(os.listdir(tmp_path)) == 2
    write(path, "whole")
    assert sorted(os.listdir(tmp_path)) == [".a.plx.mine", "a.plx"]
    assert path.read_text() == "whole"


def test_what_the_living_write_stays_until_nobody_has_written_for_a_day(tmp_path: Path) -> None:
    path = tmp_path / "a.plx"
    with finished(str(path)) as beside:
        Path(beside).write_text("slow")
        write(path, "quick")
        assert os.path.exists(beside)
    assert path.read_text() == "slow"
    old = tmp_path / f".a.plx.00000000-{os.getpid()}-000000000000"
    old.touch()
    write(path, "whole")
    assert old.exists()
    os.utime(old, (old.stat().st_mtime - ABANDONED - 1,) * 2)
    write(path, "whole")
    assert os.listdir(tmp_path) == ["a.plx"]


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.plx"
    write(path, "first")
    with pytest.raises(TypeError):
        write(path, b"second")  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == ["a.plx"]
    assert path.read_text() == "first"


def test_a_name_as_long_as_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("\N{KATAKANA LETTER A}" * 85)
    write(path, "whole")
    assert path.read_text() == "whole"


def test_its_name_is_synced_after_it_has_it(tmp_path: Path) -> None:
    made: list[tuple[str, object]] = []
    with changes.observed(lambda name, about: made.append((name, about[-1]))):
        write(tmp_path / "a.plx", "whole")
    assert made == [("rename", str(tmp_path / "a.plx")), ("fsync", str(tmp_path))]
