"""Types of the standard library (and dtypes) whose values can be said in full, as pieces of a form.

Types are known by name, so that none of their modules is imported for this.
"""

from __future__ import annotations

import collections
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any

from pylightnix.dsl.code.parts import Draft
from pylightnix.dsl.code.pieces import Child, Members, Piece
from pylightnix.dsl.code.scalars import word


def well_known_pieces(draft: Draft, value: Any, path: str) -> list[Piece] | None:
    """The pieces of a value of a well-known type; None for any other."""
    kind = type(value)
    maker = _BY_TYPE.get(kind) or _BY_NAME.get(f"{kind.__module__}.{kind.__qualname__}")
    if maker is not None:
        return [f"({kind.__name__}", *maker(value, path), ")"]
    if issubclass(kind, PurePath) and kind.__module__.partition(".")[0] == "pathlib":
        return [f"(Path {value.as_posix()!a})"]
    if kind.__module__ == "typing" or issubclass(kind, (types.GenericAlias, types.UnionType)):
        return _typing(value, path)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.dtype):
        return [f"(dtype {value!a})"]
    return None


def _items(value: Iterable[Any], path: str) -> list[Piece]:
    return [word(each) or Child(each, f"{path}[{place}]") for place, each in enumerate(value)]


def _pairs(value: Mapping[Any, Any], path: str) -> list[Piece]:
    pieces: list[Piece] = []
    for key, each in value.items():
        inner = f"{path}[{key!r}]" if type(key) in (str, int) else f"{path}[…]"
        pieces += [word(key) or Child(key, inner), word(each) or Child(each, inner)]
    return pieces


def _defaultdict(value: Any, path: str) -> list[Piece]:
    return [Child(value.default_factory, f"{path}.default_factory"), *_pairs(value, path)]


def _deque(value: Any, path: str) -> list[Piece]:
    return [ascii(value.maxlen), *_items(value, path)]


def _members(value: Any, path: str) -> list[Piece]:
    return [Members(tuple(value), path)]


def _namespace(value: Any, path: str) -> list[Piece]:
    return _pairs(dict(sorted(vars(value).items())), path)


def _moment(value: Any, path: str) -> list[Piece]:
    plain = value.replace(tzinfo=None).isoformat()
    return [ascii(plain), str(value.fold), Child(value.tzinfo, f"{path}.tzinfo")]


def _reduced(value: Any, path: str) -> list[Piece]:
    return _items(value.__reduce__(), path)


def _bounds(value: Any, path: str) -> list[Piece]:
    return _items((value.start, value.stop, value.step), path)


def _typing(value: Any, path: str) -> list[Piece]:
    """Types as values: seldom more than annotations, so names are enough where there are no arguments."""
    origin, arguments = typing.get_origin(value), typing.get_args(value)
    if origin is None:
        name = getattr(value, "__name__", None) or getattr(value, "_name", None) or type(value).__name__
        return [f"(typing {name!a})"]
    head: Piece = "Union" if origin in (typing.Union, types.UnionType) else Child(origin, path)
    return ["(typing", head, *_items(arguments, path), ")"]


Maker: typing.TypeAlias = Callable[[Any, str], list[Piece]]

_BY_TYPE: dict[type, Maker] = {
    list: _items,
    tuple: _items,
    dict: _pairs,
    collections.OrderedDict: _pairs,
    collections.Counter: _pairs,
    types.MappingProxyType: _pairs,
    collections.defaultdict: _defaultdict,
    collections.deque: _deque,
    set: _members,
    frozenset: _members,
    types.SimpleNamespace: _namespace,
    range: _bounds,
    slice: _bounds,
    object: lambda value, path: [],
}

_BY_NAME: dict[str, Maker] = {
    "re.Pattern": lambda value, path: [*_items((value.pattern,), path), str(value.flags)],
    "decimal.Decimal": lambda value, path: [ascii(str(value))],
    "fractions.Fraction": lambda value, path: [str(value)],
    "uuid.UUID": lambda value, path: [value.hex],
    "datetime.date": lambda value, path: [value.isoformat()],
    "datetime.time": _moment,
    "datetime.datetime": _moment,
    "datetime.timedelta": lambda value, path: [f"{value.days} {value.seconds} {value.microseconds}"],
    "datetime.timezone": lambda value, path: [Child(value.utcoffset(None), path)],
    "zoneinfo.ZoneInfo": lambda value, path: [ascii(value.key)],
    "operator.itemgetter": _reduced,
    "operator.attrgetter": _reduced,
    "operator.methodcaller": _reduced,
}
