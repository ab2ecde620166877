"""Isolation as those see it who realize: what a stage, a call and the environment say, and what the record says."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Dep, Store, check, promise, realize, stage
from pylightnix.comparison.differences import Verdict
from pylightnix.errors import ExecutorError
from pylightnix.session.examining import examine
from pylightnix.store.examination.observations import Level, Observation
from pylightnix.testing.isolation import need_sandbox

BESIDE = str(Path(__file__).parents[2] / "README.md")


@pytest.fixture
def sandbox() -> None:
    need_sandbox()


@stage
def table(text: Path = promise("table.txt")) -> None:
    text.write_text("1")


@stage(isolation="process")
def shut() -> str:
    return os.getcwd()


@stage(isolation="sandbox")
def sealed(build: Build, data: Dep = table(), copy: Path = promise("copy.txt")) -> dict[str, Any]:
    copy.write_text(data.text.read_text())
    (build.scratch / "left").write_text("left")
    return {"beside": os.path.exists(BESIDE), "files": list(data.files), "cwd": os.getcwd()}


@stage
def open_to_all() -> str:
    return os.getcwd()


def isolation_of(made: Any) -> object:
    return made.runs[0].facts["isolation"]


def leftovers(store: Store) -> list[str]:
    tmp = store.path / "tmp"
    return [name for name in os.listdir(tmp) if name != "checkpoints"] if tmp.exists() else []


def test_each_stage_as_it_says(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    first, second = realize([open_to_all(), shut()], store=store, quiet=True)
    assert (isolation_of(first), isolation_of(second)) == ("none", "process")
    assert first.value == os.getcwd()
    assert Path(second.value).parent == store.path / "tmp"
    assert leftovers(store) == []


def test_a_sandboxed_stage(tmp_path: Path, sandbox: None) -> None:
    store = Store(tmp_path / "store")
    made = realize(sealed(), store=store, quiet=True)
    assert isolation_of(made) == "sandbox"
    assert made.copy.read_text() == "1"
    assert not made.value["beside"]
    assert made.value["files"] == ["table.txt"]
    assert leftovers(store) == []
    assert os.listdir(store.path / "tmp" / "checkpoints") == []


def test_isolation_is_no_part_of_the_identity(tmp_path: Path, sandbox: None) -> None:
    store = Store(tmp_path / "store")
    made = realize(table(), store=store, quiet=True, isolation="sandbox")
    assert isolation_of(made) == "sandbox"
    assert realize(table(), store=store, quiet=True).ref == made.ref


def test_the_call_wins_over_the_stage_and_the_environment_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYLIGHTNIX_ISOLATION", "process")
    assert isolation_of(realize(open_to_all(), store=tmp_path / "one", quiet=True)) == "process"
    assert isolation_of(realize(sealed(), store=tmp_path / "two", quiet=True, isolation="none")) == "none"


def test_what_cannot_be_had_is_told_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage that it needs comes first and could run."""
    monkeypatch.setenv("PATH", str(tmp_path))
    store = Store(tmp_path / "store")
    with pytest.raises(ExecutorError, match=r"sealed .*: there can be no sandbox here") as caught:
        realize(sealed(), store=store, quiet=True)
    assert caught.value.hint
    assert list(store.realizations(table())) == []
    assert leftovers(store) == []
    assert realize(sealed(), store=store, quiet=True, isolation="none").runs  # nothing is held for the refused run


def test_what_is_there_needs_no_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    realize(sealed(), store=store, quiet=True, isolation="none")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert realize([sealed(), open_to_all()], store=store, quiet=True)[0].copy.read_text() == "1"


def test_the_inline_executor_refuses(tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match=r"shut .*isolation='process'"):
        realize([open_to_all(), shut()], store=tmp_path / "store", executor="inline", quiet=True)


def isolations(tmp_path: Path) -> dict[str, Observation]:
    return {one.what.partition(":")[0]: one for one in examine(tmp_path / "store") if one.topic == "isolation"}


def test_the_doctor_says_what_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = isolations(tmp_path)
    assert found["process"].level is Level.GOOD
    assert found["sandbox"].level is Level.NOTE
    assert found["sandbox"].hint


def test_the_doctor_says_that_there_can_be_a_sandbox(tmp_path: Path, sandbox: None) -> None:
    found = isolations(tmp_path)
    assert found["sandbox"].level is Level.GOOD


SCRIPT = """
import sys
import tempfile
from pathlib import Path
from pylightnix import promise, realize, stage
from beside import ANSWER

@stage
def made(table: Path = promise("table.txt")) -> int:
    import late
    table.write_text(str(ANSWER))
    try:
        return len(Path(DATA).read_text())
    except OSError:
        return late.ANSWER

DATA = str(Path(__file__).with_name("data.csv"))

if __name__ == "__main__":
    done = realize(made(), store=sys.argv[1], isolation=sys.argv[2], quiet=True)
    print(done.table.read_text(), done.value)
"""


@pytest.mark.parametrize("isolation", ["process", "sandbox"])
def test_a_script_with_modules_beside_it(tmp_path: Path, isolation: str, request: pytest.FixtureRequest) -> None:
    if isolation == "sandbox":
        request.getfixturevalue("sandbox")
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text("ANSWER = 42\n")
    (tmp_path / "late.py").write_text("ANSWER = 43\n")
    (tmp_path / "data.csv").write_text("data")
    done = subprocess.run(
        [sys.executable, "script.py", str(tmp_path / "store"), isolation],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert ("data.csv, which it did not declare" in done.stderr) == (isolation == "process")
    assert done.stdout.split() == ["42", "4" if isolation == "process" else "43"]


@pytest.mark.parametrize("isolation", ["process", "sandbox"])
def test_packages_that_only_the_search_path_of_the_caller_has(
    tmp_path: Path, isolation: str, request: pytest.FixtureRequest
) -> None:
    """Also those that this package needs itself; as where they are installed below a home."""
    if isolation == "sandbox":
        request.getfixturevalue("sandbox")
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text("ANSWER = 42\n")
    (tmp_path / "late.py").write_text("ANSWER = 43\n")
    done = subprocess.run(
        [sys.executable, "-S", "script.py", str(tmp_path / "store"), isolation],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.split() == ["42", "43"]


@stage(isolation="sandbox")
def uses_all_of_its_own(build: Build, data: Dep = table(), copy: Path = promise("copy.txt")) -> bool:
    """Everything that a builder has is read again by every way of reading, where it is shut in, too."""
    copy.write_text(data.text.read_text())
    for path in (copy, build.out / "a", build.scratch / "b", build.checkpoint / "c", Path("here"), Path("/tmp/d")):
        path.write_text("1")
        path.read_text()
        os.close(os.open(path, os.O_RDWR))
    with tempfile.NamedTemporaryFile("w") as file:
        Path(file.name).read_text()
    return tempfile.gettempdir() == os.environ["TMPDIR"] and tempfile.gettempdir().startswith(str(build.scratch))


@stage(isolation="process")
def also(data: Dep = table()) -> str:
    return data.text.read_text()


@stage
def all_of_them(one: Dep = uses_all_of_its_own(), other: Dep = also()) -> bool:
    return one.value


@pytest.mark.parametrize("jobs", [1, 2])
def test_isolations_side_by_side_give_no_findings(tmp_path: Path, sandbox: None, jobs: int) -> None:
    made = realize(all_of_them(), store=tmp_path / "store", jobs=jobs, strict=True, quiet=True)
    assert made.value
    had = [isolation_of(one) for one in (made, made.deps.one, made.deps.other)]
    assert had == ["none", "sandbox", "process"]


@stage(isolation="process")
def found_out(path: str) -> str:
    return Path(path).read_text() + str(os.environ.get("PLX_ANY"))


def test_findings_of_a_builder_with_surroundings_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("1")
    made = realize(found_out(str(tmp_path / "data")), store=tmp_path / "store", quiet=True)
    assert [one["kind"] for one in made.runs[0].facts["findings"]] == ["file", "variable"]


@stage(isolation="process")
def at_home() -> str:
    Path("left").write_text("1")
    return os.environ["LANG"]


def test_a_check_is_isolated_as_the_stage_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    realize(at_home(), store=store, quiet=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "xx")
    assert check(at_home(), store=store, quiet=True).verdict is Verdict.EQUAL
    assert not Path("left").exists()
    assert check(at_home(), store=store, quiet=True, isolation="none").verdict is Verdict.DIFFERENT
    assert Path("left").exists()
