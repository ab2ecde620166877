"""Commits of real git repositories as inputs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Store, plan, realize
from pylightnix.errors import BuildError, ConfigError
from pylightnix.stages import checkout, git_checkout

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s")


class Repo:
    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "--quiet")

    def git(self, *arguments: str) -> str:
        who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, body: str) -> str:
        (self.path / "deep").mkdir(exist_ok=True)
        (self.path / "deep" / "a.txt").write_text(body, newline="")
        (self.path / "run").write_text("true\n")
        (self.path / "run").chmod(0o755)
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "project.git")


@pytest.mark.parametrize("isolation", [None, "process"])
def test_the_files_of_a_commit(
    tmp_path: Path, store: Store, repo: Repo, isolation: Any, recwarn: pytest.WarningsRecorder
) -> None:
    first = repo.commit("one\r\n")
    repo.commit("two")
    made = realize(git_checkout(repo.path, first), store=store, isolation=isolation, strict=True, quiet=True)
    assert made.name == "project"
    assert sorted(os.listdir(made.directory)) == ["deep", "run"]
    assert (made.directory / "deep" / "a.txt").read_bytes() == b"one\r\n"
    assert os.access(made.directory / "run", os.X_OK)
    assert [str(one.message) for one in recwarn if "did not declare" in str(one.message)] == []


def test_the_place_does_not_count(tmp_path: Path, store: Store, repo: Repo) -> None:
    rev = repo.commit("one")
    realize(git_checkout(repo.path.as_uri(), rev), store=store, quiet=True)
    assert not plan(git_checkout("https://example.org/elsewhere/project", rev.upper()), store=store).work


def test_a_tilde_is_the_home_directory(store: Store, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    rev = repo.commit("one")
    monkeypatch.setenv("HOME", str(repo.path.parent))
    made = realize(git_checkout(f"~/{repo.path.name}", rev), store=store, quiet=True)
    assert (made.directory / "deep" / "a.txt").read_text() == "one"


def test_a_commit_that_no_branch_has_any_more(store: Store, repo: Repo) -> None:
    lost = repo.commit("one")
    repo.git("commit", "--quiet", "--amend", "-m", "other")
    made = realize(git_checkout(repo.path, lost), store=store, quiet=True)
    assert (made.directory / "deep" / "a.txt").read_text() == "one"


def test_a_commit_without_files(store: Store, repo: Repo) -> None:
    repo.git("commit", "--quiet", "--allow-empty", "-m", "x")
    made = realize(git_checkout(repo.path, repo.git("rev-parse", "HEAD")), store=store, quiet=True)
    assert os.listdir(made.directory) == []


def test_what_is_not_there_is_told(tmp_path: Path, store: Store, repo: Repo) -> None:
    repo.commit("one")
    with pytest.raises(BuildError, match="has no commit"):
        realize(git_checkout(repo.path, "0" * 39 + "1"), store=store, quiet=True)
    with pytest.raises(BuildError, match="is a tree, not a commit"):
        realize(git_checkout(repo.path, repo.git("rev-parse", "HEAD^{tree}")), store=store, quiet=True)
    with pytest.raises(BuildError, match=r"^none failed: git fetch failed: .*; .*\n  git ls-remote"):
        realize(git_checkout(tmp_path / "none", "0" * 39 + "1"), store=store, quiet=True)


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/project"


def test_a_silent_server_is_given_up(store: Store, silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout, "_SILENCE", 1)
    begun = time.monotonic()
    with pytest.raises(BuildError, match="git fetch failed"):
        realize(git_checkout(silent, "0" * 40), store=store, quiet=True)
    assert time.monotonic() - begun < 20


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no /proc to see processes in")
def test_whoever_is_interrupted_leaves_nothing_behind(tmp_path: Path, silent: str) -> None:
    code = (
        "from pylightnix import realize\nfrom pylightnix.stages import git_checkout\n"
        f"realize(git_checkout('{silent}', '0' * 40), store='s', quiet=True)"
    )
    running = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL)
    helpers = until_there(lambda: below(running.pid, "git-remote-http"))
    running.send_signal(signal.SIGINT)
    assert running.wait(10) != 0
    until_there(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in helpers))


def until_there(found: Callable[[], Any]) -> Any:
    until = time.monotonic() + 10
    while not (seen := found()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return seen


def below(parent: int, program: str) -> list[int]:
    """Processes of this program that a process began, itself or through others."""
    family, found = {parent}, []
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/stat").read_text()
            if int(status.rpartition(")")[2].split()[1]) in family:
                family.add(pid)
                if program in status.partition(")")[0]:
                    found.append(pid)
    return found


def test_settings_of_a_person_do_not_count(
    tmp_path: Path, store: Store, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    rev = repo.commit("one\n")
    (tmp_path / "config").write_text("[core]\n\tautocrlf = true\n\teol = crlf\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    made = realize(git_checkout(repo.path, rev), store=store, quiet=True)
    assert (made.directory / "deep" / "a.txt").read_bytes() == b"one\n"


@pytest.mark.parametrize(
    ("repo", "rev", "told"),
    [
        ("https://example.org/x", "main", "no commit"),
        ("https://example.org/x", "abc1234", "no commit"),
        ("--upload-pack=evil", "0" * 40, "no repository"),
        ("ext::sh -c evil", "0" * 40, "no repository"),
        ("https://me:secret@example.org/x", "0" * 40, "password"),
        ("https://secret@example.org/x", "0" * 40, "password"),
        ("", "0" * 40, "no repository"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(repo: str, rev: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as failure:
        git_checkout(repo, rev)
    assert "secret" not in str(failure.value)
