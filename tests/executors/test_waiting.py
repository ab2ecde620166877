"""Whether somebody waits for a run: by the number of a process, or by silence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pylightnix.executors.desk import Desk
from pylightnix.executors.waiting import BEAT, SILENCE, Waiter, waiter

ELSEWHERE = ("another machine", 1, "1")
ASK = "from pylightnix.executors.waiting import waiter; print(repr(waiter())); input()"


def test_a_process_of_this_machine_is_gone_when_it_has_ended(tmp_path: Path) -> None:
    desk = Desk.make(str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        place, pid, began = eval(one.stdout.readline())
        assert (place, pid) == (waiter()[0], one.pid)
        assert not Waiter((place, pid, began), desk).is_gone()
        assert Waiter((place, pid, f"{began}0"), desk).is_gone(), "another process has its number"
        one.communicate("\n")
    assert Waiter((place, pid, began), desk).is_gone()


def test_one_of_another_machine_is_gone_when_nothing_was_heard_of_it_for_long(tmp_path: Path) -> None:
    desk, now = Desk.make(str(tmp_path)), [1000.0]
    desk.beat(first=True)
    seen = Waiter(ELSEWHERE, desk, lambda: now[0])
    assert not seen.is_gone()
    for _ in range(3):
        now[0] += SILENCE * 0.9
        assert not seen.is_gone()
        desk.beat()
        assert not seen.is_gone()
    now[0] += SILENCE + 1
    assert seen.is_gone()


def test_what_never_said_that_it_waits_is_waited_for(tmp_path: Path) -> None:
    """So it is with workers that share no files: nothing can be heard there."""
    desk, now = Desk.make(str(tmp_path)), [0.0]
    seen = [Waiter(told, desk, lambda: now[0]) for told in (ELSEWHERE, None)]
    assert not any(one.is_gone() for one in seen)
    now[0] = 10 * SILENCE
    assert not any(one.is_gone() for one in seen)


def test_a_run_that_need_not_be_waited_for_says_itself_that_it_is_there(tmp_path: Path) -> None:
    """Its desk is taken for abandoned otherwise."""
    desk, now = Desk.make(str(tmp_path)), [0.0]
    run = Waiter(None, desk, lambda: now[0])
    run.keep_the_desk()
    assert desk.heard() is None
    now[0] += BEAT
    run.keep_the_desk()
    first = desk.heard()
    assert first is not None
    now[0] += BEAT
    run.keep_the_desk()
    assert (desk.heard() or 0) > first
