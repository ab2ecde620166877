"""Prints the oldest version of each dependency that pyproject.toml allows, as requirements."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lowest(requirement: str) -> str:
    """`name==version` for a requirement with one lower bound."""
    parsed = Requirement(requirement)
    [version] = [s.version for s in parsed.specifier if s.operator == ">="]
    return f"{parsed.name}=={version}"


if __name__ == "__main__":
    print("\n".join(map(lowest, tomllib.loads(PROJECT.read_text())["project"]["dependencies"])))
