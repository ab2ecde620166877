"""`realize` and `plan` through the installed command: what is on which stream, exit codes, all kinds of targets."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from pylightnix.cli.options import read_assignments


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_results_are_on_stdout_and_the_account_on_stderr(cli: Any) -> None:
    first = cli("realize", "flow.py:report")
    (line,) = lines(first.stdout)
    ref, path = line.split("\t")
    assert ref.endswith("-report")
    assert (Path(path) / "report.txt").is_file()
    assert "build " in first.stderr
    assert "choose " in first.stderr
    assert lines(first.stderr)[-1].startswith("0 of 3 reused, 4 runs")
    assert "loading flow.py" in first.stderr
    again = cli("realize", "flow.py:report")
    assert again.stdout == first.stdout
    assert lines(again.stderr)[-1].startswith("3 of 3 reused, 0 runs")


def test_a_value_is_the_third_column(cli: Any) -> None:
    _, _, value = cli("realize", "flow.py:model").stdout.rstrip("\n").split("\t")
    assert "score=" in value


def test_a_matcher_that_chooses_many_prints_all(cli: Any) -> None:
    done = cli("realize", "flow.py:all_models")
    assert len({line.split("\t")[0] for line in lines(done.stdout)}) == 2


@pytest.mark.parametrize(
    ("target", "extra", "counts"),
    [
        ("flow.py:few", [], [4]),
        ("flow.py:Group.inner", [], [3]),
        ("flow:few", [], [4]),
        ("./flow.py:numbers", ["--set", "count=7"], [7]),
        ("flow.py:both", [], [1, 3, 2]),
        ("flow.py:sized", ["--set", "count=2", "--set", "extra=3"], [5]),
    ],
)
def test_what_a_target_may_be(cli: Any, target: str, extra: list[str], counts: list[int]) -> None:
    done = cli("realize", target, *extra)
    texts = [(Path(line.split("\t")[1]) / "table.txt").read_text() for line in lines(done.stdout)]
    assert texts == [" ".join(map(str, range(count))) for count in counts]


def test_containers_label_their_lines(cli: Any) -> None:
    labels = [line.split("\t")[3] for line in lines(cli("realize", "flow.py:both").stdout)]
    assert labels == ["small", "list[0]", "list[1]"]


def test_several_targets_are_one_closure(cli: Any) -> None:
    done = cli("realize", "flow.py:few", "flow.py:report")
    assert [line.split("\t")[3] for line in lines(done.stdout)] == ["flow.py:few", "flow.py:report"]
    refused = cli("realize", "flow.py:few", "flow.py:report", "--set", "x=1", code=2)
    assert "--set" in refused.stderr


def test_a_reference_is_a_target(cli: Any) -> None:
    line = cli("realize", "flow.py:numbers").stdout
    assert cli("realize", line[:8]).stdout == line


def test_values_are_read_as_json_or_else_are_text(cli: Any) -> None:
    (cli.directory / "echo.py").write_text(
        "from pylightnix import stage\n@stage\ndef echo(a: object = 0, b: object = 0) -> object:\n    return [a, b]\n"
    )
    done = cli.json("realize", "echo.py:echo", "--set", 'a={"x": [1, 2.5, null]}', "--set", "b=plain text = more")
    assert done["realizations"][0]["value"] == [{"x": [1, 2.5, None]}, "plain text = more"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["flow.py:model", "--set", "dept=3"], "did you mean 'depth'"),
        (["flow.py:few", "--set", "count=3"], "is a derivation already"),
        (["flow.py:model", "--set", "depth"], "'depth' is not NAME=VALUE"),
        (["flow.py:model", "--set", "depth=1", "--set", "depth=2"], "given twice"),
        (["flow.py:model", "--set", "depth=NaN"], "no place in a name"),
        (["flow.py:sized"], "missing a required argument: 'count'"),
        (["flow.py:nothing"], "gave an object of type int"),
        (["flow.py:number"], "an object of type int"),
        (["flow.py:Path"], "stages and derivations are realized"),
        (["flow.py:model.weights"], "pylightnix path flow.py:model weights"),
        (["flow.py:report", "--rebuild", "modle"], "there are: model, numbers, report"),
        (["abcdef"], "nothing is named abcdef"),
        (["no such thing"], "neither a reference nor"),
        (["flow.py:model", "-j", "0"], "'0' is neither a positive number nor auto"),
        ([], "Missing argument"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(cli: Any, args: list[str], told: str) -> None:
    done = cli("realize", *args, code=2)
    assert told in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert not cli.store.exists()


def test_a_failing_builder_is_told_with_its_own_traceback(cli: Any) -> None:
    done = cli("realize", "flow.py:broken", code=1)
    assert done.stdout == ""
    assert "error: broken failed: ValueError: no \\x1b[31mway" in done.stderr
    assert 'flow.py", line' in done.stderr
    assert '{"x":1}' in done.stderr
    assert "about to fail" in done.stderr
    assert "\x1b" not in done.stderr
    (look,) = [line for line in lines(done.stderr) if "to look again: " in line]
    shown = cli(*look.partition("to look again: pylightnix ")[2].split())
    assert "ValueError" in shown.stdout
    assert "about to fail" in shown.stdout


def test_what_was_finished_before_a_failure_stays(cli: Any) -> None:
    (cli.directory / "half.py").write_text(
        "from flow import *\n@stage\ndef after(data: Dep = numbers(), bad: Dep = broken()) -> None: ...\n"
    )
    cli("realize", "half.py:after", code=1)
    assert [one["name"] for one in cli.json("ls")["realizations"]] == ["numbers"]


def test_rebuild_makes_one_more_run(cli: Any) -> None:
    cli("realize", "flow.py:report")
    assert "1 run," in cli("realize", "flow.py:report", "--rebuild", "model").stderr
    assert len(cli.json("ls", "model")["realizations"]) == 3
    (step,) = [one for one in cli.json("plan", "flow.py:report", "--rebuild", "numbers")["steps"] if one["wanted"]]
    assert step["derivation"].endswith("-numbers")
    (again,) = [
        one for one in cli.json("plan", "flow.py:report", "--rebuild", step["derivation"][:8])["steps"] if one["wanted"]
    ]
    assert again == step


def test_parallel_runs_in_processes_of_their_own(cli: Any) -> None:
    done = cli("realize", "flow.py:report", "-j", "2")
    assert "4 runs" in done.stderr
    assert "counting to" not in done.stderr
    shown = cli.json("show", "flow.py:report")["realizations"][0]
    assert shown["runs"][0]["executor"] == "process"


def test_a_file_with_a_name_that_cannot_be_imported(cli: Any) -> None:
    (cli.directory / "my-flow 2.py").write_text((cli.directory / "flow.py").read_text())
    for executor in ("inline", "process"):
        cli("realize", "my-flow 2.py:numbers", "--executor", executor, "--set", f"count={len(executor)}")


def test_json_is_one_document_and_lines_of_events(cli: Any) -> None:
    done = cli("realize", "flow.py:model", "--json")
    document = json.loads(done.stdout)
    (made,) = document["realizations"]
    assert document["store"] == str(cli.store)
    assert made["value"]["score"] == int(Path(made["promises"]["weights"]).read_text().split()[0]) % 1000
    events = [json.loads(line) for line in lines(done.stderr) if not line.startswith("loading")]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"
    assert kinds.count("started") == kinds.count("finished") == 3
    assert {"stage": "model", "run": 0, "done": 1, "total": 2}.items() <= next(
        e for e in events if e["event"] == "progress"
    ).items()
    assert all(e["why"] for e in events if e["event"] == "decided")


def test_json_of_a_failure_is_a_document_too(cli: Any) -> None:
    done = cli("realize", "flow.py:broken", "--json", code=1)
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "BuildError"
    assert error["fields"]["stage"] == "broken"
    assert Path(error["fields"]["kept"]).is_dir()
    wrong = json.loads(cli("realize", "flow.py:model", "--set", "dept=1", "--json", code=2).stdout)["error"]
    assert (wrong["kind"], wrong["where"]) == ("ArgumentError", "model")


def test_plan_reads_only_and_tells_by_its_exit_code(cli: Any) -> None:
    done = cli("plan", "flow.py:report")
    assert [line.split()[0] for line in lines(done.stdout)] == ["build", "waiting", "waiting", "3"]
    assert not cli.store.exists()
    assert cli("plan", "--exit-code", "flow.py:report", code=2).stdout == done.stdout
    cli("realize", "flow.py:report")
    cli("plan", "--exit-code", "flow.py:report", code=0)
    plan = cli.json("plan", "flow.py:report")
    assert not plan["work"]
    assert plan["counts"] == {"reuse": 3}
    assert all(step["chosen"] for step in plan["steps"])


def test_plan_in_json_keeps_its_exit_code(cli: Any) -> None:
    assert cli.json("plan", "--exit-code", "flow.py:numbers", code=2)["work"]


def processes_in(directory: Path) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(directory) in line]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("executor", ["inline", "process"])
def test_interrupted_is_one_line_and_130(cli: Any, how: signal.Signals, executor: str) -> None:
    running = cli.terminal("realize", "flow.py:slow", "--executor", executor)
    running.expect_exact("slow" if executor == "inline" else "of 300")
    deadline = time.monotonic() + 20
    while not list(cli.store.rglob("begun")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.kill(how)
    begin = time.monotonic()
    rest = running.read()
    running.close()
    assert (running.exitstatus, running.signalstatus) == (130, None)
    assert time.monotonic() - begin < 5
    assert "interrupted: what was finished is kept" in rest
    assert "Traceback" not in rest
    assert list((cli.store / "tmp").iterdir()) == []
    assert processes_in(cli.directory) == []


def test_a_reader_that_is_gone_does_not_matter(cli: Any) -> None:
    done = cli.shell(
        "pylightnix realize flow.py:report 2>/dev/null | true; echo ${PIPESTATUS[0]}; "
        "pylightnix plan flow.py:report | head -1"
    )
    assert done.stderr == "loading flow.py\n"
    code, first = lines(done.stdout)
    assert code == "0"
    assert first.startswith("reuse")
    noisy = cli.shell("pylightnix realize flow.py:few 2>&1 >/dev/null | true; pylightnix ls few numbers --json")
    assert len(json.loads(noisy.stdout)["realizations"]) == 2


@pytest.mark.parametrize("sign", ["", "-"])
def test_an_integer_of_any_size_is_one(cli: Any, sign: str) -> None:
    digits = f"{sign}1{'0' * 5000}7"
    assert cli("plan", "flow.py:numbers", "--set", f"count={digits}").stdout.startswith("build")
    (given,) = read_assignments((f"count={digits}",)).values()
    assert given == int(sign + "1") * 10**5001 + int(sign + "7")
    others = read_assignments(("x=[1, 20, -3]", "y=12.5", "z=1a", "v=-"))
    assert others == {"x": [1, 20, -3], "y": 12.5, "z": "1a", "v": "-"}


def test_isolation_is_chosen_for_all_builders(cli: Any) -> None:
    ref = cli("realize", "flow.py:report", "--isolation", "process").stdout.split("\t")[0]
    (one,) = cli.json("show", ref)["realizations"]
    assert [run["isolation"] for run in one["runs"]] == ["process"]
    assert "executor  isolation" in cli("show", ref).stdout
    wrong = cli(
        "realize", "flow.py:numbers", "--set", "count=9", "--executor", "inline", "--isolation", "process", code=1
    )
    assert "cannot have isolation='process'" in wrong.stderr


UNLUCKY = """
import os
from pylightnix import Build, stage

@stage(retries=2)
def unlucky(build: Build, n: int = 0) -> int:
    mark = build.checkpoint / "mark"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), 9)
    return n
"""


def test_attempts_are_one_run_and_show_tells_how_many_there_were(cli: Any) -> None:
    (cli.directory / "unlucky.py").write_text(UNLUCKY)
    done = cli("realize", "unlucky.py:unlucky", "--executor", "process")
    assert "retry    unlucky  run 0, attempt 2" in done.stderr
    assert "0 of 1 reused, 1 run, " in done.stderr
    shown = cli("show", done.stdout.split("\t")[0]).stdout.splitlines()
    head, row = shown[shown.index("runs") + 1 :][:2]
    assert row[head.index("attempts") :].split()[0] == "2"
    events = [
        json.loads(line)
        for line in cli(
            "realize", "unlucky.py:unlucky", "--set", "n=1", "--executor", "process", "--json"
        ).stderr.splitlines()
    ]
    assert {name: events[-1][name] for name in ("runs", "failed")} == {"runs": 1, "failed": 0}


def test_what_was_not_declared_is_shown_and_refused_if_strict(cli: Any) -> None:
    (cli.directory / "data.txt").write_text("1")
    (cli.directory / "using.py").write_text(
        "import os\nfrom pathlib import Path\nfrom pylightnix import stage\n"
        "DATA = Path(__file__).with_name('data.txt')\n\n"
        "@stage\ndef using() -> str:\n    return DATA.read_text() + os.environ.get('PLX_SCALE', '')\n"
    )
    refused = cli("realize", "using.py:using", "--strict", code=1)
    assert f"read {cli.directory / 'data.txt'}, which it did not declare (and 1 more)" in refused.stderr
    assert cli("ls").stdout == ""
    ref = cli("realize", "using.py:using").stdout.split("\t")[0]
    shown = cli("show", ref).stdout
    assert "used and not declared" in shown
    assert f"read {cli.directory / 'data.txt'}" in shown
    assert 'variables=["PLX_SCALE"]' in shown
    (one,) = cli.json("show", ref)["realizations"]
    assert [found["kind"] for found in one["runs"][0]["findings"]] == ["file", "variable"]
