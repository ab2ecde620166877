"""What a terminal shows while builders run: a live display for processes of their own, plain lines for inline runs."""

from __future__ import annotations

import json
import re
from typing import Any

SLEEPY = """
import subprocess, time
from pylightnix import Build, stage

@stage
def step(build: Build, n: int) -> None:
    print("noise of the builder")
    subprocess.run(["echo", "noise of a child"])
    for done in range(8):
        build.progress(done, 8)
        time.sleep(0.05)

def steps():
    return [step(n) for n in range(3)]
"""


def shown(cli: Any, *args: str, **environ: str) -> str:
    (cli.directory / "sleepy.py").write_text(SLEEPY)
    running = cli.terminal("realize", "sleepy.py:steps", *args, environ=environ)
    text = running.read()
    running.close()
    assert running.exitstatus == 0, text
    assert isinstance(text, str)
    return text


def test_a_live_display_while_processes_run(cli: Any) -> None:
    text = shown(cli, "-j", "2")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "\x1b[?25l" in text, "the cursor is hidden"
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "and back at the end"
    assert "0 of 3 done, 2 running" in plain
    assert re.search(r"step +run 0 .*[1-7] of 8", plain)
    assert "noise" not in plain
    assert len(re.findall(r"done     step  run 0", plain)) == 3
    results = plain.splitlines()[-3:]
    assert all(re.match(r"[0-9a-f]{40}-step  /", line) for line in results)


def test_what_is_left_on_the_screen_is_the_account(cli: Any) -> None:
    """A small terminal: carriage return, line up and erase line are all that the display needs."""
    screen: list[str] = [""]
    row = 0
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)", shown(cli, "-j", "2", NO_COLOR="1")):
        if part == "\n":
            row += 1
            screen += [""] * (row - len(screen) + 1)
        elif part == "\x1b[1A":
            row -= 1
        elif part == "\x1b[2K":
            screen[row] = ""
        elif part not in ("\r", "") and not part.startswith("\x1b"):
            screen[row] += part
    lines = [line for line in screen if line]
    assert not [line for line in lines if "running" in line or "━" in line]
    told = [line.split()[0] for line in lines if line[0] != "0" and "-step" not in line]
    assert sorted(told) == ["build"] * 3 + ["done"] * 3, lines
    assert told[0] == "build"
    assert told[-1] == "done"


def test_inline_runs_are_told_in_lines(cli: Any) -> None:
    text = shown(cli)
    assert "\x1b" not in text
    assert "run      step  run 0  (0 of 3 done)" in text
    assert "run      step  run 0  (2 of 3 done)" in text
    assert text.count("noise of the builder") == 3


def test_a_dumb_terminal_gets_lines(cli: Any) -> None:
    assert "\x1b" not in shown(cli, "-j", "2", TERM="dumb")


def test_nothing_moves_where_nothing_is_built(cli: Any) -> None:
    shown(cli, "-j", "2")
    assert "\x1b" not in shown(cli, "-j", "2")
    assert "3 of 3 reused" in shown(cli, "-j", "2")


def test_the_last_line_of_each_log_on_request(cli: Any) -> None:
    coloured = SLEEPY.replace("noise of a child", r"\x1b[32mnoise of a child\x1b[0m")
    (cli.directory / "sleepy.py").write_text(coloured)
    running = cli.terminal("realize", "sleepy.py:steps", "-j", "2", "--tail")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", running.read())
    running.close()
    assert "    noise of a child" in plain
    assert r"\x1b" not in plain, "its colours are left out"


def test_what_ran_before_tells_how_long_it_will_take(cli: Any) -> None:
    (cli.directory / "sleepy.py").write_text(SLEEPY)
    first = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown(cli, "-j", "2"))
    assert "left" not in first.partition("2 running")[2].partition("\n")[0], "nothing is known yet"
    (cli.directory / "sleepy.py").write_text(SLEEPY)
    running = cli.terminal("realize", "sleepy.py:step", "--set", "n=7", "-j", "2")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", running.read())
    running.close()
    assert "1 running" in plain
    assert "about a few seconds left" in plain
    assert re.search(r"[0-9] s of about 0\.[0-9]+ s", plain)
    (cli.directory / "sleepy.py").write_text(SLEEPY)
    events = [
        json.loads(line) for line in cli("realize", "sleepy.py:step", "--set", "n=8", "--json").stderr.splitlines()
    ]
    by_name = {event["event"]: event for event in events}
    assert 0.3 < by_name["started"]["expected"] < 30
    assert by_name["end"] == {"event": "end", "reused": 0, "runs": 1, "failed": 0}
