"""How files and modules of the user's are loaded, and how mistakes in them are shown."""

from __future__ import annotations

from typing import Any

import pytest


def write(cli: Any, name: str, text: str) -> None:
    (cli.directory / name).parent.mkdir(parents=True, exist_ok=True)
    (cli.directory / name).write_text(text)


def test_a_file_alone_lists_its_stages(cli: Any) -> None:
    done = cli("plan", "flow.py", code=2)
    assert "flow.py:numbers, flow.py:model, flow.py:report" in done.stderr
    assert "flow.py:few" in done.stderr
    empty = cli("plan", "conf.py", code=2)
    assert "there is no file conf.py" in empty.stderr
    write(cli, "conf.py", "x = 1\n")
    assert "conf.py has no stages" in cli("plan", "conf.py", code=2).stderr


def test_an_unknown_name_lists_the_stages(cli: Any) -> None:
    done = cli("plan", "flow.py:modle", code=2)
    assert "did you mean model?" in done.stderr
    assert "flow.py:report" in done.stderr
    assert "its promises: weights" in cli("plan", "flow.py:model.wieghts", code=2).stderr
    assert "there is no 'x' in flow:Group" in cli("plan", "flow:Group.x", code=2).stderr


def test_what_is_beside_a_file_can_be_imported(cli: Any) -> None:
    write(cli, "deep/settings.py", "COUNT = 6\n")
    write(
        cli,
        "deep/inner.py",
        "from pylightnix import stage\nfrom settings import COUNT\n@stage\ndef six() -> int:\n    return COUNT\n",
    )
    for executor in ("inline", "process"):
        done = cli.json("realize", "deep/inner.py:six", "--executor", executor, "--store", executor)
        assert done["realizations"][0]["value"] == 6


def test_a_module_is_found_from_the_working_directory(cli: Any) -> None:
    write(cli, "package/__init__.py", "")
    write(cli, "package/settings.py", "COUNT = 7\n")
    write(
        cli,
        "package/stages.py",
        "from pylightnix import stage\nfrom .settings import COUNT\n@stage\ndef seven() -> int:\n    return COUNT\n",
    )
    assert cli.json("realize", "package.stages:seven")["realizations"][0]["value"] == 7
    relative = cli("realize", "package/stages.py:seven", code=2)
    assert "attempted relative import" in relative.stderr


def test_the_name_is_that_of_an_import_and_the_main_part_does_not_run(cli: Any) -> None:
    write(
        cli,
        "named.py",
        "import sys\nfrom pylightnix import stage\n"
        "@stage\ndef name() -> list[str]:\n    return [__name__, sys.path[0]]\n"
        "if __name__ == '__main__':\n    1 / 0\n",
    )
    assert cli.json("realize", "named.py:name")["realizations"][0]["value"] == ["named", str(cli.directory)]


def test_a_stage_is_the_same_from_file_and_module(cli: Any) -> None:
    cli("realize", "flow.py:report")
    assert cli.json("plan", "flow:report")["counts"] == {"reuse": 3}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def f():\n    1 / 0\n\nf()\n", ["ZeroDivisionError", "line 4, in <module>", "line 2, in f"]),
        ("import nowhere_to_be_found\n", ["No module named 'nowhere_to_be_found'", "line 1"]),
        ("x = = 1\n", ["SyntaxError", "x = = 1"]),
        ("x = b'\\xff'.decode()\n", ["UnicodeDecodeError"]),
        ("class A: ...\nA().b\n", ["AttributeError", "line 2"]),
        (
            "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e\n",
            ["direct cause", "KeyError"],
        ),
        ("import sys\nsys.exit(3)\n", ["ended the program while it was loaded", "__main__"]),
    ],
)
def test_a_mistake_in_the_file_is_shown_with_its_own_traceback(cli: Any, text: str, told: list[str]) -> None:
    write(cli, "wrong.py", text)
    done = cli("realize", "wrong.py:x", code=2)
    assert all(part in done.stderr for part in told), done.stderr
    assert "importlib" not in done.stderr
    assert "/pylightnix/" not in done.stderr


def test_an_error_of_the_package_says_where_in_the_file(cli: Any) -> None:
    write(cli, "wrong.py", "from flow import model\n\nbad = model(depth={1, 2})\n")
    done = cli("realize", "wrong.py:bad", code=2)
    assert "error: model(depth): a set is no configuration value" in done.stderr
    assert "wrong.py, line 3" in done.stderr


def test_an_error_in_a_composing_function_is_the_users(cli: Any) -> None:
    write(cli, "wrong.py", "def compose():\n    return [][1]\n")
    done = cli("realize", "wrong.py:compose", code=2)
    assert "IndexError" in done.stderr
    assert "line 2, in compose" in done.stderr


def test_a_file_cannot_stand_in_for_a_module_in_use(cli: Any) -> None:
    write(cli, "json.py", "x = 1\n")
    done = cli("realize", "./json.py:x", code=2)
    assert "rename the file" in done.stderr


def test_a_missing_module_is_not_a_traceback(cli: Any) -> None:
    done = cli("plan", "no_such_package.stages:x", code=2)
    assert "there is no module no_such_package" in done.stderr
    assert "Traceback" not in done.stderr
    write(cli, "outer.py", "import no_such_package\n")
    nested = cli("plan", "outer:x", code=2)
    assert 'outer.py", line 1' in nested.stderr
