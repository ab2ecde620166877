"""What a builder's signature may be, and what is told of one that cannot be used."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pylightnix.model.build as builds
from pylightnix import Build, Derivation, promise, stage
from pylightnix.errors import ArgumentError, ConfigError, PylightnixError


def told(error: PylightnixError) -> str:
    return str(error).replace("\n  ", " | ")


async def later() -> int:
    return 1


def several() -> Iterator[int]:
    yield 1


async def several_later() -> AsyncIterator[int]:
    yield 1


def spread(*items: int) -> None: ...


def open_ended(**options: int) -> None: ...


def by_position(value: int, /) -> None: ...


def build_last(value: int, build: Build) -> None: ...


def plain(build, value=1):  # type: ignore[no-untyped-def]
    """As somebody writes it who annotates nothing."""


def needs(first: int, second: int, third: int = 3) -> None: ...


RUNS_NOTHING = "the builder is {}: calling it runs nothing of it | {}"
ASYNCIO = RUNS_NOTHING.format("a coroutine function", "let a plain function call asyncio.run(…)")
LIST = RUNS_NOTHING.format("a generator function", "return a list, or write to a promised file")


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        (later, ASYNCIO),
        (functools.partial(later), ASYNCIO),
        (several, LIST),
        (several_later, LIST),
    ],
    ids=["coroutine", "partial", "generator", "asynchronous generator"],
)
def test_a_builder_runs_when_it_is_called(builder: Callable[..., Any], expected: str) -> None:
    for make in (lambda: stage(name="it")(builder), lambda: Derivation(name="it", builder=builder)):
        with pytest.raises(ConfigError) as caught:
            make()
        assert told(caught.value) == f"it: {expected}"


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        (spread, "spread(*items: 'int'): a stage names each of its parameters | give a list or a dict instead"),
        (
            open_ended,
            "open_ended(**options: 'int'): a stage names each of its parameters | give a list or a dict instead",
        ),
        (
            by_position,
            "by_position(value: 'int'): parameters are given by name: this one has none outside | remove the /",
        ),
        (build_last, "build_last(build: 'Build'): the Build stands first or not at all"),
        (type, "@stage stands on a function, not on <class 'type'>"),
        (3, "@stage stands on a function, not on 3"),
    ],
    ids=["*", "**", "/", "build", "class", "number"],
)
def test_a_stage_can_be_called_by_names(builder: Any, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        stage(builder)
    assert told(caught.value) == expected


def test_what_has_no_signature_is_told() -> None:
    with pytest.raises(ConfigError, match="has no readable signature\n  wrap it in a function of your own"):
        stage(name="it")(vars(str)["maketrans"].__func__)


KNOWN = "its arguments: first, second, third"


@pytest.mark.parametrize(
    ("builder", "args", "given", "expected"),
    [
        (plain, (), {}, "missing: build | annotate it, build: Build, to be given the Build"),
        (needs, (), {}, "missing: first, second | parameters without a default are given when the stage is called"),
        (needs, (1,), {"fourth": 4}, f"there is no argument 'fourth' | {KNOWN}"),
        (needs, (1, 2), {"thrid": 3}, f"there is no argument 'thrid' | did you mean 'third'? {KNOWN}"),
        (needs, (1,), {"first": 2}, "the argument 'first' is given twice"),
        (needs, (1, 2, 3, 4), {}, f"4 arguments by position, 3 can be | {KNOWN}"),
    ],
    ids=["build", "missing", "unknown", "misspelt", "twice", "too many"],
)
def test_a_wrong_call_of_a_stage_is_told(
    builder: Callable[..., Any], args: tuple[int, ...], given: dict[str, int], expected: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        stage(builder)(*args, **given)
    assert told(caught.value) == f"{builder.__name__}: {expected}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"builder": plain}, "it: the builder needs build | annotate it, build: Build, to be given the Build"),
        ({"builder": needs}, "it: the builder needs first, second | give it in params or promises, by name"),
        ({"builder": by_position}, "it: the builder needs value | give it in params or promises, by name"),
        (
            {"builder": needs, "params": {"first": 1, "second": 2, "other": 3}},
            "it: the builder has no parameter other | its parameters: first, second, third",
        ),
    ],
    ids=["build", "missing", "position", "unknown"],
)
def test_a_derivation_whose_builder_cannot_be_called_so_is_told(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Derivation(name="it", **given)
    assert told(caught.value) == expected


def test_a_plain_builder_may_take_whatever_comes() -> None:
    made = Derivation(name="it", builder=open_ended, params={"a": 1}, promises={"b": "b.txt"})
    assert dict(made.params) == {"a": 1}


def test_the_build_is_found_by_its_annotation_however_that_is_written() -> None:
    def as_type(build, out: Path = promise("x")):  # type: ignore[no-untyped-def]
        ...

    as_type.__annotations__["build"] = Build
    assert dict(stage(as_type)().params) == {}

    def by_module(build: builds.Build) -> None: ...

    assert dict(stage(by_module)().params) == {}


def test_a_class_of_that_name_is_not_the_build() -> None:
    scope: dict[str, Any] = {}
    exec("class Build: ...\ndef other(build: 'Build'): ...", scope)
    with pytest.raises(ArgumentError, match="missing: build"):
        stage(scope["other"])()
