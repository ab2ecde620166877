"""What belongs to the project, and how things outside it are named."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import json
import os
import pathlib
import posixpath
import random
import statistics
import sys
import sysconfig
import types
from typing import Any

import numpy as np
import pytest
import sklearn.ensemble

import pylightnix
from pylightnix.dsl.code.origins import (
    is_project_class,
    is_project_file,
    is_project_function,
    is_project_module,
    may_read_annotations,
    module_name,
    public_name,
)
from pylightnix.hashing import digest_bytes


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/me/project/train.py", True),
        ("/home/me/src/editable/package/__init__.py", True),
        ("/home/me/.venv/lib/python3.12/site-packages/numpy/__init__.py", False),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", False),
        ("/home/me/my-site-packages-tool/x.py", True),
        (os.path.join(sysconfig.get_path("stdlib"), "json", "decoder.py"), False),
        (os.path.join(os.path.realpath(sysconfig.get_path("stdlib")), "json", "decoder.py"), False),
        (pylightnix.__file__, False),
        (os.path.join(os.path.dirname(pylightnix.__file__ or ""), "dsl", "stage.py"), False),
        (os.path.dirname(pylightnix.__file__ or "") + "-tools/x.py", True),
        ("<frozen posixpath>", False),
        (__file__, True),
    ],
)
def test_files(path: str, expected: bool) -> None:
    assert is_project_file(path) is expected


def test_modules() -> None:
    assert is_project_module(sys.modules[__name__])
    assert is_project_module(types.ModuleType("__main__"))
    for module in (sys, json, np, pylightnix, np.linalg):
        assert not is_project_module(module)


class Own: ...


@contextlib.contextmanager
def made_outside() -> Any:
    yield


def own() -> None: ...


@functools.wraps(json.dumps)
def disguised() -> None: ...


def test_functions_belong_where_their_code_was_written_whatever_they_say() -> None:
    assert is_project_function(own)
    assert is_project_function(disguised)  # type: ignore[arg-type]
    assert disguised.__module__ == "json"
    for function in (made_outside, json.dumps, statistics.mean, posixpath.join, digest_bytes):
        assert not is_project_function(function)  # type: ignore[arg-type]
    assert made_outside.__module__ == __name__


def test_classes() -> None:
    assert is_project_class(Own)
    for kind in (int, type, collections.OrderedDict, np.ndarray, pathlib.Path, types.FunctionType, type(own)):
        assert not is_project_class(kind)


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (pathlib.Path, "pathlib.Path"),
        (os.path.join, "os.path.join"),
        (os.getcwd, "os.getcwd"),
        (random.randint, "random.randint"),
        (random.random, "random.random"),
        (json.dumps, "json.dumps"),
        (asyncio.run, "asyncio.run"),
        (np.mean, "numpy.mean"),
        (np.exp, "numpy.exp"),
        (sklearn.ensemble.RandomForestClassifier, "sklearn.ensemble.RandomForestClassifier"),
        (str.upper, "builtins.str.upper"),
        (len, "builtins.len"),
        (Own, None),
        (made_outside, None),
        (lambda: None, None),
        ("abc".upper, None),
        (3, None),
    ],
)
def test_things_outside_have_the_name_under_which_they_are_imported(thing: object, name: str | None) -> None:
    assert public_name(thing) == name


def test_module_names_are_the_same_on_all_systems() -> None:
    assert module_name(os.path) == "os.path"
    assert module_name(np.linalg) == "numpy.linalg"


def test_only_code_that_is_not_followed_may_read_annotations() -> None:
    assert may_read_annotations(np.vectorize)
    for maker in (functools.wraps, own, Own, property, staticmethod, None):
        assert not may_read_annotations(maker)
