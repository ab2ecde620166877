"""Configuration values and their canonical encoding, there and back. Unaware of what an input is.

Encoded, a value is a JSON tree. What JSON lacks is a tagged object: one key that begins with "$". A dict of the user's
with such a key is written as a list of pairs (`$dict`), so no key of the user's is ever mistaken for a tag, not even
in the text: `{"$` in canonical JSON always begins a tagged object.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from pylightnix.errors import ConfigError

T = TypeVar("T")

MAX_DEPTH = 100
"""Levels of nesting that a value may have."""

_PLAIN_INT = 2**63
_PLAIN_CONTAINERS = frozenset({list, tuple, dict})


class Encoder(NamedTuple):
    """How values of a type that this module does not know become configuration, and come back."""

    tag: str
    encode: Callable[[Any], object]
    decode: Callable[[Any], object]


class Opaque(NamedTuple):
    """Stands for a value whose type is not at hand where it is read: its type's name and its encoded content."""

    type: str
    content: object


_encoders: dict[type, Encoder] = {}


def register_encoder(
    kind: type[T], encode: Callable[[T], object], decode: Callable[[Any], T], *, tag: str | None = None
) -> None:
    """Let values of a type stand in configurations.

    Args:
        kind: the type; its subclasses are not included.
        encode: gives configuration values of other types that say all there is to say about a value.
        decode: gives an equal value back from what `encode` gave.
        tag: the name of the type in the identity; default: its module and qualified name.
    """
    _encoders[kind] = Encoder(tag or type_tag(kind), encode, decode)


def type_tag(kind: type) -> str:
    """`module:qualified.name` of a type; a script is named as if it had been imported, so both are one type."""
    module = kind.__module__
    if module == "__main__":
        main = sys.modules.get("__main__")
        spec = getattr(main, "__spec__", None)
        file = getattr(main, "__file__", None)
        module = spec.name if spec is not None else PurePath(file).stem if file else "__main__"
    return f"{module}:{kind.__qualname__}"


class Encoding:
    """One encoding under way: the tree, the inputs found in it, and the types that decoding needs.

    Args:
        where: what stands before the path in errors: the name of the stage.
        input_of: gives a token for an object that is an input, None for any other.
        non_finite: whether NaN and infinities are taken (return values) or refused (configurations).
        typed: whether dataclasses, enums, paths and registered types are taken.
    """

    __slots__ = ("_input_of", "_non_finite", "_open", "_typed", "inputs", "types", "where")

    def __init__(
        self,
        where: str,
        input_of: Callable[[object], object | None] = lambda _: None,
        *,
        non_finite: bool = False,
        typed: bool = True,
    ) -> None:
        self.where = where
        self.inputs: list[Any] = []
        self.types: dict[str, object] = {}
        self._input_of = input_of
        self._non_finite = non_finite
        self._typed = typed
        self._open: list[int] = []

    def encode(self, value: Any, path: str) -> Any:
        """The JSON tree of a value; `ConfigError` names the path of what cannot stand in it."""
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if -_PLAIN_INT < value < _PLAIN_INT else {"$int": hex(value)}
        if kind is str:
            return self._text(value, path)
        if kind is float:
            return value if math.isfinite(value) else self._not_finite(value, path)
        if kind not in _PLAIN_CONTAINERS:
            token = self._input_of(value)
            if token is not None:
                self.inputs.append(token)
                return {"$slot": len(self.inputs) - 1}
        if len(self._open) >= MAX_DEPTH:
            raise self._refuse(
                path, f"nesting deeper than {MAX_DEPTH} levels", "give a flatter value, or a file as an input"
            )
        if id(value) in self._open:
            raise self._refuse(path, "a value that contains itself", "a configuration is a tree: break the cycle")
        self._open.append(id(value))
        try:
            return self._container(kind, value, path)
        finally:
            self._open.pop()

    def _container(self, kind: type, value: Any, path: str) -> Any:
        if kind is list:
            return [self.encode(item, f"{path}[{i}]") for i, item in enumerate(value)]
        if kind is tuple:
            return {"$tuple": [self.encode(item, f"{path}[{i}]") for i, item in enumerate(value)]}
        if kind is dict or kind is MappingProxyType:
            return self._dict(value, path)
        if kind in _encoders and self._typed:
            encoder = _encoders[kind]
            self.types[encoder.tag] = encoder
            return {"$custom": {"type": encoder.tag, "value": self.encode(encoder.encode(value), path)}}
        if isinstance(value, enum.Enum) and self._typed:
            if isinstance(value, enum.Flag):
                raise self._refuse(path, f"a flag, {value!r}", "give its value, or a list of members")
            meaning = self.encode(value.value, f"{path}.value")
            return {"$enum": {"type": self._remember(kind), "name": value.name, "value": meaning}}
        if dataclasses.is_dataclass(value) and not isinstance(value, type) and self._typed:
            return self._dataclass(kind, value, path)
        if isinstance(value, PurePath) and self._typed:
            return {"$path": self._text(value.as_posix(), path)}
        scalar = _numpy_scalar(value)
        if scalar is not None:
            return self.encode(scalar, path)
        found, hint = _describe(value)
        raise self._refuse(path, found, hint if self._typed else "return plain values, or write it to a promised file")

    def _dict(self, value: Mapping[Any, Any], path: str) -> Any:
        tree: dict[str, Any] = {}
        tagged = False
        for key, item in value.items():
            if type(key) is not str:
                raise self._refuse(
                    path, f"a dict key that is no str: {key!r}", "make the keys str, or give a list of pairs"
                )
            self._text(key, f"{path}[{key!r}]")
            tagged = tagged or key.startswith("$")
            tree[key] = self.encode(item, f"{path}[{key!r}]")
        return {"$dict": [[key, tree[key]] for key in sorted(tree)]} if tagged else tree

    def _dataclass(self, kind: type, value: Any, path: str) -> Any:
        if not _can_be_made_again(kind):
            found = f"a dataclass that cannot be made again from its fields, {kind.__qualname__},"
            raise self._refuse(path, found, "let its __init__ take its fields and no more, or see register_encoder")
        fields = {f.name: self.encode(getattr(value, f.name), f"{path}.{f.name}") for f in dataclasses.fields(value)}
        return {"$dataclass": {"type": self._remember(kind), "fields": fields}}

    def _remember(self, kind: type) -> str:
        tag = type_tag(kind)
        self.types[tag] = kind
        return tag

    def _text(self, value: str, path: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self._refuse(
                path, f"a str with a lone surrogate, {value!r}", "give text that UTF-8 can encode"
            ) from None
        return value

    def _not_finite(self, value: float, path: str) -> Any:
        if not self._non_finite:
            raise self._refuse(
                path, f"the float {value!r}", "NaN and infinities have no place in a name: give None or a str"
            )
        return {"$float": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}

    def _refuse(self, path: str, found: str, hint: str) -> ConfigError:
        place = f"{self.where}({path})" if self._typed else f"{self.where} returned {path}"
        what = "is no configuration value" if self._typed else "is no JSON value"
        return ConfigError(f"{found} {what}", where=place, hint=hint, path=path, found=found)


def _numpy_scalar(value: object) -> object | None:
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.generic):
        return None
    item = value.item()
    return item if type(item) in (bool, int, float, str) else None


def _describe(value: object) -> tuple[str, str]:
    """What was found, and what to do about it."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    if isinstance(value, type):
        return f"the class {value.__qualname__}", "name it in the stage's code instead, where it is followed"
    if callable(value) and not hasattr(value, "shape"):
        return f"a function ({name})", "name it in the stage's code instead, where it is followed"
    if isinstance(value, (set, frozenset)):
        return f"a {name}", "give sorted(…): a list has an order"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{name}", "give text (.hex()), or put the bytes in a file that a stage makes"
    if getattr(value, "shape", None) == ():
        return f"a {name}", "give int(…), float(…) or str(…) of it"
    if hasattr(value, "shape") or hasattr(value, "__array__"):
        return f"an array ({name})", "give .tolist() if it is small, else make it in a stage and give that as an input"
    if hasattr(value, "isoformat"):
        return f"a {name}", "give .isoformat()"
    return f"an object of type {name}", "give plain values, a dataclass, or see register_encoder"


def decode(tree: Any, types: Mapping[str, object], given: Callable[[int], object] | None = None) -> Any:
    """The value that a tree encodes.

    Args:
        tree: what `Encoding.encode` gave, fresh or read from a file.
        types: the types met while encoding; a value of another type comes back as `Opaque`.
        given: what stands at the slot of this index.
    """
    kind = type(tree)
    if kind is list:
        return [decode(item, types, given) for item in tree]
    if kind is not dict:
        return tree
    if len(tree) == 1:
        (tag, content), *_ = tree.items()
        if tag.startswith("$"):
            return _decode_tagged(tag, content, types, given)
    return {key: decode(item, types, given) for key, item in tree.items()}


def _decode_tagged(tag: str, content: Any, types: Mapping[str, object], given: Callable[[int], object] | None) -> Any:
    match tag:
        case "$tuple":
            return tuple(decode(item, types, given) for item in content)
        case "$dict":
            return {key: decode(item, types, given) for key, item in content}
        case "$slot" if given is not None:
            return given(content)
        case "$int":
            return int(content, 16)
        case "$float":
            return float(content)
        case "$path":
            return Path(content)
        case "$enum":
            kind = types.get(content["type"])
            return (
                kind[content["name"]] if isinstance(kind, enum.EnumType) else Opaque(content["type"], content["name"])
            )
        case "$dataclass":
            fields = {key: decode(item, types, given) for key, item in content["fields"].items()}
            kind = types.get(content["type"])
            return _make_dataclass(kind, fields) if isinstance(kind, type) else Opaque(content["type"], fields)
        case "$custom":
            value = decode(content["value"], types, given)
            encoder = types.get(content["type"])
            return encoder.decode(value) if isinstance(encoder, Encoder) else Opaque(content["type"], value)
        case _:
            return Opaque(tag, content)


@functools.lru_cache(maxsize=256)
def _can_be_made_again(kind: type) -> bool:
    """Whether the `__init__` of a dataclass takes its fields, and needs nothing else (an `InitVar`, say)."""
    fields = {f.name for f in dataclasses.fields(kind) if f.init}
    parameters = inspect.signature(kind).parameters.values()
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    needed = {p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    return needed <= fields and (takes_any or fields <= {p.name for p in parameters})


def _make_dataclass(kind: type, fields: dict[str, Any]) -> Any:
    """Make an instance with exactly these fields: what `__post_init__` did to them is in them already."""
    taken = {f.name for f in dataclasses.fields(kind) if f.init}
    value = kind(**{name: item for name, item in fields.items() if name in taken})
    for name, item in fields.items():
        object.__setattr__(value, name, item)
    return value


def encode_value(value: object, stage: str) -> Any:
    """The JSON tree of a stage's return value; NaN, infinities and tuples are tagged objects in it."""
    return Encoding(stage, non_finite=True, typed=False).encode(value, "value")
