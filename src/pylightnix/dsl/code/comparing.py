"""Whether two code objects do the same, as far as one interpreter can tell: to notice a file that has changed."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType
from typing import Any

_CLASS_NOISE = frozenset({"__doc__", "__firstlineno__", "__static_attributes__"})
_FLAGS = 0xFFFFFF & ~0x100
"""All flags but those of a docstring, and of a generator that a decorator made awaitable."""

_SKIPPED = frozenset({"EXTENDED_ARG", "CACHE", "NOP", "RESUME"})


def nested_codes(code: CodeType) -> Iterator[CodeType]:
    """The code objects inside a code object, at any depth, in a fixed order."""
    stack = [code]
    while stack:
        for constant in reversed(stack.pop().co_consts):
            if isinstance(constant, CodeType):
                yield constant
                stack.append(constant)


def same_code(one: CodeType, other: CodeType) -> bool:
    """Whether two code objects are the same but for positions and docstrings."""
    stack = [(one, other)]
    while stack:
        a, b = stack.pop()
        if a is b:
            continue
        inner_a, inner_b = _inner(a), _inner(b)
        if len(inner_a) != len(inner_b) or not (_same_tables(a, b) or _same_steps(a, b)):
            return False
        stack.extend(zip(inner_a, inner_b, strict=True))
    return True


def was_rewritten(code: CodeType) -> bool:
    """Whether a tool put its own names into the code, as pytest does for `assert`."""
    return any(
        name.startswith("@") for each in (code, *nested_codes(code)) for name in (*each.co_names, *each.co_varnames)
    )


def contains(rewritten: CodeType, plain: CodeType) -> bool:
    """Whether code that a tool has rewritten still has every argument, name and constant of the plain code."""
    if rewritten.co_varnames[: _arguments(rewritten)] != plain.co_varnames[: _arguments(plain)]:
        return False
    return _vocabulary(plain) <= _vocabulary(rewritten)


def _arguments(code: CodeType) -> int:
    return code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)


def _vocabulary(code: CodeType) -> set[object]:
    found: set[object] = set()
    for each in (code, *nested_codes(code)):
        found |= {*each.co_names, *each.co_varnames, *each.co_freevars, *each.co_cellvars}
        found |= {_constant(item) for item in each.co_consts[1:] if not isinstance(item, CodeType)}
    return found


def _inner(code: CodeType) -> list[CodeType]:
    return [item for item in code.co_consts if isinstance(item, CodeType)]


def _signature(code: CodeType) -> tuple[object, ...]:
    return (
        code.co_name, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_varnames,
        code.co_freevars, code.co_cellvars, code.co_flags & _FLAGS,
    )  # fmt: skip


def _same_tables(a: CodeType, b: CodeType) -> bool:
    return (
        _signature(a) == _signature(b)
        and a.co_code == b.co_code
        and a.co_names == b.co_names
        and a.co_exceptiontable == b.co_exceptiontable
        and [_constant(item) for item in a.co_consts] == [_constant(item) for item in b.co_consts]
    )


def _same_steps(a: CodeType, b: CodeType) -> bool:
    """The slow comparison: instruction by instruction, so that an unused constant (a docstring) does not matter."""
    return _signature(a) == _signature(b) and steps(a) == steps(b)


def steps(code: CodeType) -> list[tuple[str, object]]:
    """The instructions with what they refer to; jumps name the instruction, inner code objects their place."""
    kept = [step for step in dis.get_instructions(code) if step.opname not in _SKIPPED]
    places = {step.offset: place for place, step in enumerate(kept)}
    inner = 0
    found: list[tuple[str, object]] = []
    for step in kept:
        argument: object
        if isinstance(step.argval, CodeType):
            argument, inner = ("code", inner), inner + 1
        elif step.opcode in dis.hasjrel or step.opcode in dis.hasjabs:
            argument = ("to", _place(places, step.argval))
        else:
            argument = _constant(step.argval)
        if step.opname == "STORE_NAME" and step.argval in _CLASS_NOISE and found:
            found.pop()
        else:
            found.append((step.opname, argument))
    return found


def _place(places: dict[int, int], offset: int) -> int:
    """The instruction at an offset, or the next one that is kept."""
    last = max(places, default=0)
    while offset not in places and offset <= last:
        offset += 2
    return places.get(offset, -1)


def _constant(item: Any) -> object:
    """A constant so that 1, 1.0, True and -0.0 differ; code objects are compared by themselves."""
    kind = type(item)
    if kind is CodeType:
        return CodeType
    if kind is tuple:
        return (kind, *(_constant(each) for each in item))
    if kind is frozenset:
        return (kind, frozenset(_constant(each) for each in item))
    if kind is float or kind is complex:
        return (kind, repr(item))
    if kind is slice:
        return (kind, _constant(item.start), _constant(item.stop), _constant(item.step))
    return (kind, item)
