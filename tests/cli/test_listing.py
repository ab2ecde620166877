"""`ls`: what is listed, in which order, how fast, and what is said of an empty store."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pylightnix.cli.listing import _digits_needed


def test_each_realization_is_a_line_the_newest_of_a_stage_first(full: Any) -> None:
    done = full("ls")
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["ref", "stage", "age", "size", "runs", "value"]
    assert [row.split()[1] for row in rows] == ["model", "model", "numbers", "report"]
    assert all(re.match(r"[0-9a-f]{8}  ", row) for row in rows)
    assert "score=" in rows[0]
    assert re.fullmatch(rf"4 realizations of 3 stages, \d+ B, in {full.store}\n", done.stderr)
    starts = [one["started"] for one in full.json("ls", "model")["realizations"]]
    assert starts == sorted(starts, reverse=True)


def test_names_and_patterns_choose(full: Any) -> None:
    assert {one["name"] for one in full.json("ls", "model", "rep*")["realizations"]} == {"model", "report"}
    done = full("ls", "nothing")
    assert done.stdout == ""
    assert done.stderr == f"nothing of nothing in the store: {full.store}\n"


def test_stages_are_summed_up(full: Any) -> None:
    rows = full.json("ls", "--stages")["stages"]
    assert [(row["name"], row["realizations"], row["runs"]) for row in rows] == [
        ("model", 2, 2),
        ("numbers", 1, 1),
        ("report", 1, 1),
    ]
    assert full("ls", "--stages").stdout.splitlines()[2].split()[:3] == ["numbers", "1", "1"]


def test_equal_results_are_one_with_more_runs(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    cli("realize", "flow.py:numbers", "--rebuild", "numbers")
    (row,) = cli.json("ls")["realizations"]
    assert row["runs"] == 2
    assert row["present"]


def test_an_empty_store_is_said_to_be_empty_and_where(cli: Any) -> None:
    done = cli("ls")
    assert done.stdout == ""
    assert done.stderr == f"the store is empty: {cli.store} (it is made at the first write)\n"
    assert not cli.store.exists()
    assert cli.json("ls", "--store", "other") == {"store": str(cli.directory / "other"), "realizations": []}


def test_what_is_no_store_is_refused(cli: Any) -> None:
    done = cli("ls", "--store", ".", code=2)
    assert "is no store" in done.stderr


def test_artifacts_that_are_gone_are_marked(cli: Any) -> None:
    path = Path(cli("realize", "flow.py:numbers").stdout.split("\t")[1].strip())
    path.chmod(0o755)
    (path / "table.txt").unlink()
    path.rmdir()
    assert "not here" in cli("ls").stdout
    assert not cli.json("ls")["realizations"][0]["present"]
    assert "artifacts are not here" in cli("path", cli.json("ls")["realizations"][0]["ref"], code=2).stderr


def test_lines_fit_the_terminal(full: Any) -> None:
    shown = full.terminal("ls", environ={"COLUMNS": "60"})
    shown.setwinsize(24, 50)
    text = shown.read()
    shown.close()
    assert shown.exitstatus == 0
    assert "model" in text


GENERATE = """
import sys
from pylightnix import realize, stage

@stage(code="ignore")
def one(n: int) -> dict[str, float]:
    return {"n": n, "accuracy": n / 10_000}

realize([one(n) for n in range(int(sys.argv[2]))], store=sys.argv[1], quiet=True)
"""


def test_ten_thousand_are_listed_within_a_second(cli: Any) -> None:
    """Scaled down to 1,000, and against the cost of reading that many pairs of files on this machine at this moment."""
    count = 1000
    (cli.directory / "generate.py").write_text(GENERATE)
    subprocess.run([sys.executable, "generate.py", "big", str(count)], cwd=cli.directory, env=cli.environ, check=True)

    def cost(*args: str) -> float:
        before = os.times()
        cli("ls", "--store", *args)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    cost("big")
    each = min(cost("big") for _ in range(3)) - min(cost("none") for _ in range(3))
    assert len(cli("ls", "--store", "big").stdout.splitlines()) == count + 1
    assert each / count < 3 * floor(cli.directory / "big" / "records", count)


def floor(records: Path, count: int) -> float:
    """Seconds of this process to list two directories and to read two files, for each of so many realizations."""
    before = time.process_time()
    for home in os.listdir(records):
        for digits in os.listdir(records / home):
            if len(digits) == 40:
                for name in os.listdir(f"{records}/{home}/{digits}"):
                    if name.endswith(".json"):
                        with open(f"{records}/{home}/{digits}/{name}", "rb") as stream:
                            stream.read()
    return (time.process_time() - before) / count


def test_as_many_digits_as_it_takes() -> None:
    assert _digits_needed([]) == 8
    assert _digits_needed(["0" * 40, "1" * 40]) == 8
    assert _digits_needed(["0123456789a" + "0" * 29, "0123456789b" + "0" * 29, "9" * 40]) == 11
    assert _digits_needed(["0" * 40, "0" * 40]) == 8
