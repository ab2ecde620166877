"""Whatever is told of a run is text of bounded length."""

from __future__ import annotations

import pytest

from pylightnix.executors.telling import TEXT_LIMIT, describe, format_traceback, host_facts, shorten


class CodeError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("x"), "ValueError: x"),
        (ValueError(), "ValueError"),
        (SystemExit(), "SystemExit(None)"),
        (SystemExit("bye"), "SystemExit('bye')"),
        (CodeError("x"), f"{__name__}.CodeError: x"),
    ],
)
def test_describe(error: BaseException, text: str) -> None:
    assert describe(error) == text


def test_shorten() -> None:
    assert shorten("abc", 3) == "abc"
    assert shorten("abcdefgh", 4) == "ab [… 4 characters left out …] gh"
    assert len(describe(ValueError("x" * 10**6))) < TEXT_LIMIT + 100


def test_traceback_of_an_error_without_one() -> None:
    assert format_traceback(ValueError("x")) == "ValueError: x\n"


def test_host_facts() -> None:
    assert host_facts().keys() == {"host", "python", "platform"}
