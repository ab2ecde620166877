"""What a run's record says of the surroundings; and that nothing of that can lose a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import Store, promise, stage
from pylightnix.session.facts import describe_environment
from pylightnix.session.git import GitState, find_repository

IDENTITY = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]


def git_state(directory: Path) -> dict[str, Any] | None:
    return GitState(directory).get("git")


def git(directory: Path, *words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *IDENTITY, *words], cwd=directory, check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with one commit, and a module in a directory of it."""
    path = tmp_path / "proj ect"
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "module.py").write_text("pass\n")
    git(path, "init", "--quiet")
    git(path, "add", ".")
    git(path, "commit", "--quiet", "-m", "first")
    return path


def test_commit_and_dirtiness(project: Path) -> None:
    commit = git(project, "rev-parse", "HEAD")
    assert git_state(project) == {"commit": commit, "dirty": False}
    (project / "untracked").write_text("x")
    assert git_state(project) == {"commit": commit, "dirty": False}
    (project / "inner" / "module.py").write_text("changed\n")
    assert git_state(project) == {"commit": commit, "dirty": True}
    git(project, "commit", "--quiet", "-am", "second")
    assert git_state(project) == {"commit": git(project, "rev-parse", "HEAD"), "dirty": False}


def test_names_that_are_no_text_change_nothing(project: Path) -> None:
    git(project, "config", "core.quotepath", "false")
    odd = os.fsencode(project) + b"/b\xff"
    with open(odd, "w") as file:
        file.write("x")
    git(project, "add", ".")
    state = git_state(project)
    assert state is not None
    assert state["dirty"] is True


def test_looking_changes_nothing_and_runs_nothing(project: Path, tmp_path: Path) -> None:
    """The index is not refreshed, and a hook that the repository names is not run."""
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
    hook.chmod(0o755)
    git(project, "config", "core.fsmonitor", str(hook))
    before = (project / ".git" / "index").stat().st_mtime_ns
    os.utime(project / "inner" / "module.py", (1, 1))
    assert git_state(project) is not None
    assert not (tmp_path / "ran").exists()
    assert (project / ".git" / "index").stat().st_mtime_ns == before


def test_the_environment_of_a_hook_does_not_mislead(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    for name, value in (("GIT_DIR", ".git"), ("GIT_WORK_TREE", "."), ("GIT_INDEX_FILE", ".git/index")):
        monkeypatch.setenv(name, str(other / value))
    state = git_state(project)
    assert state == {"commit": git(project, "rev-parse", "HEAD"), "dirty": False}


def test_where_there_is_no_commit_or_no_git_there_is_no_state(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert git_state(tmp_path / "none") is None
    (tmp_path / "unborn").mkdir()
    git(tmp_path / "unborn", "init", "--quiet")
    assert git_state(tmp_path / "unborn") is None
    (tmp_path / "broken" / ".git").mkdir(parents=True)
    assert git_state(tmp_path / "broken") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(project) is None
    (tmp_path / "git").write_text("#!/bin/sh\necho no commit\n")
    (tmp_path / "git").chmod(0o755)
    assert git_state(project) is None


def test_the_repository_of_a_file(project: Path, tmp_path: Path) -> None:
    assert find_repository(str(project / "inner" / "module.py")) == project
    assert find_repository(str(project / "inner" / "none.py")) is None
    assert find_repository(str(project / "inner")) is None
    assert find_repository(None) is find_repository("<stdin>") is find_repository("a\0b") is None
    (tmp_path / "worktree").mkdir()
    (tmp_path / "worktree" / ".git").write_text("gitdir: elsewhere")
    (tmp_path / "worktree" / "m.py").write_text("")
    assert find_repository(str(tmp_path / "worktree" / "m.py")) == tmp_path / "worktree"


def install(directory: Path, name: str) -> None:
    (directory / name).mkdir(parents=True)


def test_the_environment_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, "Made_Up-1.5.dist-info")
    install(tmp_path, "old_one-2.0-py3.11.egg-info")
    found = describe_environment()
    assert found["distributions"]["made-up"] == "1.5"
    assert found["distributions"]["old-one"] == "2.0"
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(found) == {"distributions", "implementation", "machine", "python", "system"}
    assert json.loads(json.dumps(found)) == found


def test_it_says_what_importlib_says() -> None:
    """But for distributions whose directory is not named as the standard wants it."""
    from importlib import metadata

    theirs = {}
    for distribution in metadata.distributions():
        theirs.setdefault(distribution.metadata["Name"].replace("_", "-").lower(), distribution.version)
    assert "pytest" in theirs
    assert {name: version for name, version in describe_environment()["distributions"].items() if "." not in name} == {
        name: version for name, version in theirs.items() if "." not in name
    }


def test_what_is_installed_meanwhile_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by %pip in a notebook."""
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "made-up" not in describe_environment()["distributions"]
    install(tmp_path, "made_up-1.5.dist-info")
    assert describe_environment()["distributions"]["made-up"] == "1.5"


def test_of_two_of_one_name_the_imported_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, version in (("behind", "9.0"), ("before", "1.0")):
        install(tmp_path / place, f"made_up-{version}.dist-info")
        monkeypatch.syspath_prepend(str(tmp_path / place))
    assert describe_environment()["distributions"]["made-up"] == "1.0"


def test_what_is_no_installation_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "archive.zip").write_bytes(b"PK")
    for path in (tmp_path, tmp_path / "none", tmp_path / "archive.zip", "a\0b"):
        monkeypatch.syspath_prepend(str(path))
    before = describe_environment()["distributions"]
    for name in ("nameonly.dist-info", ".dist-info", "b\udcff-1.dist-info", "esc\x1b-1.dist-info", "~umpy-1.txt"):
        install(tmp_path, name)
    found = describe_environment()["distributions"]
    assert found == before
    json.dumps(found, ensure_ascii=False).encode()


MODULE = """
from pathlib import Path
from pylightnix import promise, stage

@stage(code="ignore")
def one(n: int = 0, out: Path = promise("out.txt")) -> None:
    out.write_text(str(n))
"""


def test_a_run_notes_them(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "inner" / "made_here.py").write_text(MODULE)
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "stage")
    monkeypatch.syspath_prepend(str(project / "inner"))
    import made_here  # type: ignore[import-not-found]

    store = Store(tmp_path / "s")
    try:
        first, second = pylightnix.realize([made_here.one(1), made_here.one(2)], store=store, quiet=True)
        (project / "inner" / "made_here.py").write_text(MODULE + "# dirty\n")
        third = pylightnix.realize(made_here.one(3), store=store, quiet=True)
    finally:
        del sys.modules["made_here"]
    facts = [realization.runs[0].facts for realization in (first, second, third)]
    commit = git(project, "rev-parse", "HEAD")
    assert [f["git"] for f in facts] == [{"commit": commit, "dirty": dirty} for dirty in (False, False, True)]
    assert len({f["environment"] for f in facts}) == 1
    (file,) = (store.path / "environments").iterdir()
    assert file.name == f"{facts[0]['environment'][:40]}.json"
    assert json.loads(file.read_bytes())["python"] == describe_environment()["python"]


@stage(code="ignore")
def outside(out: Path = promise("out.txt")) -> None:
    out.write_text("1")


def test_without_a_repository_there_is_no_git_in_the_facts(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    end = "done = pylightnix.realize(one(), store=sys.argv[1], quiet=True)\nprint(sorted(done.runs[0].facts))\n"
    script.write_text(f"import sys, pylightnix\n{MODULE}\n{end}")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(tmp_path / "s")], capture_output=True, text=True, check=True,
        cwd=tmp_path,
    )  # fmt: skip
    if not any((parent / ".git").exists() for parent in tmp_path.parents):
        assert "'git'" not in done.stdout
    assert "'environment'" in done.stdout


def test_facts_are_never_part_of_an_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pylightnix.realize(outside(), store=tmp_path / "one", quiet=True)
    install(tmp_path / "more", "made_up-1.5.dist-info")
    monkeypatch.syspath_prepend(str(tmp_path / "more"))
    second: Any = pylightnix.realize(outside(), store=tmp_path / "two", quiet=True)
    assert second.ref == first.ref
    assert second.runs[0].facts["environment"] != first.runs[0].facts["environment"]
