"""Code identity in a real IPython shell: cells, magics, and things that are defined again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("IPython")

SHELL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from pylightnix.dsl.code import identify

if sys.argv[1] == "kernel":
    from ipykernel.compiler import XCachingCompiler
    InteractiveShell.compiler_class = XCachingCompiler
shell = InteractiveShell.instance()
found = []
for cell in json.loads(sys.stdin.read()):
    if cell == "?":
        identity = identify(shell.user_ns["builder"])
        found.append([identity.digest, sorted(identity.parts), [each.name for each in identity.unfollowed]])
    else:
        shell.run_cell(cell, store_history=True, silent=False).raise_error()
print("found: " + json.dumps(found))
"""


def run(kind: str, cells: list[str], folder: Path) -> list[Any]:
    """What the builder is wherever a cell is a question mark: digest, labels, names not followed."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", SHELL, kind],
        input=json.dumps(cells), capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "IPYTHONDIR": str(folder / "ipython")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    found: list[Any] = json.loads(done.stdout.rpartition("found: ")[2])
    return found


HELPER = "def helper(x):\n    return x + K"
SHELLS = pytest.mark.parametrize("kind", ["terminal", "kernel"])


@SHELLS
def test_a_helper_defined_again_counts_by_what_it_says(kind: str, tmp_path: Path) -> None:
    cells = ["K = 3", HELPER, "def builder(x):\n    return helper(x)", "?"]
    cells += ["# a comment\n" + HELPER.replace("return", "# why\n    return"), "?"]
    cells += [HELPER.replace("+", "-"), "?", HELPER, "?", "K = 4", "?", "K = 3", "?"]
    found = run(kind, cells, tmp_path)
    assert [labels for _, labels, _ in found] == [["K", "builder", "helper"]] * 6
    first, comment, other, back, constant, again = (digest for digest, _, _ in found)
    assert first == comment == back == again
    assert len({first, other, constant}) == 3


@SHELLS
def test_cells_with_magics_are_followed(kind: str, tmp_path: Path) -> None:
    cell = "%time x = 1\ndef builder(x):\n    !true\n    %cd .\n    return x + {}\n"
    (one, _, listed), (other, _, _) = run(kind, [cell.format(1), "?", cell.format(2), "?"], tmp_path)
    assert one != other
    assert [name for name in listed if not name.startswith("get_ipython")] == []


@SHELLS
def test_classes_without_methods_are_found_in_the_cell_that_made_them(kind: str, tmp_path: Path) -> None:
    record = "from dataclasses import dataclass\n@dataclass\nclass Record:\n    rate: float = {}\n"
    plain = "class Plain:\n    rate = {}\n"
    cells = [record.format(1), plain.format(1), "def builder(): return Record(), Plain.rate", "?"]
    cells += [record.format(2), "?", record.format(1), "?", plain.format(2), "?", plain.format(1), "?"]
    first, record2, record1, plain2, plain1 = (digest for digest, _, _ in run(kind, cells, tmp_path))
    assert first == record1 == plain1
    assert len({first, record2, plain2}) == 3


@SHELLS
def test_lambdas_and_closures_of_a_cell_are_told_apart(kind: str, tmp_path: Path) -> None:
    cells = ["fs = [lambda x: x + 1, lambda x: x + 2]", "builder = fs[0]", "?", "builder = fs[1]", "?"]
    cells += ["def make(k): return lambda x: x + k", "builder = make(1)", "?", "builder = make(2)", "?"]
    assert len({digest for digest, _, _ in run(kind, cells, tmp_path)}) == 4


def test_a_module_loaded_again_by_autoreload_counts(tmp_path: Path) -> None:
    text = "class C:\n    x: int = 1\n    def f(self): return {}\ndef helper(): return C().f()\n"
    write = "import pathlib, time; pathlib.Path('tools.py').write_text({!r}); time.sleep(0.01)"
    cells = [
        "%load_ext autoreload",
        "%autoreload 2",
        "import sys; sys.path.insert(0, '.')",
        write.format(text.format(1)),
    ]
    cells += ["import tools\ndef builder(): return tools.helper()", "?", write.format(text.format(22)), "1", "?"]
    (one, labels, _), (other, others, _) = run("terminal", cells, tmp_path)
    assert one != other
    assert labels == others == ["C", "C.f", "builder", "helper"]
