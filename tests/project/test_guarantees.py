"""Each test that docs/guarantees.md names is there; each promise names one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "guarantees.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[^`]+)`", PAGE)


@pytest.mark.parametrize("named", sorted(set(NAMED)))
def test_a_test_that_is_named_is_there(named: str) -> None:
    file, _, function = named.partition("::")
    tree = ast.parse((PROJECT / file).read_text(encoding="utf-8"))
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_promise_is_shown() -> None:
    promises = re.split(r"^- ", re.sub(r"^#.*$", "", PAGE, flags=re.MULTILINE), flags=re.MULTILINE)[1:]
    assert len(promises) > 20
    assert [one for one in promises if "`tests/" not in one] == []


def test_no_test_is_named_twice() -> None:
    assert len(NAMED) == len(set(NAMED))
