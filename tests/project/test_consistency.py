"""Facts that stand in two places are the same in both: version, commands, pinned packages, the quickstart."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

import pylightnix

PROJECT = Path(__file__).parents[2]
METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def read(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def pinned() -> dict[str, str]:
    lines = [line for line in read("requirements-dev.txt").splitlines() if line and not line.startswith("#")]
    requirements = [Requirement(line) for line in lines]
    assert all(re.fullmatch(r"==[\d.]+", str(one.specifier)) for one in requirements), "exact versions only"
    return {one.name.lower(): str(one.specifier).removeprefix("==") for one in requirements}


def test_the_version_is_one() -> None:
    version = METADATA["project"]["version"]
    assert pylightnix.__version__ == version
    heading = re.search(r"^## (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    assert heading is not None
    if Version(version).is_prerelease:
        assert heading.group(1) == "Unreleased"
    else:
        assert heading.group(1).startswith(f"{version} ")


def test_what_development_needs_is_pinned() -> None:
    direct = [*METADATA["project"]["dependencies"], *METADATA["dependency-groups"]["dev"]]
    direct += METADATA["build-system"]["requires"]
    versions = pinned()
    for requirement in map(Requirement, direct):
        assert requirement.name in versions, f"{requirement.name} is missing in requirements-dev.txt"
        assert requirement.specifier.contains(versions[requirement.name]), requirement


def test_commands_of_the_readme_are_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        named = set(
            re.findall(r"\bmake ([a-z-]+)\b", " ".join(re.findall(r"`[^`]+`|^make.*$", read(page), re.MULTILINE)))
        )
        assert named, page
        assert named <= targets, page
    assert {"demo", "test", "test-optimized", "test-user", "check", "bench", "clean", "lowest"} <= targets


def test_continuous_integration_runs_the_tests_and_nothing_else() -> None:
    commands = [line for line in read(".ci/run").splitlines() if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "exec make test"]
    assert (PROJECT / ".ci" / "run").stat().st_mode & 0o111


def test_the_quickstart_is_the_example() -> None:
    """The stages of the README are those of the demo; only how they are started differs."""
    start = 'if __name__ == "__main__":'
    shown = re.search(r"```python file=digits.py\n(.*?)```", read("README.md"), re.DOTALL)
    assert shown is not None
    shown_stages = shown.group(1).partition(start)[0]
    example = read("examples/digits.py").partition(start)[0]
    assert shown_stages == example.replace("from argparse import ArgumentParser\n", "")
