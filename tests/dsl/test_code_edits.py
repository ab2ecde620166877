"""An edit, and whether it changes the identity of the builder: a table of programs before and after."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pylightnix.dsl.code import CodeIdentity, identify

SAME, OTHER = "same", "other"

Files = dict[str, str]


class Edit(NamedTuple):
    name: str
    before: str | Files
    after: str | Files
    effect: str
    changed: str = ""  # the one label whose hash changes, where that is the point


PLAIN = """
import math
SCALE = 2
def clean(x, low=0):
    return max(x, low) * SCALE
def builder(data, depth=3):
    total = math.sin(1) + clean(data)
    return total
"""

CLASSES = """
class Base:
    def area(self): return self.side() ** 2
class Net(Base):
    rate = 0.5
    def __init__(self, size=3): self.size = size
    def side(self): return self.size
    @property
    def wide(self): return self.size > 2
    @staticmethod
    def make(): return Net(4)
    @classmethod
    def named(cls, name): return cls()
def builder(): return Net().area()
"""

RECORD = """
from dataclasses import dataclass, field
from typing import ClassVar
def fresh(): return []
@dataclass(frozen=True)
class Options:
    rate: float = 0.1
    steps: list[int] = field(default_factory=fresh)
    kind: ClassVar[str] = "x"
def builder(): return Options().rate
"""

WRAPPED = """
import functools
def traced(function):
    @functools.wraps(function)
    def inner(*args): return function(*args) + 0
    return inner
@traced
def helper(x): return x + 1
def builder(): return helper(1)
"""

MARKED = """
def mark(n):
    def keep(f): return f
    return keep
@mark(1)
def helper(): return 1
def builder(): return helper()
"""

MANY = {
    "pipeline.py": """
import helpers
from helpers import other as alias
import package.inner as deep
def builder():
    from late import load
    import package.lazy
    return helpers.clean(alias(1)) + deep.value() + load() + package.lazy.go()
""",
    "helpers.py": "import os\ndef clean(x): return x\ndef other(x): return x + 1\ndef unused(): return 9\n",
    "late.py": "from limits import TOP\ndef load(): return TOP\n",
    "limits.py": "TOP = 10\nBOTTOM = 1\n",
    "package/__init__.py": "",
    "package/inner.py": "from . import sibling\ndef value(): return sibling.VALUES['a']\n",
    "package/sibling.py": "VALUES = {'a': 1, 'b': 2}\n",
    "package/lazy.py": "def go(): return 1\n",
}


def put(text: str | Files, *changes: tuple[str, str]) -> Files:
    """Some files with texts replaced; each text must be there."""
    files = dict(text) if isinstance(text, dict) else {"pipeline.py": text}
    for old, new in changes:
        assert any(old in each for each in files.values()), old
        files = {name: each.replace(old, new) for name, each in files.items()}
    return files


def in_plain(name: str, old: str, new: str, effect: str, changed: str = "") -> Edit:
    return Edit(name, PLAIN, put(PLAIN, (old, new)), effect, changed)


def in_classes(name: str, old: str, new: str, effect: str, changed: str = "") -> Edit:
    return Edit(name, CLASSES, put(CLASSES, (old, new)), effect, changed)


def in_record(name: str, old: str, new: str, effect: str, changed: str = "") -> Edit:
    return Edit(name, RECORD, put(RECORD, (old, new)), effect, changed)


def in_wrapped(name: str, old: str, new: str, effect: str, changed: str = "") -> Edit:
    return Edit(name, WRAPPED, put(WRAPPED, (old, new)), effect, changed)


def in_many(name: str, old: str, new: str, effect: str, changed: str = "") -> Edit:
    return Edit(name, MANY, put(MANY, (old, new)), effect, changed)


def body(name: str, before: str, after: str, effect: str, changed: str = "") -> Edit:
    """Two bodies of a builder, after some definitions that both have."""
    head = "import os, sys, functools, operator\nK = 1\ndef one(x): return x\ndef two(x): return x * 2\n"
    texts = [f"{head}def builder(x=0, *rest):\n{_indented(each)}" for each in (before, after)]
    return Edit(name, texts[0], texts[1], effect, changed)


def module(name: str, before: str, after: str, effect: str, changed: str = "") -> Edit:
    """Two programs that differ in what the builder names as `thing`."""
    tail = "\ndef builder(): return thing\n"
    return Edit(name, before + tail, after + tail, effect, changed)


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.split("\n"))


EDITS = [
    # What does not count.
    in_plain("comment", "    total =", "    # why\n    total =", SAME),
    in_plain("docstring", "    total =", '    """Says what."""\n    total =', SAME),
    in_plain("docstring of a helper", "    return max", '    "Says what."\n    return max', SAME),
    in_plain("annotations", "data, depth=3):", "data: 'float', depth: int = 3) -> float:", SAME),
    in_plain("annotation of a local", "total =", "total: float =", SAME),
    in_plain("declaration without value", "    total =", "    total: float\n    total =", SAME),
    in_plain("white space and brackets", "max(x, low) * SCALE", "(\n        max( x,low )*SCALE\n    )", SAME),
    in_plain("lines before", "import math", "import math\n\n\nUNUSED = 3\n\n", SAME),
    in_plain("future annotations", "\nimport math", "from __future__ import annotations\nimport math", SAME),
    in_plain("own default of a stage", "depth=3", "depth=4", SAME),
    in_plain("own parameter gets a default", "builder(data,", "builder(data=0,", SAME),
    in_plain("unused helper", "def builder", "def unused(): return 3\ndef builder", SAME),
    in_plain("another name for a module", "math", "math as m", SAME)._replace(
        after=put(PLAIN, ("import math", "import math as m"), ("math.sin", "m.sin"))
    ),
    in_plain("imported function by name", "math.sin", "sin", SAME)._replace(
        after=put(PLAIN, ("import math", "from math import sin"), ("math.sin", "sin"))
    ),
    Edit(
        "order of definitions",
        PLAIN,
        "def builder(data, depth=3):\n    total = math.sin(1) + clean(data)\n    return total\n"
        "def clean(x, low=0):\n    return max(x, low) * SCALE\nSCALE = 2\nimport math\n",
        SAME,
    ),
    body("pass and bare constants", "return 1", "pass\n'text'\n...\nreturn 1", SAME),
    body("global statement without effect", "return K", "global K\nreturn K", SAME),
    body("joined texts", "return 'ab'", "return 'a' 'b'", SAME),
    body("f-string without a field", "return 'ab'", "return f'a' f'b'", SAME),
    body("joined f-strings", "return f'a{x}b'", "return 'a' f'{x}' 'b'", SAME),
    body("quotes in a nested f-string", "return f'{x:{K}}'", 'return f"""{x:{K}}"""', SAME),
    body("hexadecimal", "return 255", "return 0xFF", SAME),
    body(
        "private annotation in a nested function",
        "def f(a: int): return a\nreturn f",
        "def f(a): return a\nreturn f",
        SAME,
    ),
    # What does: constants and syntax.
    in_plain("constant", "SCALE = 2", "SCALE = 3", OTHER, "SCALE"),
    in_plain("type of a constant", "SCALE = 2", "SCALE = 2.0", OTHER, "SCALE"),
    in_plain("bool for int", "SCALE = 2", "SCALE = True", OTHER, "SCALE"),
    in_plain("body", "clean(data)", "clean(data, 1)", OTHER, "builder"),
    in_plain("body of a helper", "max(x, low)", "min(x, low)", OTHER, "clean"),
    in_plain("default of a helper", "low=0", "low=1", OTHER, "clean"),
    in_plain("helper loses its default", "clean(x, low=0)", "clean(x, low)", OTHER, "clean"),
    in_plain("function of the standard library", "math.sin", "math.cos", OTHER, "builder"),
    in_plain("renamed local variable (allowed to change)", "total", "result", OTHER, "builder"),
    in_plain("name of a parameter", "data", "given", OTHER, "builder"),
    in_plain("keyword-only parameter", "depth=3", "*, depth=3", OTHER, "builder"),
    body("minus zero", "return 0.0", "return -0.0", OTHER),
    body("int and float", "return 1", "return 1.0", OTHER),
    body("int and bool", "return 1", "return True", OTHER),
    body("complex", "return 1", "return 1j", OTHER),
    body("bytes and text", "return b'a'", "return 'a'", OTHER),
    body("ellipsis and none", "return ...", "return None", OTHER),
    body("huge integers", f"return {10**400}", f"return {10**400 + 1}", OTHER),
    body("lone surrogates", r"return '\ud83d\ude00'", r"return '\U0001f600'", OTHER),
    body("set literals", "return x in {1, 2}", "return x in {1, 3}", OTHER),
    body("order of a dict", "return {'a': 1, 'b': 2}", "return {'b': 2, 'a': 1}", OTHER),
    body("format of an f-string", "return f'{x:>3}'", "return f'{x:<3}'", OTHER),
    body("conversion in an f-string", "return f'{x!r}'", "return f'{x!s}'", OTHER),
    body("self-documenting f-string", "return f'{x}'", "return f'{x=}'", OTHER),
    body("comprehension and generator", "return [i for i in rest]", "return list(i for i in rest)", OTHER),
    body("condition of a comprehension", "return [i for i in rest if i]", "return [i for i in rest if x]", OTHER),
    body("async", "async def f(): pass\nreturn f", "def f(): pass\nreturn f", OTHER),
    body("pattern", "match x:\n  case {'a': 1}: return 1", "match x:\n  case {'a': 2}: return 1", OTHER),
    body("captured pattern", "match x:\n  case [a, *b]: return a", "match x:\n  case [b, *a]: return a", OTHER),
    body("exception groups", "try: one(1)\nexcept ValueError: pass", "try: one(1)\nexcept* ValueError: pass", OTHER),
    body(
        "order of handlers", "try: one(1)\nexcept OSError: pass\nfinally: two(1)", "try: one(1)\nfinally: two(1)", OTHER
    ),
    body(
        "one lambda of two in a line",
        "a, b = (lambda: 1), (lambda: 2)\nreturn a",
        "a, b = (lambda: 1), (lambda: 3)\nreturn a",
        OTHER,
    ),
    body("operator", "return x < 1", "return x <= 1", OTHER),
    body("starred", "return one(rest)", "return one(*rest)", OTHER),
    body("assertion", "assert x\nreturn x", "return x", OTHER),
    module(
        "one of two lambdas that span lines",
        "def show(*fs): return fs\nthing = show(               lambda x: [\n1,\nx], lambda x: [\n2,\nx])[1]",
        "def show(*fs): return fs\nthing = show(               lambda x: [\n1,\nx], lambda x: [\n3,\nx])[1]",
        OTHER,
        "<lambda>",
    ),
    # Names: local, shadowed, captured.
    body("another helper", "return one(x)", "return two(x)", OTHER),
    body("shadowed name", "return one(x)", "one = abs\nreturn one(x)", OTHER),
    Edit(
        "a global that a local shadows",
        "def f(x): return 1\ndef builder():\n    f = abs\n    return f(1)\n",
        "def f(x): return 2\ndef builder():\n    f = abs\n    return f(1)\n",
        SAME,
    ),
    Edit(
        "a global that a parameter of a nested function shadows",
        "K = 1\ndef builder():\n    def inner(K): return K\n    return inner(1)\n",
        "K = 2\ndef builder():\n    def inner(K): return K\n    return inner(1)\n",
        SAME,
    ),
    Edit(
        "a global beside a comprehension variable of that name",
        "K = 1\ndef builder(): return [K for K in range(3)]\n",
        "K = 2\ndef builder(): return [K for K in range(3)]\n",
        SAME,
    ),
    Edit(
        "a global that a class body in the builder reads",
        "K = 1\ndef builder():\n    class C:\n        k = K\n    return C\n",
        "K = 2\ndef builder():\n    class C:\n        k = K\n    return C\n",
        OTHER,
        "K",
    ),
    Edit(
        "private global named in a class",
        "_C__k = 1\nclass C:\n    def f(self): return __k\ndef builder(): return C().f()\n",
        "_C__k = 2\nclass C:\n    def f(self): return __k\ndef builder(): return C().f()\n",
        OTHER,
        "_C__k",
    ),
    Edit(
        "a builtin is shadowed by a global",
        "def builder(x): return len(x)\n",
        "def len(x): return 3\ndef builder(x): return len(x)\n",
        OTHER,
    ),
    Edit(
        "captured value",
        "def make(k):\n    def inner(x): return x + k\n    return inner\nbuilder = make(1)\n",
        "def make(k):\n    def inner(x): return x + k\n    return inner\nbuilder = make(2)\n",
        OTHER,
        "k",
    ),
    Edit(
        "captured function",
        "def one(x): return 1\ndef make(f):\n    return lambda x: f(x)\nbuilder = make(one)\n",
        "def one(x): return 2\ndef make(f):\n    return lambda x: f(x)\nbuilder = make(one)\n",
        OTHER,
        "one",
    ),
    Edit(
        "recursion through two functions",
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\nbuilder = even\n",
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n > 0 and even(n - 1)\nbuilder = even\n",
        OTHER,
        "odd",
    ),
    Edit(
        "the other one of two that call each other",
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\nbuilder = even\n",
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\nbuilder = odd\n",
        OTHER,
    ),
    # What wraps functions.
    in_wrapped("body under a decorator", "x + 1", "x + 2", OTHER, "helper"),
    in_wrapped("body of a decorator", "+ 0", "+ 5", OTHER),
    in_wrapped("decorator taken away", "@traced\n", "", OTHER),
    in_wrapped("comment in a decorator", "    return inner", "    # done\n    return inner", SAME),
    Edit(
        "argument of a decorator",
        MARKED,
        put(MARKED, ("@mark(1)", "@mark(2)")),
        OTHER,
        "helper",
    ),
    module(
        "cached function",
        "import functools\n@functools.cache\ndef thing(): return 1",
        "import functools\n@functools.cache\ndef thing(): return 2",
        OTHER,
        "thing",
    ),
    module(
        "context manager",
        "import contextlib\n@contextlib.contextmanager\ndef thing(): yield 1",
        "import contextlib\n@contextlib.contextmanager\ndef thing(): yield 2",
        OTHER,
    ),
    module(
        "single dispatch",
        "import functools\n@functools.singledispatch\ndef thing(x): return 1\n@thing.register(int)\ndef _(x): return 2",
        "import functools\n@functools.singledispatch\ndef thing(x): return 1\n@thing.register(int)\ndef _(x): return 3",
        OTHER,
    ),
    module(
        "partial",
        "import functools\ndef f(x): ...\nthing = functools.partial(f, 1)",
        "import functools\ndef f(x): ...\nthing = functools.partial(f, 2)",
        OTHER,
        "thing",
    ),
    module(
        "function in a partial",
        "import functools\ndef f(x): return x\nthing = functools.partial(f, 1)",
        "import functools\ndef f(x): return 1\nthing = functools.partial(f, 1)",
        OTHER,
        "f",
    ),
    module(
        "attribute of a function",
        "def thing(): ...\nthing.limit = 1",
        "def thing(): ...\nthing.limit = 2",
        OTHER,
        "thing",
    ),
    # Values.
    module("list", "thing = [1, 2, [3]]", "thing = [1, 2, [4]]", OTHER, "thing"),
    module("list and tuple", "thing = [1]", "thing = (1,)", OTHER, "thing"),
    module("set order", "thing = {'a', 'b', 'c'}", "thing = {'c', 'b', 'a'}", SAME),
    module("set", "thing = {'a', 'b'}", "thing = {'a', 'c'}", OTHER, "thing"),
    module("order of a dict that code can see", "thing = {'a': 1, 'b': 2}", "thing = {'b': 2, 'a': 1}", OTHER, "thing"),
    module(
        "function in a dict",
        "def f(): return 1\nthing = {'a': [f]}",
        "def f(): return 2\nthing = {'a': [f]}",
        OTHER,
        "f",
    ),
    module(
        "pattern of a regular expression",
        "import re\nthing = re.compile('a')",
        "import re\nthing = re.compile('b')",
        OTHER,
        "thing",
    ),
    module(
        "flags of a regular expression",
        "import re\nthing = re.compile('a')",
        "import re\nthing = re.compile('a', re.I)",
        OTHER,
        "thing",
    ),
    module(
        "path",
        "from pathlib import Path\nthing = Path('a')",
        "from pathlib import Path\nthing = Path('b')",
        OTHER,
        "thing",
    ),
    module(
        "date",
        "from datetime import date\nthing = date(2020, 1, 1)",
        "from datetime import date\nthing = date(2021, 1, 1)",
        OTHER,
        "thing",
    ),
    module("infinity", "thing = float('inf')", "thing = float('nan')", OTHER, "thing"),
    module(
        "value of an enum member",
        "from enum import Enum\nclass E(Enum):\n    A = 1\nthing = E.A",
        "from enum import Enum\nclass E(Enum):\n    A = 2\nthing = E.A",
        OTHER,
        "E",
    ),
    module(
        "which enum member",
        "from enum import Enum\nclass E(Enum):\n    A = 1\n    B = 2\nthing = E.A",
        "from enum import Enum\nclass E(Enum):\n    A = 1\n    B = 2\nthing = E.B",
        OTHER,
        "thing",
    ),
    module(
        "named tuple",
        "from collections import namedtuple\nP = namedtuple('P', 'x y')\nthing = P(1, 2)",
        "from collections import namedtuple\nP = namedtuple('P', 'y x')\nthing = P(1, 2)",
        OTHER,
        "P",
    ),
    module(
        "state of an object",
        "class C:\n    def __init__(s, v): s.v = v\n    def __call__(s): return s.v\nthing = C(1)",
        "class C:\n    def __init__(s, v): s.v = v\n    def __call__(s): return s.v\nthing = C(2)",
        OTHER,
        "thing",
    ),
    module(
        "class of an object",
        "class C:\n    def __call__(s): return 1\nthing = C()",
        "class C:\n    def __call__(s): return 2\nthing = C()",
        OTHER,
        "C.__call__",
    ),
    module(
        "bound method",
        "class C:\n    def run(s): return 1\nthing = C().run",
        "class C:\n    def run(s): return 2\nthing = C().run",
        OTHER,
        "C.run",
    ),
    # Classes.
    in_classes("method", "return self.size\n", "return self.size + 1\n", OTHER, "Net.side"),
    in_classes("method that nobody calls here", "return Net(4)", "return Net(5)", OTHER, "Net.make"),
    in_classes("method of a base class", "** 2", "** 3", OTHER, "Base.area"),
    in_classes("base class", "class Net(Base)", "class Net", OTHER),
    in_classes("default of a method", "size=3", "size=4", OTHER, "Net.__init__"),
    in_classes("property", "self.size > 2", "self.size > 3", OTHER, "Net.wide"),
    in_classes("property becomes a method", "    @property\n", "", OTHER),
    in_classes("class attribute", "rate = 0.5", "rate = 0.6", OTHER, "Net"),
    in_classes("docstring of a class", "class Net(Base):", 'class Net(Base):\n    """A net."""', SAME),
    in_classes(
        "docstring and annotations of a method",
        "def side(self): return",
        'def side(self) -> int:\n        "Side."\n        return',
        SAME,
    ),
    in_classes(
        "order of methods",
        "    def side(self): return self.size\n    @property\n    def wide(self): return self.size > 2\n",
        "    @property\n    def wide(self): return self.size > 2\n    def side(self): return self.size\n",
        SAME,
    ),
    in_classes("method put on later", "def builder()", "Net.rate = 0.7\ndef builder()", OTHER, "Net"),
    in_record("default of a field", "0.1", "0.2", OTHER, "Options"),
    in_record("text of an annotation", "rate: float", "rate: 'int'", SAME),
    in_record(
        "order of fields",
        "    rate: float = 0.1\n    steps: list[int] = field(default_factory=fresh)\n",
        "    steps: list[int] = field(default_factory=fresh)\n    rate: float = 0.1\n",
        OTHER,
        "Options",
    ),
    in_record("field or class variable", "ClassVar[str]", "str", OTHER, "Options"),
    in_record("quoted class variable", "ClassVar[str]", "'ClassVar[str]'", SAME),
    in_record("field or plain attribute", "rate: float = 0.1", "rate = 0.1", OTHER, "Options"),
    in_record("factory", "return []", "return [1]", OTHER, "fresh"),
    in_record("option of the decorator", "frozen=True", "frozen=False", OTHER, "Options"),
    # Other modules.
    in_many("function of another module", "def clean(x): return x\n", "def clean(x): return -x\n", OTHER, "clean"),
    in_many("function imported under another name", "return x + 1", "return x + 2", OTHER, "other"),
    in_many("function that is not named", "return 9", "return 8", SAME),
    in_many("local import", "return TOP", "return TOP + 1", OTHER, "load"),
    in_many("constant behind a local import", "TOP = 10", "TOP = 11", OTHER, "TOP"),
    in_many("constant that is not named", "BOTTOM = 1", "BOTTOM = 2", SAME),
    in_many("value behind a relative import", "'a': 1", "'a': 3", OTHER, "VALUES"),
    in_many("module imported in the function", "def go(): return 1", "def go(): return 2", OTHER, "go"),
    in_many("alias of a module", "import package.inner as deep", "import package.inner as low", SAME)._replace(
        after=put(MANY, ("import package.inner as deep", "import package.inner as low"), ("deep.value", "low.value"))
    ),
    Edit(
        "another name for a module file",
        MANY,
        {
            ("tools.py" if name == "helpers.py" else name): text.replace("helpers", "tools")
            for name, text in MANY.items()
        },
        SAME,
    ),
    Edit(
        "function moved to another module",
        {"pipeline.py": "from a import f\ndef builder(): return f()\n", "a.py": "K = 1\ndef f(): return K\n"},
        {"pipeline.py": "from b import f\ndef builder(): return f()\n", "b.py": "#\n\nK = 1\ndef f():\n    return K\n"},
        SAME,
    ),
    Edit(
        "two constants of one name",
        {
            "pipeline.py": "import a, b\ndef builder(): return a.f() + b.g()\n",
            "a.py": "K = 1\ndef f(): return K\n",
            "b.py": "K = 2\ndef g(): return K\n",
        },
        {
            "pipeline.py": "import a, b\ndef builder(): return a.f() + b.g()\n",
            "a.py": "K = 2\ndef f(): return K\n",
            "b.py": "K = 1\ndef g(): return K\n",
        },
        OTHER,
    ),
]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | Files], CodeIdentity]:
    """Writes a program into a folder of its own, imports it and identifies its builder."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    folders: list[Path] = []

    def load(text: str | Files) -> CodeIdentity:
        folder = tmp_path / f"program{len(folders)}"
        folders.append(folder)
        for name, content in put(text).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        before = set(sys.modules)
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        try:
            return identify(importlib.import_module("pipeline").builder)
        finally:
            sys.path.remove(str(folder))
            for name in set(sys.modules) - before:
                if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                    del sys.modules[name]

    return load


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_changes_the_identity_only_if_it_changes_the_meaning(
    edit: Edit, load: Callable[[str | Files], CodeIdentity]
) -> None:
    assert put(edit.before) != put(edit.after)
    before, after = load(edit.before), load(edit.after)
    assert (before.digest == after.digest) == (edit.effect == SAME)
    assert (before.parts == after.parts) == (edit.effect == SAME)
    if edit.changed:
        labels = {*before.parts, *after.parts}
        assert [each for each in labels if before.parts.get(each) != after.parts.get(each)] == [edit.changed]


def test_there_are_edits_both_ways() -> None:
    effects = [edit.effect for edit in EDITS]
    assert effects.count(SAME) >= 25
    assert effects.count(OTHER) >= 50
    assert len({edit.name for edit in EDITS}) == len(EDITS)
