"""Which names are a function's own: our reading of the syntax against the compiler's."""

from __future__ import annotations

import ast
import dis
import glob
import inspect
import os
import random
import textwrap
from types import CodeType

import pytest

from pylightnix.dsl.code.comparing import nested_codes
from pylightnix.dsl.code.scopes import Scope, Scopes
from pylightnix.dsl.code.sources import Source

LIBRARY = os.path.dirname(inspect.__file__)
FILES = sorted(glob.glob(f"{LIBRARY}/*.py") + glob.glob(f"{LIBRARY}/asyncio/*.py") + glob.glob(f"{LIBRARY}/email/*.py"))


def names_around(function: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[set[str], set[str]]:
    """The names that a function reads from around it, and those that it assigns there, in our reading."""
    scopes = Scopes()
    outside = Scope("outside", None)
    inner = scopes.open_function(function, outside)
    scopes.read(function.body, inner)
    return _free_names(function, scopes, inner) - scopes.assigned, scopes.assigned


def _free_names(function: ast.FunctionDef | ast.AsyncFunctionDef, scopes: Scopes, inner: Scope) -> set[str]:
    found: set[str] = set()
    stack: list[tuple[ast.AST, Scope]] = [(each, inner) for each in function.body]
    while stack:
        node, scope = stack.pop()
        if isinstance(node, ast.Name) and scope.resolve(node.id) is None:
            found.add(scope.mangled(node.id))
        elif isinstance(node, ast.AnnAssign) and scope.kind != "class":
            stack += [(each, scope) for each in (node.target, node.value) if each is not None]
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            first, *rest = node.generators
            body = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            stack.append((first.iter, scope))
            stack += [(each, scopes.of[id(node)]) for each in (first.target, *first.ifs, *rest, *body)]
        elif id(node) in scopes.of:
            stack += _parts_of_a_definition(node, scope, scopes.of[id(node)])
        else:
            stack += [(each, scope) for each in ast.iter_child_nodes(node)]
    return found


def _parts_of_a_definition(node: ast.AST, scope: Scope, inner: Scope) -> list[tuple[ast.AST, Scope]]:
    if isinstance(node, ast.ClassDef):
        around = [*node.decorator_list, *node.bases, *node.keywords]
        return [(each, scope) for each in around] + [(each, inner) for each in node.body]
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    defaults = [each for each in (*node.args.defaults, *node.args.kw_defaults) if each is not None]
    if isinstance(node, ast.Lambda):
        return [(each, scope) for each in defaults] + [(node.body, inner)]
    return [(each, scope) for each in (*defaults, *node.decorator_list)] + [(each, inner) for each in node.body]


def names_the_compiler_finds(code: CodeType) -> set[str]:
    """The globals and captured variables of a code object and of all inside it."""
    found = set(code.co_freevars) - {"__class__"}
    for each in (code, *nested_codes(code)):
        stored = {step.argval for step in dis.get_instructions(each) if step.opname == "STORE_NAME"}
        for step in dis.get_instructions(each):
            is_of_a_class = step.opname == "LOAD_NAME" and step.argval not in stored and step.argval != "__name__"
            if step.opname == "LOAD_GLOBAL" or is_of_a_class:
                found.add(step.argval)
    return found


def has_annotations_inside(function: ast.AST) -> bool:
    """Nested annotations are read by the code, and do not count for us."""
    nested = [each for each in ast.walk(function) if each is not function]
    return any(isinstance(each, ast.arg) and each.annotation for each in nested) or any(
        isinstance(each, ast.AnnAssign) or getattr(each, "returns", None) for each in nested
    )


@pytest.mark.skipif(not __debug__, reason="this compiler leaves out what asserts name")
def test_our_reading_of_names_is_the_compilers_on_the_standard_library() -> None:
    checked = 0
    for path in random.Random(1).sample(FILES, 40):
        with open(path, encoding="utf-8") as file:
            source = Source(path, file.read())
        for statement in source._statements:
            sites = [site for sites in statement._defined().values() for site in sites]
            for name in {site.name for site in sites if not isinstance(site.node, ast.ClassDef)}:
                for site in statement.functions(name, 0):
                    assert isinstance(site.node, (ast.FunctionDef, ast.AsyncFunctionDef))
                    if site.code is None or has_annotations_inside(site.node) or _in_class(site.homes):
                        continue
                    (ours, assigned), theirs = names_around(site.node), names_the_compiler_finds(site.code)
                    left_out = {"__debug__", "AssertionError", *assigned}  # the first two are the compiler's own
                    assert ours - left_out == theirs - left_out, f"{path}:{site.line}"
                    checked += 1
    assert checked > 200


def _in_class(homes: tuple[ast.AST, ...]) -> bool:
    """Private names need the class around, which `functions` knows and this test does not."""
    return any(isinstance(home, ast.ClassDef) for home in homes)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x = 1\nreturn x", ""),
        ("return x", "x"),
        ("for x in y: pass\nreturn x", "y"),
        ("with y as x: return x", "y"),
        ("try: pass\nexcept E as x: return x", "E"),
        ("import x.z\nreturn x", ""),
        ("import z as x\nreturn x", ""),
        ("def x(): return x\nreturn x", ""),
        ("class x: pass\nreturn x", ""),
        ("del x", ""),
        ("x += y", "y"),
        ("x: int\nreturn x", ""),
        ("global x\nreturn x", "x"),
        ("match y:\n  case {'a': x, **z}: return x, z\n  case [w, *v]: return w, v", "y"),
        ("match y:\n  case A.B | C(x): return x", "y A C"),
        ("return [x for x in y]", "y"),
        ("return [x for x in x]", "x"),
        ("return [(x := i) for i in y], x", "y"),
        ("return [y for x in z for y in x]", "z"),
        ("return lambda x, *y, z=w: (x, y, z, v)", "w v"),
        ("def f(x=x): return x", "x"),
        ("@x\ndef f(): pass", "x"),
        ("def f():\n  nonlocal x\n  x = 1\nx = 2", ""),
        ("def f():\n  global x\n  return x\nx = 2", "x"),
        ("class C:\n  x = 1\n  def f(self): return x", "x"),
        ("class C:\n  x = 1\n  y = [x for _ in z]", "z x"),
        ("class C:\n  x = 1\n  y = [i for i in x]", ""),
        ("class C(x, k=y): pass", "x y"),
        ("return f'{x:{y}}'", "x y"),
    ],
)
def test_bindings(body: str, expected: str) -> None:
    function = ast.parse(f"def f():\n{textwrap.indent(body, '    ')}").body[0]
    assert isinstance(function, ast.FunctionDef)
    assert names_around(function)[0] == set(expected.split())


def test_private_names_carry_the_class() -> None:
    scope = Scope("function", Scope("class", None, "_Net"))
    assert scope.mangled("__x") == "_Net__x"
    assert scope.mangled("__x__") == "__x__"
    assert scope.mangled("x") == "x"
    assert Scope("function", None).mangled("__x") == "__x"
