"""Under `python -O` the asserts of tests and of contract suites count, those of the package are gone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pylightnix
from pylightnix.model.build import BuildResult, Failure
from pylightnix.testing.bench import value_of

PACKAGE = Path(pylightnix.__file__).parent


def test_an_assert_of_a_test_counts() -> None:
    with pytest.raises(AssertionError):
        assert not PACKAGE


def test_an_assert_of_a_contract_suite_counts() -> None:
    with pytest.raises(AssertionError):
        value_of(BuildResult(Failure("exit", "why"), None, "", 0.0, {}))


def test_an_assert_of_the_package_is_for_a_bug_of_ours() -> None:
    """So nothing that a user or a disk can do goes unnoticed without it."""
    found = 0
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Assert) and "testing" not in file.parts:
                found += 1
                assert "BUG: " in ast.unparse(node.msg or node), f"{file}:{node.lineno}"
    assert found
