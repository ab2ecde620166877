"""The plain constructor, and a derivation in the hand: what it says, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import Dep, Derivation, Store, match, promise, stage
from pylightnix.errors import ConfigError, PylightnixError, TargetError, UnknownPromiseError
from pylightnix.model.build import Build


def builder(first: int = 1, out: Path = Path()) -> None: ...


def takes(**given: object) -> None: ...


def told(error: PylightnixError) -> str:
    return str(error).replace("\n  ", " | ")


NO_NAME = "is not a name for a parameter | the builder is called with it: give a str that could be an argument"
NO_FILES = "a derivation has no files yet: it / 'x' | realize it first, or use / on the input inside the builder"
NO_WALK = (
    "a derivation cannot be walked through: it | inside a builder, an input whose matcher chooses many is a tuple; "
    "outside, see realize_many"
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"builder": 3}, "it: the builder is no function: 3"),
        (
            {"params": {"a b": 1}},
            f"it: 'a b' {NO_NAME}",
        ),
        (
            {"params": {3: 1}},
            f"it: 3 {NO_NAME}",
        ),
        (
            {"params": {"out": 1, "x": 1}, "promises": {"out": "o", "x": "y"}},
            "it: out, x: both a parameter and a promise | rename one of them",
        ),
        ({"code": "follow"}, "it: code='follow' is unknown | \"track\" or \"ignore\""),
        ({"version": 3}, "it: version=3 is no text | such as version=\"3\""),
        ({"version": ""}, "it: version='' is no text | such as version=\"3\""),
        ({"env": "numpy"}, "it: env='numpy' is no list of names | such as env=[\"numpy\"]"),
        ({"env": [3]}, "it: env=[3] is no list of names | such as env=[\"numpy\"]"),
        (
            {"matcher": match.best},
            f"it: not a matcher: {match.best!r} | use one of match.latest(), match.best(…), match.all(), …",
        ),
        (
            {"matcher": type(match.latest())},
            f"it: not a matcher: {type(match.latest())!r} | use one of match.latest(), match.best(…), match.all(), …",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_described_is_told(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Derivation(**{"name": "it", "builder": takes, **given})
    assert told(caught.value) == expected


def made() -> Derivation[None]:
    return Derivation(name="it", builder=builder, params={"first": 2}, promises={"out": "o.txt"})


def test_it_says_what_it_is() -> None:
    one = made()
    assert (one.name, dict(one.params), list(one.promises)) == ("it", {"first": 2}, ["out"])
    assert repr(one) == "it(first=2)"
    assert repr(one.out) == repr(one.promises["out"]) == "it(first=2).out"
    assert "out" in dir(one)
    assert one.ref.endswith("-it")
    long = Derivation(name="it", builder=takes, params={"text": "x" * 100, "of": one.out})
    assert repr(long) == f"it(of=it(…).out, text='{'x' * 56}…)"


@pytest.mark.parametrize(
    ("use", "kind", "expected"),
    [
        (lambda one: one.other, UnknownPromiseError, "it promises no 'other' | its promises: out"),
        (lambda one: one / "x", TargetError, NO_FILES),
        (list, TargetError, NO_WALK),
    ],
    ids=["promise", "file", "walk"],
)  # fmt: skip
def test_what_only_a_realization_has_is_told(
    use: Callable[[Any], object], kind: type[PylightnixError], expected: str
) -> None:
    with pytest.raises(kind) as caught:
        use(made())
    assert told(caught.value) == expected


def test_another_matcher_is_another_question_to_the_same_work() -> None:
    one = made()
    other = one.with_matcher(match.all())
    assert (other.ref, repr(other.matcher), repr(one.matcher)) == (one.ref, "all()", "latest()")
    with pytest.raises(ConfigError, match="not a matcher: 'all'"):
        one.with_matcher("all")  # type: ignore[arg-type]


def test_an_input_of_a_builder_describes_nothing(tmp_path: Path) -> None:
    @stage(code="ignore")
    def source(build: Build) -> None: ...

    @stage(code="ignore")
    def describes(data: Dep) -> str:
        return str(Derivation(name="inner", builder=takes, params={"data": data}))

    with pytest.raises(PylightnixError, match="an input cannot be described with inside a builder"):
        pylightnix.realize(describes(source()), store=Store(tmp_path / "store"), quiet=True)


def test_the_report_of_the_code_says_what_stands_for_it() -> None:
    def plain(value: int = 1, out: Path = promise("o")) -> None: ...

    followed, env = stage(plain), stage(plain, env=["click", "blake3"], variables=["LANG"])
    assert followed.code.report().startswith("in the key:\n  ")
    assert ".plain  " in followed.code.report()
    assert env.code.report().endswith(
        "\ninstalled versions in the key: blake3, click\nenvironment variables in the key: LANG"
    )
    assert stage(plain, version="3").code.report() == "plain: the version '3' stands for the code; no code is followed"
    assert stage(plain, code="ignore").code.report() == 'plain: the code is not in the key (code="ignore")'
    assert repr(stage(plain)).startswith("<stage plain")
