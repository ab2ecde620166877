"""`show`, `log` and `path`: everything about one thing, in the hand of a person and of a program."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def model(full: Any) -> dict[str, Any]:
    (one,) = full.json("show", "flow.py:model")["realizations"]
    assert isinstance(one, dict)
    return one


def test_show_knows_everything(full: Any) -> None:
    one = model(full)
    assert one["params"]["depth"] == 2
    assert one["value"]["name"] == "m"
    assert one["promises"] == {"weights": {"path": "deep/weights.bin", "kind": "file", "size": one["size"]}}
    assert [(a["kind"], a["path"]) for a in one["artifacts"]] == [("directory", "deep"), ("file", "deep/weights.bin")]
    (data,) = one["inputs"]
    assert (data["label"], data["matcher"], data["many"]) == ("data", "latest()", False)
    assert data["chosen"][0].endswith("-numbers")
    (run,) = one["runs"]
    assert {"index", "seed", "started", "duration", "host", "python", "peak_memory", "executor", "environment"} <= set(
        run
    )
    assert "model" in one["code"]["parts"]
    assert Path(one["path"]).is_dir()


def test_show_tells_people_the_same(full: Any) -> None:
    one = model(full)
    text = full("show", one["ref"][:10]).stdout
    for expected in (one["ref"], one["path"], one["derivation"], "depth  2", "deep/weights.bin", "chosen by latest()"):
        assert expected in text
    assert str(one["runs"][0]["seed"]) in text
    assert one["runs"][0]["host"] in text
    assert "score=" in text


def test_show_of_a_promise_as_input(cli: Any) -> None:
    (cli.directory / "part.py").write_text(
        "from flow import numbers, stage\n"
        "@stage\ndef part(parts: object = {'x': [numbers().table], 'n': 3}) -> None: ...\n"
    )
    cli("realize", "part.py:part")
    (one,) = cli.json("show", "part.py:part")["realizations"]
    assert [(i["label"], i["promise"]) for i in one["inputs"]] == [("parts['x'][0]", "table")]
    assert "parts['x'][0]  numbers.table" in cli("show", "part.py:part").stdout


def test_a_derivation_can_be_shown(full: Any) -> None:
    one = model(full)
    document = full.json("show", one["derivation"][:12])["derivations"][0]
    assert one["ref"] in document["realizations"]
    assert json.loads(Path(document["path"]).read_text())["params"] == document["params"]
    text = full("show", one["derivation"]).stdout
    assert "depth  2" in text
    assert "-numbers" in text
    assert one["ref"] in text


def test_a_failed_run_can_be_shown(full: Any) -> None:
    name = next((full.store / "failed").iterdir()).name
    for target in (name, f"failed/{name}", name[:12]):
        (one,) = full.json("show", target)["failures"]
        assert (one["stage"], one["params"], one["run"]) == ("broken", {"x": 1}, 0)
        assert one["log"] == "about to fail\n"
    text = full("show", name).stdout
    for expected in (
        "ValueError: no \\x1b[31mway",
        "x  1",
        f"seed {one['seed']}",
        "about to fail",
        one["path"],
        "in broken",
    ):
        assert expected in text
    assert full("log", name).stdout == "about to fail\n"
    assert "names no failed run" in full("show", "failed/nothing", code=2).stderr


def test_artifacts_with_a_path_of_the_store_are_told(cli: Any) -> None:
    (cli.directory / "leak.py").write_text(
        "from flow import *\n@stage\ndef leak(data: Dep = numbers(), out: Path = promise('leak.txt')) -> None:\n"
        "    out.write_text(f'see {data.path}')\n    (out.parent / 'link').symlink_to(data.table)\n"
    )
    cli("realize", "leak.py:leak")
    assert cli.json("show", "leak.py:leak")["realizations"][0]["contains_store_path"] == ["leak.txt", "link"]
    assert "2 artifacts with a path of the store inside" in cli("show", "leak.py:leak").stdout
    assert cli.json("show", "flow.py:numbers")["realizations"][0]["contains_store_path"] == []


def test_names_from_the_store_cannot_reach_the_terminal(cli: Any) -> None:
    (cli.directory / "odd.py").write_text(
        "from flow import *\n@stage\ndef odd(build: Build, text: str = '\\x1b[2J') -> str:\n"
        "    (build.out / 'a\\x1b[31m\\nb').write_text('x')\n"
        "    print('\\x1b]0;title\\x07 over\\u202eridden')\n"
        "    return '\\x1b[5m'\n"
    )
    cli("realize", "odd.py:odd")
    for command in ("show", "log", "tree"):
        text = cli(command, "odd.py:odd").stdout
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
        assert "\\x1b" in text
    assert "\x1b" not in cli("ls").stdout
    assert cli.json("show", "odd.py:odd")["realizations"][0]["artifacts"][0]["path"] == "a\x1b[31m\nb"


def test_what_is_not_realized_cannot_be_shown(full: Any) -> None:
    for command in ("show", "log", "tree", "path"):
        done = full(command, "flow.py:slow", code=2)
        assert "not realized in this store" in done.stderr
        assert "pylightnix realize" in done.stderr
    waiting = full("show", "flow.py:model", "--set", "depth=9", code=2)
    assert "model" in waiting.stderr


def test_looking_writes_nothing(full: Any) -> None:
    def everything() -> dict[str, int]:
        return {str(path): path.lstat().st_mtime_ns for path in full.store.rglob("*")}

    before = everything()
    for command in ("show", "log", "tree", "path", "plan"):
        full(command, "flow.py:report")
    full("ls")
    assert everything() == before


def test_log_of_the_newest_run_or_of_another(cli: Any) -> None:
    (cli.directory / "loud.py").write_text(
        "from flow import *\n@stage\ndef loud(build: Build) -> None:\n    print('run', build.run, end='\\tend\\n')\n"
    )
    cli("realize", "loud.py:loud")
    cli("realize", "loud.py:loud", "--rebuild", "loud")
    assert cli("log", "loud.py:loud").stdout == "run 1   end\n"
    assert cli("log", "loud.py:loud", "--run", "0").stdout == "run 0   end\n"
    assert cli.json("log", "loud.py:loud")["logs"][0]["log"] == "run 1\tend\n"
    done = cli("log", "loud.py:loud", "--run", "7", code=2)
    assert "runs: 0, 1" in done.stderr
    cli("realize", "flow.py:report")
    quiet = cli("log", "flow.py:report")
    assert (quiet.stdout, "nothing was written" in quiet.stderr) == ("", True)


def test_path_of_everything_and_of_a_promise(full: Any) -> None:
    ref = model(full)["ref"]
    assert full("path", ref).stdout == f"{full.store}/store/{ref}\n"
    assert full("path", ref, "weights").stdout == f"{full.store}/store/{ref}/deep/weights.bin\n"
    done = full("path", ref, "wieghts", code=2)
    assert "its promises: weights" in done.stderr
    paths = full.json("path", "flow.py:all_models")["paths"]
    assert len({one["path"] for one in paths}) == 2


def test_paths_are_given_to_programs_byte_by_byte(cli: Any) -> None:
    odd = cli.directory / os.fsdecode(b"st\xffore \xc3\xa4")
    cli("realize", "flow.py:numbers", "--store", odd)
    done = cli.shell("cat \"$(pylightnix path --store $'st\\xffore \\xc3\\xa4' flow.py:numbers table)\"")
    assert done.stdout == "0 1 2"


@pytest.mark.parametrize("damage", ["manifest.jsonl", "record.json"])
def test_damage_is_an_error_and_not_a_traceback(cli: Any, damage: str) -> None:
    ref = cli.json("realize", "flow.py:numbers")["realizations"][0]["ref"]
    (file,) = cli.store.glob(f"records/*/*/{damage}")
    file.chmod(0o644)
    file.write_text("{")
    done = cli("show", ref, code=None)
    assert done.returncode == (1 if damage.startswith("manifest") else 2)
    assert "Traceback" not in done.stderr
    assert damage in done.stderr


def test_an_integer_of_more_digits_than_python_writes_is_shown_by_its_size(cli: Any) -> None:
    (cli.directory / "large.py").write_text(
        "from pylightnix import Dep, stage\n"
        "@stage\ndef large(n: int = 10**6000) -> int:\n    return n\n"
        "@stage\ndef report(d: Dep = large(), n: object = (-10**6000, 2)) -> object:\n    return [d.value]\n"
    )
    cli("realize", "large.py:report")
    size = "int of 19932 bits"
    assert cli("ls").stdout.count(size) == 2
    assert cli("show", "large.py:large").stdout.count(size) == 2
    assert "(<int of 19932 bits>, 2)" in cli("show", "large.py:report").stdout
    assert cli("tree", "large.py:report").stdout.count(size) == 2
    (one,) = cli.json("show", "large.py:large")["realizations"]
    assert int(one["value"]["$int"], 16) == 10**6000
