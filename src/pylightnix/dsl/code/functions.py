"""The part of one function: parameters, body, defaults, decorators, attributes.

Annotations do not count, unless a decorator that is neither the project's nor the standard library's may read them.
"""

from __future__ import annotations

import ast
import sys
from types import CodeType, FunctionType
from typing import Any

from pylightnix.dsl.code.comparing import nested_codes, steps
from pylightnix.dsl.code.naming import Naming
from pylightnix.dsl.code.objects import BUILDER, own_chain
from pylightnix.dsl.code.origins import is_own, may_read_annotations, qualname_of
from pylightnix.dsl.code.parts import Draft, Part, Pool, Token
from pylightnix.dsl.code.scopes import Scope, Scopes, all_arguments
from pylightnix.dsl.code.sites import Site
from pylightnix.dsl.code.snapshots import is_as_first_seen
from pylightnix.dsl.code.sources import Source, changed
from pylightnix.dsl.code.surroundings import Surroundings, around_definition, around_function, cells_of
from pylightnix.dsl.code.syntax import Writer
from pylightnix.dsl.code.values import encode, refer

_NOT_ATTRIBUTES = frozenset({"__wrapped__", "__annotations__", "__doc__", "__type_params__", BUILDER})


def function_part(pool: Pool, function: FunctionType, own: bool) -> Part:
    """The part of a function of the project.

    Args:
        pool: shared with the other parts.
        function: the function.
        own: whether its defaults are parameters of a configuration, and its first decorator makes a stage of it.

    Raises:
        CodeError: its file has changed since it was imported.
    """
    draft = Draft(pool, own_chain(function) if own else frozenset())
    found = pool.sources.locate(function)
    if found is None:
        tokens = _without_source(draft, function)
    else:
        source, site = found
        draft.files.add(source.filename)
        tokens = [*_written(draft, function, source, site), *_decorators(draft, function, source, site, own)]
    if not own:
        tokens += _defaults(draft, function)
    tokens += _attributes(draft, function)
    return draft.part(qualname_of(function), tokens)


def _written(draft: Draft, function: FunctionType, source: Source, site: Site) -> list[Token]:
    """What the source says."""
    node: Any = site.node
    scopes = Scopes()
    outside = Scope("outside", None, _owner(site))
    inner = scopes.open_function(node, outside)
    is_lambda = isinstance(node, ast.Lambda)
    scopes.read([node.body] if is_lambda else node.body, inner)
    writer = Writer(draft, scopes, around_function(function, source))
    body = [(node.body, inner)] if is_lambda else writer.body(node.body, inner)
    written = writer.write([f"({type(node).__name__}", writer.parameters(node.args), *body, ")"])
    if "__class__" in function.__code__.co_freevars:
        written += ["(class", *refer(draft, "__class__", _class_of(function)), ")"]
    return written


def _owner(site: Site) -> str | None:
    """The class around a function, whose name private names get."""
    for home in reversed(site.homes):
        if isinstance(home, ast.ClassDef):
            return home.name
    return None


def _class_of(function: FunctionType) -> Any:
    """The class that a method belongs to: the one with slots, where `dataclass(slots=True)` has made a second one."""
    try:
        first = cells_of(function)["__class__"].cell_contents
    except ValueError:
        return None
    found: Any = function.__globals__.get(first.__name__)
    is_same = isinstance(found, type) and found.__qualname__ == first.__qualname__
    return found if is_same and vars(found).get(function.__name__) is function else first


def _decorators(draft: Draft, function: FunctionType, source: Source, site: Site, own: bool) -> list[Token]:
    """The decorators that count: not those that make a stage, nor what stands above them."""
    listed = [] if isinstance(site.node, ast.Lambda) else site.node.decorator_list
    if not listed:
        return []
    if not is_as_first_seen(function.__code__, listed):
        raise changed(f"a decorator of {qualname_of(function)}", source.filename, site.line)
    around = around_definition(function.__globals__, cells_of(function), source, site.homes)
    kept = _below_stage(listed, around, own)
    scopes = Scopes()
    outside = Scope("outside", None, _owner(site))
    scopes.read(kept, outside)
    signature = _annotations(site.node) if any(may_read_annotations(around.decorator(each)) for each in kept) else []
    scopes.read(signature, outside)
    writer = Writer(draft, scopes, around)
    written = writer.write([(each, outside) for each in kept])
    if signature:
        written += ["annotations", *writer.write([(each, outside) for each in signature])]
    return ["(decorators", *written, ")"] if written else []


def _annotations(node: Any) -> list[ast.expr]:
    """The annotations of a function, as pairs of name and annotation, and that of what it returns."""
    pairs = [(each.arg, each.annotation) for each in all_arguments(node.args) if each.annotation is not None]
    pairs += [("return", node.returns)] if node.returns is not None else []
    return [piece for name, annotation in pairs for piece in (ast.Constant(name), annotation)]


def _below_stage(listed: list[ast.expr], around: Surroundings, own: bool) -> list[ast.expr]:
    first = 1 if own else 0
    for place, decorator in enumerate(listed):
        if is_own(around.decorator(decorator)):
            first = place + 1
    return listed[first:]


def _defaults(draft: Draft, function: FunctionType) -> list[Token]:
    code = function.__code__
    values = function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    given = dict(zip(names[len(names) - len(values) :], values, strict=True))
    given |= dict(sorted((function.__kwdefaults__ or {}).items()))
    tokens: list[Token] = []
    for name, value in given.items():
        tokens += [f".{name}", *encode(draft, value, f"{qualname_of(function)}({name})")]
    return ["(defaults", *tokens, ")"] if tokens else []


def _attributes(draft: Draft, function: FunctionType) -> list[Token]:
    """What was put on the function, and what it says it wraps."""
    tokens: list[Token] = []
    for name, value in sorted(vars(function).items()):
        if name not in _NOT_ATTRIBUTES and not is_own(value):
            tokens += [f".{name!a}", *encode(draft, value, f"{qualname_of(function)}.{name}")]
    wrapped = vars(function).get("__wrapped__")
    if wrapped is not None:
        tokens += ["wrapped", *encode(draft, wrapped, qualname_of(function))]
    return ["(attributes", *tokens, ")"] if tokens else []


def _without_source(draft: Draft, function: FunctionType) -> list[Token]:
    """The form of a function that was made from text which is gone: its bytecode, good for one version of Python."""
    code = function.__code__
    tag = sys.implementation.cache_tag
    why = f"it has no source, so its bytecode counts, which is another in every version of Python ({tag})"
    draft.leave_out(code.co_qualname, "a function without source", why)
    codes = [code, *nested_codes(code)]
    tokens: list[Token] = ["(bytecode", ascii(tag)]
    tokens += [f"({_shape(each)!a} {[_step(step) for step in steps(each)]!a})" for each in codes]
    naming = Naming(draft, around_function(function, None), set())
    outside = Scope("outside", None)
    for name in sorted(_names_of(codes)):
        tokens += [ascii(name), *naming.chain(ast.Name(name, ast.Load()), (), outside)]
    return [*tokens, ")"]


def _names_of(codes: list[CodeType]) -> set[str]:
    """The globals that code reads, and what the outermost function captures."""
    found = set(codes[0].co_freevars)
    for code in codes:
        found |= {str(argument) for name, argument in map(_named, steps(code)) if name in ("LOAD_GLOBAL", "LOAD_NAME")}
    return found


def _named(step: tuple[str, object]) -> tuple[str, object]:
    name, argument = step
    return name, argument[1] if isinstance(argument, tuple) and len(argument) == 2 else argument


def _step(step: tuple[str, object]) -> tuple[str, str]:
    name, argument = step
    return name, _plain(argument)


def _plain(argument: object) -> str:
    """A constant of an instruction as text, sets in order."""
    if isinstance(argument, frozenset):
        return f"{{{', '.join(sorted(_plain(each) for each in argument))}}}"
    if isinstance(argument, tuple):
        return f"({', '.join(_plain(each) for each in argument)})"
    return argument.__name__ if isinstance(argument, type) else ascii(argument)


def _shape(code: CodeType) -> tuple[object, ...]:
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    return (*counts, code.co_flags & 0xFFFFFF, code.co_varnames, code.co_freevars, code.co_cellvars)
