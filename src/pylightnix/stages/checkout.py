"""A stage that brings in the files of one commit of a git repository. The commit says which; the place only where."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pylightnix.dsl.derivation import Derivation
from pylightnix.errors import ConfigError, FetchError
from pylightnix.model.addresses import CERTIFICATES, PROXIES
from pylightnix.model.build import Build
from pylightnix.model.promises import Promise
from pylightnix.names import name_like, printable
from pylightnix.stages.processes import grouped

_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4"
"""Asks nobody anything, and gives up a server that is silent for a minute."""
_SILENCE = 60
"""Seconds of silence after which a web server is given up."""
_PASSED = (*PROXIES, *CERTIFICATES, "SSH_AUTH_SOCK", "PATH")


def git_checkout(repo: str | os.PathLike[str], rev: str, *, name: str | None = None) -> Derivation[None]:
    """The files of a commit, as an input: its promise `directory` has them, without `.git`.

    Git itself sees that they are those of this commit. Submodules stay empty, and files kept by git-lfs stay pointers.

    Args:
        repo: an address that git knows (https, http, ssh, git, file), or a directory of this machine.
        rev: the commit, all 40 (or 64) digits; names of branches and tags move, so they cannot say what is meant.
        name: of the derivation; default the last part of the address, without `.git`.

    Raises:
        ConfigError: that is no commit, or no address, or one with a password in it.
    """
    where = f"git_checkout({printable(_plain(repo))!r})"
    place = os.fspath(repo)
    if not isinstance(place, str) or not place or place.startswith("-") or "\0" in place or "::" in place:
        raise ConfigError("this is no repository", where=where, hint="an address, or a directory of this machine")
    if re.match(r"(?i)https?://[^/?#]*@|[a-z+]+://[^/@]*:[^/@]*@", place):
        raise ConfigError(
            "the address has a password in it", where=where,
            hint="everybody who lists processes would see it; ssh with an agent needs none",
        )  # fmt: skip
    if not isinstance(rev, str) or not _COMMIT.fullmatch(rev.lower()):
        raise ConfigError(
            f"rev={rev!r} is no commit: all its digits are needed", where=where,
            hint="`git ls-remote <repo> <branch or tag>` prints them",
        )  # fmt: skip
    place = os.path.expanduser(place)
    local = "://" not in place and (os.path.isabs(place) or os.path.isdir(place))
    if local:
        place = os.path.abspath(place)
    last = re.split("[/:]", place.rstrip("/"))[-1].removesuffix(".git")
    return Derivation(
        name=name or name_like(last, "checkout"),
        builder=functools.partial(_check_out, place=place),
        params={"rev": rev.lower()},
        promises={"directory": Promise("checkout", "directory", empty=True)},
        version="git_checkout/1",
        network=True,
        reads=[place] if local else [],
        pass_variables=_PASSED,
    )


def _check_out(build: Build, rev: str, directory: Path, *, place: str) -> None:
    git = _Git(build.scratch / "git", build.scratch)
    build.scratch.joinpath("git").mkdir()
    git("init", "--quiet", "--bare", "--template=", f"--object-format={'sha1' if len(rev) == 40 else 'sha256'}", ".")
    try:
        git("fetch", "--quiet", "--no-tags", "--depth=1", place, rev)
    except FetchError:  # some servers give only what has a name
        git("fetch", "--quiet", "--no-tags", place, "+refs/*:refs/all/*")
    try:
        kind = git("cat-file", "-t", rev).strip()
    except FetchError:
        raise FetchError(f"{_plain(place)} has no commit {rev}", hint="perhaps it was not pushed yet") from None
    if kind != "commit":
        raise FetchError(f"{rev} is a {kind}, not a commit", hint="`git rev-parse <name>^{commit}` prints the commit")
    git("--work-tree", str(directory), "checkout", "--quiet", "--force", rev, "--", ".", empty=True)
    shutil.rmtree(build.scratch / "git")


class _Git:
    """Runs git in a bare repository, with none of the settings of whoever runs it."""

    def __init__(self, place: Path, home: Path) -> None:
        self._place = place
        self._environment: Mapping[str, str] = {
            **{name: os.environ[name] for name in _PASSED if name in os.environ},
            "HOME": str(home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_SSH_COMMAND": _SSH,
            "GIT_HTTP_LOW_SPEED_LIMIT": "1",
            "GIT_HTTP_LOW_SPEED_TIME": str(_SILENCE),
            "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
            "GIT_DIR": str(place),
            # The repository of another user of this machine may be read: what it says is checked by its hash.
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_CONFIG_KEY_1": "core.autocrlf",
            "GIT_CONFIG_VALUE_1": "false",
        }

    def __call__(self, *arguments: str, empty: bool = False) -> str:
        try:
            with grouped(["git", *arguments], self._place, self._environment, errors=subprocess.PIPE) as process:
                output, errors = process.communicate()
        except FileNotFoundError:
            raise FetchError("git is not installed", hint="install git") from None
        said = errors.decode(errors="backslashreplace").strip()
        if process.returncode and not (empty and "did not match any file" in said):
            command = next(a for a in arguments if not a.startswith("-"))
            lines = [printable(line) for line in said.splitlines() if line.strip()]
            raise FetchError(
                f"git {command} failed: {'; '.join(lines)}", hint="git ls-remote <repo> shows whether it can be read"
            )
        return output.decode(errors="backslashreplace")


def _plain(place: object) -> str:
    """An address for people, without a name or password in it."""
    return re.sub(r"(?<=://)[^/@]*@", "", str(place))
