"""`check`: 0 equal, 3 within the tolerance, 1 different or failed, 2 wrong use; what differs is told file by file."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pylightnix.testing.bench import wait_for
from pylightnix.testing.processes import is_alive

STAGES = """\
import os
import time
from pathlib import Path

from pylightnix import Build, Dep, match, promise, stage

HERE = Path(__file__).parent
NOISE = "NOISE"


@stage(code="ignore")
def numbers(n: int = 3, table: Path = promise("t.csv")) -> None:
    table.write_text("".join(f"{i},{i + float(os.environ.get(NOISE, 0))}\\n" for i in range(n)))


@stage(matcher=match.best("score", of=2), code="ignore")
def model(build: Build, data: Dep = numbers(), out: Path = promise("model.bin")) -> dict:
    print("training")
    if os.environ.get("FAIL"):
        raise ValueError("not this time")
    if os.environ.get("SLOW"):
        (HERE / "begun").touch()
        time.sleep(60)
    out.write_bytes(bytes([0, build.seed % 256]))
    return {"score": build.seed % 1000 + float(os.environ.get(NOISE, 0))}
"""


@pytest.fixture
def lucky(cli: Any) -> Any:
    (cli.directory / "luck.py").write_text(STAGES)
    cli("realize", "luck.py:model")
    return cli


def left(cli: Any) -> list[str]:
    """What a command has left in the store that is no result."""
    tmp = [name for name in os.listdir(cli.store / "tmp") if name != "checkpoints"]
    held = os.listdir(cli.store / "locks/held") if (cli.store / "locks/held").exists() else []
    checkpoints = cli.store / "tmp/checkpoints"
    return tmp + held + (os.listdir(checkpoints) if checkpoints.exists() else [])


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_equal(lucky: Any, executor: str) -> None:
    before = lucky("ls").stdout
    done = lucky("check", "luck.py:model", "--executor", executor)
    (line,) = done.stdout.splitlines()
    assert line.startswith("equal      ")
    assert " model  run " in line
    assert "done     model  run " in done.stderr
    assert "reused" not in done.stderr
    assert lucky("ls").stdout.split()[:6] == before.split()[:6]
    assert left(lucky) == []


def test_different_and_within_the_tolerance(lucky: Any) -> None:
    noisy = {"NOISE": "1e-6"}
    done = lucky("check", "luck.py:model", "luck.py:numbers", code=1, environ=noisy)
    first, value, second, table = done.stdout.splitlines()
    assert first.startswith("different  ")
    assert value.startswith("  value .score: ")
    assert second.startswith("different  ")
    assert table == "  t.csv row 1, column 2: 0.0 → 1e-06; a number differs, the first of 3, off by 1e-06 at most"
    assert lucky("check", "luck.py:model", "--tolerance", "1e-3", code=3, environ=noisy).stdout.startswith("close ")
    lucky("check", "luck.py:model", "--rtol", "1e-3", code=3, environ=noisy)
    lucky("check", "luck.py:model", "--atol", "1e-3", code=3, environ=noisy)
    lucky("check", "luck.py:model", "--tolerance", "1e-3", "--atol", "0", "--rtol", "0", code=1, environ=noisy)
    assert len(lucky.json("ls")["realizations"]) == 3
    assert left(lucky) == []


def test_for_programs(lucky: Any) -> None:
    document = lucky.json("check", "luck.py:model", "--closure")
    assert document["verdict"] == "equal"
    assert sorted(one["ref"][41:] for one in document["checks"]) == ["model", "numbers"]
    noisy = {"NOISE": "1e-6"}
    done = lucky("check", "luck.py:numbers", "--json", "--tolerance", "1e-3", code=3, environ=noisy)
    assert '"deviation": ' in done.stdout
    assert '"verdict": "close"' in done.stdout


def test_a_reference_needs_the_code(lucky: Any) -> None:
    for one in lucky.json("ls", "model")["realizations"]:
        assert "--of FILE.py:STAGE" in lucky("check", one["ref"][:10], code=2).stderr
        assert lucky("check", one["ref"][:10], "--of", "luck.py:model").stdout.startswith("equal ")
    assert "given were: numbers" in lucky("check", one["ref"], "--of", "luck.py:numbers", code=2).stderr


def test_what_is_not_realized(lucky: Any) -> None:
    assert "not realized in this store" in lucky("check", "luck.py:numbers", "--set", "n=4", code=2).stderr
    assert "its runs: " in lucky("check", "luck.py:numbers", "--run", "5", code=2).stderr
    lucky("check", "luck.py:numbers", "--rtol", "-1", code=2)
    lucky("check", "luck.py:numbers", "--rtol", "inf", code=2)


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_builder_that_fails(lucky: Any, executor: str) -> None:
    done = lucky("check", "luck.py:model", "--executor", executor, code=1, environ={"FAIL": "1"})
    assert "error: model failed: ValueError: not this time" in done.stderr
    assert "to look again: pylightnix show " in done.stderr
    assert left(lucky) == []


def test_kept_and_registered(lucky: Any) -> None:
    noisy = {"NOISE": "0.5"}
    kept = lucky("check", "luck.py:numbers", "--keep", code=1, environ=noisy).stdout.splitlines()[-1]
    directory = Path(kept.removeprefix("  kept: "))
    assert (directory / "out/t.csv").read_text().startswith("0,0.5")
    assert "gave different artifacts" in lucky("show", f"failed/{directory.name}").stdout
    assert len(lucky.json("ls", "numbers")["realizations"]) == 1
    done = lucky("check", "luck.py:numbers", "--register", code=1, environ=noisy)
    assert "  registered: " in done.stdout
    assert len(lucky.json("ls", "numbers")["realizations"]) == 2
    lucky("verify")
    assert left(lucky) == []


@pytest.mark.parametrize("executor", ["inline", "process"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(lucky: Any, executor: str, number: int) -> None:
    process = subprocess.Popen(
        [lucky.command, "check", "luck.py:model", "--executor", executor],
        cwd=lucky.directory, env={**lucky.environ, "SLOW": "1"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for((lucky.directory / "begun").exists)
        process.send_signal(number)
        _, told = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert "interrupted" in told
    assert left(lucky) == []
    assert lucky("check", "luck.py:model").stdout.startswith("equal ")


CHILDREN = """\
import os
import subprocess
import time
from pathlib import Path

from pylightnix import stage


@stage(code="ignore")
def family() -> int:
    if os.environ.get("SLOW"):
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        Path("new").write_text(f"{os.getpid()} {child.pid}")
        os.rename("new", "begun")
        time.sleep(60)
    return 1


@stage(code="ignore", pass_variables=["SHUT"])
def where() -> None:
    if "SHUT" in os.environ and (str(Path.cwd()) == os.environ["SHUT"] or "PYLIGHTNIX_ISOLATION" in os.environ):
        raise ValueError("not isolated")
"""


@pytest.mark.parametrize("how", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT]], ids=str)
def test_interrupted_it_ends_its_builder_with_all_that_it_has_started(cli: Any, how: list[signal.Signals]) -> None:
    (cli.directory / "children.py").write_text(CHILDREN)
    cli("realize", "children.py:family")
    with subprocess.Popen(
        [cli.command, "check", "children.py:family", "--executor", "process"],
        cwd=cli.directory, env={**cli.environ, "SLOW": "1"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        wait_for((cli.directory / "begun").exists)
        for number in how:
            process.send_signal(number)
        assert process.wait(30) == 130
    pids = [int(word) for word in (cli.directory / "begun").read_text().split()]
    wait_for(lambda: not any(map(is_alive, pids)))
    if len(how) == 1:
        assert left(cli) == []


@pytest.mark.parametrize("said", ["option", "variable"])
def test_isolation_is_as_the_call_says(cli: Any, said: str) -> None:
    (cli.directory / "children.py").write_text(CHILDREN)
    cli("realize", "children.py:where")
    shut = {"SHUT": str(cli.directory)}
    assert "not isolated" in cli("check", "children.py:where", code=1, environ=shut).stderr
    option = ["--isolation", "process"] if said == "option" else []
    variable = {"PYLIGHTNIX_ISOLATION": "process"} if said == "variable" else {}
    cli("check", "children.py:where", *option, environ={**shut, **variable})


DEAF = """
import os, signal, time
from pathlib import Path
from pylightnix import promise, stage

@stage
def deaf(out: Path = promise("out.txt")) -> None:
    out.write_text("x")
    if "SLOW" not in os.environ:
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    Path("begun").touch()
    while True:  # until it is killed, it makes its directory again whenever that is removed
        os.makedirs(out.parent, exist_ok=True)
        out.write_text("late")
"""


def test_a_builder_that_goes_on_writing_is_ended_before_its_place_is_removed(cli: Any) -> None:
    (cli.directory / "deaf.py").write_text(DEAF)
    cli("realize", "deaf.py:deaf")
    with subprocess.Popen(
        [cli.command, "check", "deaf.py:deaf", "--executor", "process"],
        cwd=cli.directory, env={**cli.environ, "SLOW": "1"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        wait_for((cli.directory / "begun").exists)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert left(cli) == []
