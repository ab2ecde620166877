"""The hook in C passes on what may matter and nothing else; without it everything works as well.

A hook stays in a process for ever, so each test has a process of its own.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import pylightnix

PACKAGE = Path(pylightnix.__file__).parent
PROJECT = Path(__file__).parents[2]
IS_COMPILED = importlib.util.find_spec("pylightnix.executors._glance") is not None

BEGIN = """
import os, sys
from pylightnix.executors import _glance
seen = []
_glance.install(lambda event, arguments: seen.append((event, arguments[0])), frozenset({"open", "os.mkdir", "ours"}))
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    if not IS_COMPILED:
        pytest.skip("it was not compiled")
    return subprocess.run([sys.executable, "-c", BEGIN + script], capture_output=True, text=True, check=False)


def printed(script: str) -> str:
    done = run(script)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_there_where_it_can_be_compiled() -> None:
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    if shutil.which("cc") is None or not header.exists() or sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("nothing can compile it")
    assert IS_COMPILED


def test_what_is_opened_in_a_clear_directory_is_not_passed_on(tmp_path: Path) -> None:
    for folder in ("clear", "clear/below", "other"):
        Path(tmp_path, folder).mkdir()
        Path(tmp_path, folder, "x").write_text("x")
    script = f"""
os.chdir({str(tmp_path)!r})
clear = {{{f"{tmp_path}/clear"!r}, ""}}
_glance.watch(clear)
for path in ({f"{tmp_path}/clear/x"!r}, {f"{tmp_path}/clear/below/x"!r}, "other/x", {f"{tmp_path}/other/x"!r}):
    open(path).close()
open(b"other/x").close()
clear.add("other")
open("other/x").close()
_glance.watch(None)
open("other/../other/x").close()
print([path for event, path in seen if event == "open"])
"""
    expected = [f"{tmp_path}/clear/below/x", "other/x", f"{tmp_path}/other/x", b"other/x"]
    assert printed(script) == f"{expected}\n"


def test_a_name_without_a_directory_is_passed_on(tmp_path: Path) -> None:
    script = f"os.chdir({str(tmp_path)!r}); _glance.watch({{''}}); open('x', 'w').close(); _glance.watch(None)"
    assert printed(f"{script}; print(seen)") == "[('open', 'x')]\n"


def test_other_events_are_passed_on_if_they_are_wanted(tmp_path: Path) -> None:
    script = f"""
_glance.watch(set())
os.mkdir({f"{tmp_path}/made"!r})
os.listdir({str(tmp_path)!r})
sys.audit("ours", 1)
sys.audit("others", 2)
sys.audit("open", 3)
print(seen)
"""
    assert printed(script) == f"[('os.mkdir', '{tmp_path}/made'), ('ours', 1), ('open', 3)]\n"


def test_what_the_hook_raises_is_raised_where_the_event_is() -> None:
    done = run("_glance.watch(set()); sys.audit('open')")
    assert done.stderr.endswith("IndexError: tuple index out of range\n")


def test_a_debugger_is_not_led_into_the_hook() -> None:
    script = """
def hook(event, arguments):
    names.append(sys._getframe().f_code.co_name)
def trace(frame, event, argument):
    traced.append(frame.f_code.co_name)
    return trace
def audited():
    sys.audit("ours", 1)
names, traced = [], []
_glance.install(hook, frozenset({"ours"}))
_glance.watch(set())
sys.settrace(trace)
audited()
sys.settrace(None)
print(names, set(traced))
"""
    assert printed(script) == "['hook'] {'audited'}\n"


@pytest.mark.parametrize("given", ["[]", "frozenset()", "'x'", "1"])
def test_directories_are_a_set(given: str) -> None:
    done = run(f"_glance.watch({given})")
    assert "TypeError: a set or None" in done.stderr


def test_a_fork_and_the_end_while_something_is_watched() -> None:
    script = """
_glance.watch(set())
if os.fork() == 0:
    sys.audit("ours", 1)
    os._exit(len(seen))
print(os.waitstatus_to_exitcode(os.wait()[1]), len(seen), flush=True)
"""
    assert printed(script) == "1 0\n"


def test_without_it_as_much_is_seen(tmp_path: Path) -> None:
    """The contract of what every executor finds, with a package that has nothing compiled in it."""
    shutil.copytree(PACKAGE, tmp_path / "pylightnix", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    told = "import pylightnix; from pylightnix.executors import watching; print(pylightnix.__file__, watching._glance)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    tests = ["tests/executors/test_inline.py", "tests/session/test_undeclared.py"]
    for words, expected in (
        (["-c", told], f"{tmp_path}/pylightnix/__init__.py None"),
        (["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", "ndeclared", *tests], " passed"),
    ):
        done = subprocess.run(
            [sys.executable, *words], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert expected in done.stdout
