"""Prints the oldest version of each dependency that pyproject.toml allows, as requirements."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

EXTRAS = ("remote", "serve", "sign")
"""Those of engines have bounds that are the newest there is."""

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lowest(requirement: str) -> str:
    """`name==version` for a requirement with one lower bound."""
    parsed = Requirement(requirement)
    [version] = [s.version for s in parsed.specifier if s.operator == ">="]
    return f"{parsed.name}=={version}"


if __name__ == "__main__":
    project = tomllib.loads(PROJECT.read_text())["project"]
    extras = project["optional-dependencies"]
    print("\n".join(map(lowest, [*project["dependencies"], *(one for name in EXTRAS for one in extras[name])])))
