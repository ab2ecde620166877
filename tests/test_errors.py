"""Every error of the package: one base, fields, a place, a next step; it travels between processes."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from pylightnix import errors
from pylightnix.errors import BuildError, ConfigError, PromiseError, PylightnixError

CLASSES = [
    found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, Exception) and found.__module__ == errors.__name__
]


def make(kind: type[PylightnixError]) -> PylightnixError:
    return kind(
        "the float nan is no value", where="model(opt.rate)", hint="give None", path="opt.rate", deep=[1, {"a": 2}]
    )


def test_there_are_classes_to_look_at() -> None:
    assert PylightnixError in CLASSES
    assert len(CLASSES) > 10


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_says_what_where_and_what_next(kind: type[PylightnixError]) -> None:
    error = make(kind)
    assert isinstance(error, PylightnixError)
    assert str(error) == "model(opt.rate): the float nan is no value\n  give None"
    assert (error.what, error.where, error.hint) == ("the float nan is no value", "model(opt.rate)", "give None")
    assert error.fields == {"path": "opt.rate", "deep": [1, {"a": 2}]}
    assert json.loads(json.dumps(error.fields)) == error.fields
    assert kind.__doc__


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_can_be_caught_by_the_builtin_that_it_also_is(kind: type[PylightnixError]) -> None:
    builtins = [base for base in kind.__mro__ if base.__module__ == "builtins" and base not in (object, BaseException)]
    for base in builtins:
        with pytest.raises(base):
            raise make(kind)


def test_what_is_not_given_is_not_shown() -> None:
    assert str(PylightnixError("what")) == "what"
    assert str(PylightnixError("what", where="here")) == "here: what"
    assert str(PylightnixError("what", hint="do")) == "what\n  do"
    assert PylightnixError("what").fields == {}


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_survives_pickling_and_copying(kind: type[PylightnixError]) -> None:
    error = make(kind)
    error.add_note("while planning")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        assert str(again) == str(error)
        assert again.args == error.args
        assert (again.what, again.where, again.hint, again.fields) == (
            error.what,
            error.where,
            error.hint,
            error.fields,
        )
        assert again.__notes__ == ["while planning"]


def test_a_field_may_have_the_name_of_an_argument_of_builtins() -> None:
    error = errors.UnknownPromiseError("no promise", name="tble", obj=1)
    assert error.fields == {"name": "tble", "obj": 1}


def test_a_broken_promise_is_a_failed_build_and_nothing_else() -> None:
    assert issubclass(PromiseError, BuildError)
    assert not issubclass(ConfigError, BuildError)
