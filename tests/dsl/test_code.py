"""What an identity tells, what it refuses and what it lists. The table of edits is in test_code_edits."""

from __future__ import annotations

import ast
import functools
import importlib
import linecache
import math
import operator
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pylightnix.dsl.code import Memo, Unfollowed, identify, identity_text, normal_form, same_code
from pylightnix.errors import CodeError

Load = Callable[..., ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes a module and imports it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def load(text: str, name: str = "program") -> ModuleType:
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def unfollowed(function: object) -> dict[str, str]:
    return {each.name: each.what for each in identify(function).unfollowed}


# What an identity tells.

TOLD = """
import math, json
import numpy as np
SCALE = 2
class Net:
    def forward(self, x): return math.sin(x) * SCALE
def normalize(x): return np.mean(x) + len(x)
def builder(x): return Net().forward(normalize(x)), json.dumps
"""


def test_parts_are_labelled_by_qualified_name_without_the_module(load: Load) -> None:
    found = identify(load(TOLD).builder)
    assert set(found.parts) == {"builder", "Net", "Net.forward", "normalize", "SCALE"}
    assert all(len(digits) == 40 and int(digits, 16) >= 0 for digits in found.parts.values())
    assert len(found.digest) == 64
    assert int(found.digest, 16) >= 0


def test_things_outside_the_project_are_named_and_builtins_are_not(load: Load) -> None:
    assert identify(load(TOLD).builder).outside == ("json.dumps", "math.sin", "numpy.mean")


def test_files_are_absolute(load: Load, tmp_path: Path) -> None:
    load("K = 1\ndef f(): return K\n", "inner")
    found = identify(load("from inner import f\ndef builder(): return f()\n").builder)
    assert found.files == (str(tmp_path / "inner.py"), str(tmp_path / "program.py"))


def test_the_report_says_what_is_in_the_key_and_what_is_not(load: Load) -> None:
    module = load(TOLD.replace("SCALE = 2", "SCALE = np.zeros(3)"))
    report = identify(module.builder).report()
    for expected in (
        "normalize",
        "numpy.mean",
        "SCALE: numpy.ndarray",
        "program.py",
        identify(module.builder).parts["Net"][:12],
    ):
        assert expected in report
    assert "not followed: nothing" in identify(load("def builder(): return 1\n", "other").builder).report()


def test_equal_names_get_numbers_in_the_order_in_which_the_code_names_them(load: Load) -> None:
    load("def f(): return 1\n", "one")
    load("def f(): return 2\n", "two")
    found = identify(load("import one, two\ndef builder(): return two.f() + one.f()\n").builder)
    assert set(found.parts) == {"builder", "f", "f#2"}
    alone = identify(sys.modules["two"].f)
    assert found.parts["f"] != found.parts["f#2"]
    assert normal_form(sys.modules["two"].f).partition(" root ")[2] in normal_form(sys.modules["program"].builder)
    assert alone.parts.keys() == {"f"}


def test_the_form_of_a_part_alone_decides_its_hash(load: Load) -> None:
    load("def f(): return 1\n", "one")
    first = identify(load("from one import f\ndef builder(): return f()\n").builder)
    second = identify(load("from one import f\nK = 2\ndef builder(): return f() + K\n", "other").builder)
    assert first.parts["f"] == second.parts["f"]
    assert first.parts["builder"] != second.parts["builder"]


def test_own_defaults_count_only_if_asked_for(load: Load) -> None:
    one, two = load("def f(x=1): return x\n", "one").f, load("def f(x=2): return x\n", "two").f
    assert identify(one).digest == identify(two).digest
    assert identify(one, own_defaults=True).digest != identify(two, own_defaults=True).digest
    assert identify(one).digest != identify(one, own_defaults=True).digest


WRAPPING = """
import functools
def d(f):
    @functools.wraps(f)
    def g(*a): return f(*a)
    return g
"""


def test_own_defaults_of_a_decorated_builder_are_parameters_too(load: Load) -> None:
    text = WRAPPING + "@d\ndef f(x={}): ...\n"
    one, two = load(text.format(1), "one").f, load(text.format(2), "two").f
    assert identify(one).digest == identify(two).digest
    assert identify(one, own_defaults=True).digest != identify(two, own_defaults=True).digest


STAGES = """
from pylightnix import match, promise, stage
from pathlib import Path
LIMIT = {limit}
@stage
def data(size: int = {size}, table: Path = promise("{path}")) -> None:
    table.write_text("x" * LIMIT)
@stage(matcher=match.{matcher})
def model(source=data(), out: Path = promise("m")) -> None:
    out.write_text(data.__name__)
"""


def test_of_a_stage_only_the_function_counts(load: Load) -> None:
    given = {"limit": 1, "size": 3, "path": "a", "matcher": "latest()"}
    first = identify(load(STAGES.format(**given), "first").model)
    assert set(first.parts) == {"model", "data", "LIMIT"}
    for number, (name, value) in enumerate({"size": 4, "path": "b", "matcher": "all(of=2)"}.items()):
        other = identify(load(STAGES.format(**{**given, name: value}), f"same{number}").model)
        assert other.digest == first.digest, name
    changed = identify(load(STAGES.format(**{**given, "limit": 2}), "changed").model)
    assert [label for label in first.parts if first.parts[label] != changed.parts[label]] == ["LIMIT"]


def test_decorators_above_the_one_that_makes_the_stage_do_not_count(load: Load) -> None:
    text = "from pylightnix import match, stage\ndef same(s): return s\n"
    text += "@same\n@stage(matcher=match.{})\ndef f(): return 1\n"
    one, other = load(text.format("latest()"), "one").f, load(text.format("all(of=2)"), "other").f
    assert identify(one).digest == identify(other).digest
    assert set(identify(one).parts) == {"f"}


def test_decorators_below_the_one_that_makes_the_stage_do(load: Load) -> None:
    text = "from pylightnix import stage\ndef same(s): return s\n@stage()\n@same\ndef f(): return 1\n"
    assert set(identify(load(text).f).parts) == {"f", "same"}


def test_two_functions_can_be_compared(load: Load) -> None:
    module = load("fs = [lambda c, n=1: c[n], lambda c, n=1:   c[n], lambda c, n=2: c[n]]\n")
    assert same_code(module.fs[0], module.fs[1])
    assert not same_code(module.fs[0], module.fs[2])
    assert identity_text(module.fs[0]) == identify(module.fs[0], own_defaults=True).digest


@pytest.mark.parametrize(("text", "effect"), [
    ("from numpy import vectorize as deco\n@deco\ndef helper(x: {}): ...\n", True),
    ("from functools import cache as deco\n@deco\ndef helper(x: {}): ...\n", False),
    ("def deco(f): return f\n@deco\ndef helper(x: {}): ...\n", False),
    ("from sklearn.base import BaseEstimator\nclass helper(BaseEstimator):\n    x: {} = 1\n", True),
    ("from abc import ABC\nclass helper(ABC):\n    x: {} = 1\n", False),
    ("class M(type): ...\nclass helper(metaclass=M):\n    x: {} = 1\n", True),
    ("class B:\n    def __init_subclass__(cls): ...\nclass helper(B):\n    x: {} = 1\n", True),
])  # fmt: skip
def test_annotations_count_where_code_that_is_not_followed_may_read_them(load: Load, text: str, effect: bool) -> None:
    tail = "def builder(): return helper\n"
    modules = [load(text.format(kind) + tail, f"with_{kind}") for kind in ("int", "float")]
    digests = {identify(module.builder).digest for module in modules}
    assert len(digests) == (2 if effect else 1)


# Kinds of builders.


class Runner:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    def run(self, x: int) -> int:
        return x * self.factor

    @classmethod
    def made(cls) -> Runner:
        return cls(1)

    @staticmethod
    def plain(x: int) -> int:
        return x

    __call__ = run


def grow(x: int, by: int = 1) -> int:
    return x + by


BUILDERS: dict[str, Any] = {
    "function": grow,
    "partial": functools.partial(grow, 2),
    "partial with a keyword": functools.partial(grow, by=2),
    "partial of a partial": functools.partial(functools.partial(grow, 1), 3),
    "bound method": Runner(2).run,
    "another instance": Runner(3).run,
    "class method": Runner.made,
    "static method": Runner.plain,
    "object": Runner(2),
    "class": Runner,
    "lambda": lambda x: x,
    "builtin": len,
    "C function": math.sin,
    "function of a library": np.mean,
    "method of a builtin type": str.upper,
    "bound builtin method": "abc".upper,
    "operator": operator.itemgetter(1, "a"),
    "another operator": operator.itemgetter(2),
    "method of a library's object": random.randint,
}


def test_every_kind_of_builder_has_an_identity_of_its_own() -> None:
    found = {name: identify(builder) for name, builder in BUILDERS.items()}
    assert len({each.digest for each in found.values()}) == len(found)
    assert [name for name, each in found.items() if each.unfollowed] == []
    assert found["method of a library's object"].outside == ("random.randint",)
    assert found["function of a library"].outside == ("numpy.mean",)


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(CodeError, match="cannot be called"):
        identify(3)


def test_code_that_pytest_has_rewritten_is_followed() -> None:
    def checked(x: int) -> int:
        assert x > 1, "too small"
        return grow(x)

    found = identify(checked)
    assert "grow" in found.parts
    assert not found.unfollowed


# What is listed.


@pytest.mark.parametrize(
    ("setup", "expression", "name", "what"),
    [
        ("import numpy as np\nTABLE = np.zeros(3)", "TABLE", "TABLE", "numpy.ndarray"),
        ("import threading\nLOCK = threading.Lock()", "LOCK", "LOCK", "_thread.lock"),
        ("import numpy as np\nD = {'a': [np.zeros(1)]}", "D", "D['a'][0]", "numpy.ndarray"),
        ("", "getattr(x, x)", "getattr(x, …)", "an attribute with a computed name"),
        ("", "eval('x')", "eval", "code made from text"),
        ("", "__import__('os')", "__import__", "a module chosen while running"),
        ("import importlib", "importlib.import_module(x)", "importlib.import_module", "a module chosen while running"),
        ("", "globals()['a']", "globals", "globals by computed names"),
        ("", "nothing", "nothing", "an undefined name"),
        ("", "__file__", "__file__", "an attribute of the module"),
        ("import program", "x(program)", "program", "a module of the project used as a value"),
        ("import program", "program.gone()", "program.gone", "an attribute that the module does not have"),
        ("L = []\nfor _ in range(200): L = [L]", "L", "L", "list"),
        ("def gen(): yield\nG = gen()", "G", "G", "generator"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_listed(load: Load, setup: str, expression: str, name: str, what: str) -> None:
    module = load(f"{setup}\ndef builder(x): return {expression}\n")
    listed = unfollowed(module.builder)
    assert set(listed) == {name}
    assert listed[name].removeprefix("builtins.") == what


def test_an_open_file_is_listed(load: Load, tmp_path: Path) -> None:
    module = load("FILE = None\ndef builder(): return FILE\n")
    with (tmp_path / "data").open("w") as module.FILE:
        assert unfollowed(module.builder) == {"FILE": "io.TextIOWrapper"}


def test_an_import_that_fails_is_listed(load: Load) -> None:
    load("def f(): ...\n", "fine")
    (Path(sys.modules["fine"].__file__ or "").parent / "broken.py").write_text("raise OSError('no')\n")
    module = load(
        "def builder():\n    import broken\n    from fine import f\n    import fine.missing\n    import numpy.linalg\n"
    )
    listed = identify(module.builder).unfollowed
    assert {each.name for each in listed} == {"broken", "fine.missing"}
    assert "OSError: no" in listed[0].why


def test_a_global_that_the_code_assigns_is_listed_and_does_not_count(load: Load) -> None:
    module = load("N = 1\ndef builder():\n    global N\n    N += 1\n    return N\n")
    before = identify(module.builder)
    assert unfollowed(module.builder) == {"N": "a variable that changes"}
    module.builder()
    assert identify(module.builder).digest == before.digest


def test_settings_of_a_wrapper_are_listed_and_its_function_followed(load: Load) -> None:
    text = "import numpy as np\ndef f(x): return {}\nfast = np.vectorize(f)\ndef builder(): return fast\n"
    one, two = load(text.format(1), "one"), load(text.format(2), "two")
    assert unfollowed(one.builder) == {"fast": "numpy.vectorize"}
    assert "f" in identify(one.builder).parts
    assert identify(one.builder).digest != identify(two.builder).digest


def test_a_value_that_contains_itself_ends(load: Load) -> None:
    module = load("A = [1]\nA.append(A)\nclass N: ...\nX = N()\nX.me = {'x': X}\ndef builder(): return A, X\n")
    found = identify(module.builder)
    assert set(found.parts) == {"builder", "A", "X", "N"}
    assert not found.unfollowed


def test_what_a_cached_property_has_computed_is_no_state(load: Load) -> None:
    text = "import functools\nclass C:\n    @functools.cached_property\n    def size(self): return 3\nX = C()\n"
    module = load(text + "def builder(): return X.size\n")
    before = identify(module.builder)
    assert module.builder() == 3
    assert identify(module.builder).digest == before.digest


def test_code_without_source_counts_by_its_bytecode_and_is_listed() -> None:
    def made(text: str) -> Any:
        space: dict[str, Any] = {"grow": grow, "__name__": "made"}
        exec(text, space)
        return space["f"]

    one, again, other = (made(f"def f(x): return grow(x) + {k}") for k in (1, 1, 2))
    assert identify(one).digest == identify(again).digest != identify(other).digest
    assert set(identify(one).parts) == {"f", "grow"}
    assert unfollowed(one) == {"f": "a function without source"}


def test_text_under_a_made_up_name_may_be_of_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(linecache.cache, "<text>", (1, None, ["def f(): return 2\n"], "<text>"))
    space: dict[str, Any] = {}
    exec(compile("def f(): return 1", "<text>", "exec"), space)
    assert unfollowed(space["f"]) == {"f": "a function without source"}
    exec(compile("def f(): return 2", "<text>", "exec"), space)
    assert unfollowed(space["f"]) == {}


def test_lambdas_that_compile_to_the_same_are_told_apart_by_their_place(load: Load) -> None:
    module = load("fs = [lambda: 6, lambda: 2 * 3, lambda: 6]\n")
    assert ["BinOp" in normal_form(each) for each in module.fs] == [False, True, False]


def test_classes_without_a_class_statement_are_said_in_full(load: Load) -> None:
    setup = "import collections, dataclasses, enum, typing\n"
    makers = [
        "collections.namedtuple('T', 'x y')", "collections.namedtuple('T', 'y x')",
        "collections.namedtuple('T', 'x y', defaults=[1])", "typing.NamedTuple('T', [('x', int)])",
        "dataclasses.make_dataclass('T', ['x'])", "dataclasses.make_dataclass('T', ['x', 'y'])",
        "enum.Enum('T', 'A B')", "enum.Enum('T', 'B A')", "type('T', (), {'x': 1})", "type('T', (), {'x': 2})",
    ]  # fmt: skip
    modules = [load(f"{setup}T = {each}\ndef builder(): return T\n", f"made{i}") for i, each in enumerate(makers)]
    found = [identify(module.builder) for module in modules]
    assert len({each.digest for each in found}) == len(makers)
    assert [each.unfollowed for each in found] == [()] * len(makers)


def test_a_listed_thing_has_a_name_a_kind_and_a_reason(load: Load) -> None:
    [only] = identify(load("import threading\nL = threading.Lock()\ndef builder(): return L\n").builder).unfollowed
    assert only == Unfollowed("L", "_thread.lock", only.why)
    assert "give it as a parameter" in only.why


# A file that has changed since it was imported.

LOADED = """
from dataclasses import dataclass
import enum
@dataclass
class Options:
    rate: float = 0.1
@dataclass
class More(Options):
    size: int = 7
    def area(self): return self.size
class Mode(enum.Enum):
    FAST = 1
def helper(x):
    return x + 1
def builder(x):
    class Inner:
        def f(self): self.a = 1; self.b = 2
    return helper(x), (lambda y: y * 2), More(), Mode.FAST, Inner
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("x + 1", "x + 2"), ("x + 1", "x - 1"), ("y * 2", "y * 3"), ("def helper", "def assistant"), ("0.1", "0.2"),
     ("rate", "speed"), ("FAST = 1", "FAST = 2"), ("def helper(x)", "def helper(x, y=0)"),
     ("return x + 1", "return ("), ("int = 7", "int = 8"), ("int = 7", "int = 7; new: int = 1")],
)  # fmt: skip
def test_a_file_that_changed_after_the_import_is_an_error(load: Load, tmp_path: Path, old: str, new: str) -> None:
    module = load(LOADED)
    (tmp_path / "program.py").write_text(LOADED.replace(old, new))
    with pytest.raises(CodeError, match="changed in its file since it was imported") as caught:
        identify(module.builder)
    assert "importlib.reload" in caught.value.hint
    assert caught.value.fields["file"] == str(tmp_path / "program.py")
    (tmp_path / "program.py").write_text(LOADED)
    assert identify(module.builder).digest == identify(load(LOADED, "another").builder).digest


@pytest.mark.parametrize(
    ("old", "new"), [("@kept(1)", "@kept(2)"), ("=fresh)", "=other)"), ("frozen=True", "frozen=False")]
)
def test_a_text_that_changed_after_the_first_look_is_an_error(load: Load, tmp_path: Path, old: str, new: str) -> None:
    """Decorators and bodies of classes leave nothing in what runs that the file could be compared with."""
    text = """
import dataclasses
def kept(n): return lambda f: f
def fresh(): return []
def other(): return [1]
@dataclasses.dataclass(frozen=True)
class Options:
    steps: list = dataclasses.field(default_factory=fresh)
@kept(1)
def helper(): return Options()
def builder(): return helper()
"""
    module = load(text)
    identify(module.builder)
    (tmp_path / "program.py").write_text(text.replace("@", "# a comment\n@"))
    identify(module.builder)
    (tmp_path / "program.py").write_text(text.replace(old, new))
    with pytest.raises(CodeError, match="changed in its file"):
        identify(module.builder)
    importlib.reload(module)
    identify(module.builder)


@pytest.mark.parametrize(
    ("old", "new"),
    [("\nfrom", "# a comment\n\n\nfrom"), ("return x + 1", "'''Adds.'''\n    return x + 1"),
     ("def helper", "def unused(): ...\ndef helper"), ("class Inner:", "class Inner:\n        'Says.'"),
     ("return x + 1", "return (x +\n     1)  # one")],
)  # fmt: skip
def test_an_edit_without_meaning_after_the_import_is_none(load: Load, tmp_path: Path, old: str, new: str) -> None:
    module = load(LOADED)
    before = identify(module.builder)
    (tmp_path / "program.py").write_text(LOADED.replace(old, new))
    assert identify(module.builder).digest == before.digest


def test_classes_that_change_what_is_written_are_no_changed_files(load: Load) -> None:
    module = load(ODD)
    assert not identify(module.builder).unfollowed


ODD = """
import abc, dataclasses, enum, sys, typing
class Hex(enum.Enum):
    RED = "f00"
    def __new__(cls, text):
        made = object.__new__(cls)
        made._value_ = int(text, 16)
        return made
class Number(int, enum.Enum):
    ONE = "1"
class Next(enum.Enum):
    A = enum.auto()
    B = A
@dataclasses.dataclass
class Some:
    _: dataclasses.KW_ONLY
    if sys.version_info > (3, 0): more: int = 1
    __hidden: int = 2
    less: int = dataclasses.field(default=3)
@dataclasses.dataclass
class Hidden(Some):
    __private: int = 2
    less: int = 4
    _: dataclasses.KW_ONLY
    shown: typing.ClassVar[int] = 5
    def f(self): return self
class Pair(typing.NamedTuple):
    left: int
    right: int = 3
    def swap(self): return Pair(self.right, self.left)
class Abstract(abc.ABC):
    __slots__ = ("a", "b")
    @abc.abstractmethod
    def f(self): ...
class Shown(typing.Protocol):
    x: int
    def f(self): ...
class Loose(typing.TypedDict, total=False):
    x: int
def builder(): return Hex, Number, Next, Some, Hidden, Pair, Abstract, Shown, Loose
"""


def test_a_reload_counts(load: Load, tmp_path: Path) -> None:
    module = load(LOADED)
    before = identify(module.builder)
    (tmp_path / "program.py").write_text(LOADED.replace("x + 1", "x + 22"))
    importlib.reload(module)
    assert identify(module.builder).digest != before.digest


def test_definitions_of_one_name_are_told_apart_by_what_they_do(load: Load) -> None:
    text = "if {}:\n    def builder(): return 1\nelse:\n    def builder(): return 2\n"
    first, second = load(text.format("True"), "first"), load(text.format("False"), "second")
    alone = load("def builder(): return 2\n", "alone")
    assert identify(first.builder).digest != identify(second.builder).digest == identify(alone.builder).digest


# Depth, size, speed.


def test_a_long_chain_of_helpers_ends(load: Load) -> None:
    chain = "".join(f"def f{i}(): return f{i + 1}()\n" for i in range(2000))
    found = identify(load(f"{chain}def f2000(): return 0\nbuilder = f0\n").builder)
    assert len(found.parts) == 2001


def test_deep_expressions_can_be_read_from_a_deep_stack(load: Load) -> None:
    module = load(f"def builder(): return {' + '.join(['x'] * 900)}\nx = 1\n")

    def deep(levels: int) -> str:
        return identify(module.builder).digest if not levels else deep(levels - 1)

    assert deep(700) == identify(module.builder).digest


def test_large_constants_are_followed(load: Load) -> None:
    module = load("BIG = list(range(100_000))\ndef builder(): return BIG\n")
    before = identify(module.builder)
    module.BIG[50_000] = 0
    assert identify(module.builder).digest != before.digest
    assert not before.unfollowed


def test_within_one_memo_each_thing_is_identified_once(load: Load) -> None:
    module = load("K = 1\ndef builder(): return K\n")
    memo = Memo()
    first = identify(module.builder, memo=memo)
    module.K = 2
    assert identify(module.builder, memo=memo) is first
    assert identify(module.builder, memo=Memo()).digest != first.digest
    assert identify(module.builder).digest == identify(module.builder, memo=Memo()).digest


def test_a_memo_tells_with_and_without_own_defaults_apart() -> None:
    memo = Memo()
    for own in (False, True, False):
        assert identify(grow, own_defaults=own, memo=memo) == identify(grow, own_defaults=own)


def test_a_memo_shared_by_builders_gives_what_each_has_alone(load: Load) -> None:
    text = "K = 1\ndef a(): return K + b()\ndef b(): return a() and c()\ndef c(x=1): return K\n"
    module = load(text)
    memo = Memo()
    for function in (module.a, module.b, module.c):
        assert identify(function, memo=memo) == identify(function)


SPEED = """
import math
LIMIT = 10
def one(x): return [i * LIMIT for i in range(x)]
def two(x, low=0): return max(low, math.fsum(one(x)))
def three(x): return {"a": two(x), "b": one(x)}
def builder(data, depth=3):
""" + "".join(f"    v{i} = two(data[{i}]) + three(depth)['a'] if depth > {i} else math.sin({i})\n" for i in range(30))


def test_identifying_is_fast_for_what_it_reads(load: Load) -> None:
    """Measured against what must be done at the least, in the same moment: parse and compile; look up in a dict."""
    module = load(SPEED)
    memo = Memo()
    known = {(id(module.builder), False): (module.builder, identify(module.builder, memo=memo))}
    cold = _ratio(lambda: identify(module.builder), lambda: compile(ast.parse(SPEED), "x", "exec"), 30)
    assert cold < 6
    warm = _ratio(
        lambda: [identify(module.builder, memo=memo) for _ in range(10_000)],
        lambda: [known[id(module.builder), False] for _ in range(10_000)],
        9,
    )
    assert warm < 10


def _ratio(work: Callable[[], object], least: Callable[[], object], times: int) -> float:
    """The best of several comparisons in turn: what else the machine does disturbs some of them, not all."""
    return min(_seconds(work) / _seconds(least) for _ in range(times))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_nothing_of_the_project_is_imported_that_the_builder_would_not_import(load: Load, tmp_path: Path) -> None:
    (tmp_path / "heavy.py").write_text("raise SystemError('imported')\n")
    module = load("import os\ndef helper():\n    import heavy\ndef builder(): return os.name\n")
    assert identify(module.builder).outside == ("os.name",)
    assert "heavy" not in sys.modules
    assert os.name
