"""Small rules of the normal form that the parsers of some versions of Python hide."""

from __future__ import annotations

import ast

import pytest

from pylightnix.dsl.code.grammar import field_marker, meaningful, text_pieces


def test_texts_of_an_f_string_are_joined_however_the_parser_splits_them() -> None:
    name = ast.Name("x", ast.Load())
    values = [ast.Constant("a"), ast.Constant(""), ast.Constant("b"), name, ast.Constant(""), ast.Constant("c")]
    assert text_pieces(values) == ["ab", name, "c"]
    assert text_pieces([]) == []


@pytest.mark.parametrize(
    ("annotation", "marker"),
    [
        ("int", ""),
        ("ClassVar", "ClassVar"),
        ("ClassVar[int]", "ClassVar"),
        ("typing.ClassVar[int]", "ClassVar"),
        ("'ClassVar[int]'", "ClassVar"),
        ("dataclasses.InitVar[int]", "InitVar"),
        ("KW_ONLY", "KW_ONLY"),
        ("Annotated[ClassVar[int], 3]", "ClassVar"),
        ("list[ClassVar]", ""),
        ("'not ( python'", ""),
        ("a | b", ""),
    ],
)
def test_the_kind_of_a_field(annotation: str, marker: str) -> None:
    assert field_marker(ast.parse(annotation, mode="eval").body) == marker


def test_statements_that_do_nothing() -> None:
    body = ast.parse("'text'\n...\npass\nx: int\ny: int = 1\nf()\nself.a: int").body
    assert [ast.unparse(each) for each in meaningful(body)] == ["y: int = 1", "f()", "self.a: int"]
    assert "x: int" in [ast.unparse(each) for each in meaningful(body, in_class=True)]
