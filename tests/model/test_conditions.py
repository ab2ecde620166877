"""Conditions: what the keywords say, and what they cannot."""

from __future__ import annotations

from typing import Any

import pytest

from pylightnix.errors import ArgumentError, ConfigError
from pylightnix.model.conditions import PLAIN, Call, read_conditions


def test_nothing_said() -> None:
    assert read_conditions("model", {}) is PLAIN


def test_everything_said() -> None:
    found = read_conditions(
        "model",
        {
            "resources": {"cpus": 2, "gpus": 1, "memory": "4G"},
            "timeout": "2h",
            "retries": {"killed": 2, "OSError": 1},
            "isolation": "process",
            "network": True,
            "variables": ["B", "A", "B"],
            "pass_variables": ("CUDA_HOME",),
            "reads": ["/data"],
        },
    )
    assert found.resources == {"cpus": 2, "gpus": 1, "memory": 4_000_000_000}
    assert found.timeout == 7200.0
    assert found.retries == {"killed": 2, "OSError": 1}
    assert (found.isolation, found.network) == ("process", True)
    assert (found.variables, found.pass_variables, found.reads) == (("A", "B"), ("CUDA_HOME",), ("/data",))


def test_a_plain_number_of_retries_is_for_what_comes_by_chance() -> None:
    assert read_conditions("model", {"retries": 3}).retries == {"killed": 3, "timeout": 3, "transport": 3}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"resources": 3}, "no amounts by name"),
        ({"resources": {"cpus": "two"}}, "cpus='two' is no amount"),
        ({"resources": {"cpus": -1}}, "no amount"),
        ({"resources": {"cpus": float("nan")}}, "no amount"),
        ({"resources": {"cpus": True}}, "no amount"),
        ({"resources": {"memory": "4 bananas"}}, "is no size"),
        ({"resources": {"not a name": 1}}, "can be named"),
        ({"timeout": 0}, "timeout=0 is no time"),
        ({"timeout": "soon"}, "is no duration"),
        ({"timeout": True}, "is no time"),
        ({"retries": -1}, "retries="),
        ({"retries": {"killed": "often"}}, "retries="),
        ({"retries": {"bad luck": 1}}, "retries="),
        ({"isolation": "jail"}, "isolation='jail' is unknown"),
        ({"network": 1}, "network=1 is unknown"),
        ({"variables": "HOME"}, "no list of names"),
        ({"pass_variables": ["A=B"]}, "no list of names"),
        ({"reads": ["relative"]}, "no list of absolute paths"),
    ],
)
def test_what_cannot_be_said(asked: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        read_conditions("model", asked)
    assert caught.value.where == "model"
    assert caught.value.hint


def test_an_unknown_keyword() -> None:
    with pytest.raises(ArgumentError, match="no keyword 'time_out'"):
        read_conditions("model", {"time_out": 3})  # type: ignore[typeddict-unknown-key]


@pytest.mark.parametrize(
    ("call", "own", "decided"),
    [
        (None, None, "none"),
        (None, "sandbox", "sandbox"),
        ("none", "sandbox", "none"),
        ("process", None, "process"),
    ],
)
def test_the_call_decides_before_the_stage(call: Any, own: Any, decided: str) -> None:
    assert Call(call).conditions(read_conditions("model", {"isolation": own})).isolation == decided


def test_the_default_is_for_stages_that_say_nothing() -> None:
    assert Call(None, "process").conditions(PLAIN).isolation == "process"
    assert Call(None, "process").conditions(read_conditions("m", {"isolation": "none"})).isolation == "none"
