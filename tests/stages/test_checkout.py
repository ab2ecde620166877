"""Commits of real git repositories as inputs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Store, plan, realize
from pylightnix.errors import BuildError, ConfigError
from pylightnix.stages import git_checkout

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
    with pytest.raises(BuildError, match="git fetch failed"):
        realize(git_checkout(tmp_path / "none", "0" * 39 + "1"), store=store, quiet=True)


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
        ("", "0" * 40, "no repository"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(repo: str, rev: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as failure:
        git_checkout(repo, rev)
    assert "secret" not in str(failure.value)
