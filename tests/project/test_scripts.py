"""The checks that are scripts find what they look for."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).parents[2]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PROJECT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestTypingSamples:
    checker = script("typing_samples")

    def test_marks(self) -> None:
        assert self.checker.expected({"a.py": "x = 1\ny()  # expect-error\n"}) == {("a.py", 2)}

    def test_a_mistake_that_is_not_found(self) -> None:
        assert self.checker.differences("mypy", {("a.py", 2)}, {}) == ["a.py:2: mypy finds no error here"]

    def test_an_error_without_a_mark(self) -> None:
        assert self.checker.differences("mypy", set(), {("a.py", 3): "bad"}) == ["a.py:3: mypy: bad"]

    def test_agreement(self) -> None:
        assert self.checker.differences("mypy", {("a.py", 2)}, {("a.py", 2): "bad"}) == []


class TestImportGraph:
    graph = script("import_graph")

    def test_an_edge_that_follows_is_left_out(self) -> None:
        edges = {"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset()}
        assert self.graph.reduced(edges) == {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset()}

    def test_drawing(self) -> None:
        drawing = self.graph.mermaid({"a": frozenset("b"), "b": frozenset()})
        assert drawing == "```mermaid\nflowchart LR\n    a --> b\n```"

    def test_the_page_gets_it_between_the_marks(self) -> None:
        begin, end = self.graph.BEGIN, self.graph.END
        assert self.graph.renewed(f"x\n{begin}\nold\n{end}\ny", "new") == f"x\n{begin}\nnew\n{end}\ny"
        with pytest.raises(SystemExit, match="lacks the marks"):
            self.graph.renewed("x", "new")


class TestLowest:
    def test_bounds(self) -> None:
        assert script("lowest").lowest("rich>=13.0") == "rich==13.0"
