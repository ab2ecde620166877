"""Promises: what can be declared, what of it is in the identity, what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pylightnix.errors import BadNameError, ConfigError
from pylightnix.model.promises import Promise, promise


def test_a_promise_is_a_file_that_is_not_empty() -> None:
    made = promise("model.joblib")
    assert made == Promise("model.joblib", "file", False, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.path = "other"


def test_a_promise_may_be_otherwise() -> None:
    def check(path: Path) -> bool:
        return True

    made = promise("plots/", kind="directory", empty=True, check=check)
    assert (made.path, made.kind, made.empty, made.check) == ("plots", "directory", True, check)
    assert promise("x", "any").kind == "any"


def test_what_of_a_promise_is_in_the_identity() -> None:
    assert Promise("a/b").document() == {"path": "a/b", "kind": "file", "empty": False}
    assert Promise("a/").document() == Promise("a").document()
    documents = [Promise("a").document(), Promise("b").document(), Promise("a", "any").document()]
    documents.append(Promise("a", empty=True).document())
    assert all(one != other for i, one in enumerate(documents) for other in documents[:i])


@pytest.mark.parametrize("path", ["", "/abs", "../x", "a/../../x", ".", "a//b", "a\\b", "a\0", None, 3, Path("a")])
def test_a_promise_stays_in_the_output_directory(path: Any) -> None:
    with pytest.raises(BadNameError, match="a promised path"):
        promise(path)


@pytest.mark.parametrize("kind", ["folder", "", "FILE", None, 1, ["file"]])
def test_the_kind_is_one_of_three(kind: Any) -> None:
    with pytest.raises(ConfigError, match="kind") as caught:
        promise("a", kind=kind)
    assert caught.value.where == "promise('a')"
    assert caught.value.hint == "file, directory or any"


@pytest.mark.parametrize("empty", ["yes", 1, 0, None])
def test_empty_is_yes_or_no_since_it_is_in_the_identity(empty: Any) -> None:
    with pytest.raises(ConfigError, match="empty="):
        promise("a", empty=empty)


@pytest.mark.parametrize("check", ["exists", 1, True])
def test_check_is_a_function(check: Any) -> None:
    with pytest.raises(ConfigError, match="check is no function"):
        promise("a", check=check)
