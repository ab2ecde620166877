"""Configuration values: what may stand there, how it is encoded, and that it comes back as it was."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import struct
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylightnix.errors import ConfigError
from pylightnix.hashing import canonical
from pylightnix.model import config
from pylightnix.model.config import MAX_DEPTH, Encoding, Opaque, decode, encode_value, register_encoder, type_tag


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"
    CRIMSON = "r"  # noqa: PIE796, an alias is meant


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Word(enum.StrEnum):
    ONE = "one"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Options:
    rate: float
    steps: list[int] = dataclasses.field(default_factory=list)
    color: Color = Color.RED


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    inner: Options
    where: Path = Path("data")


@dataclasses.dataclass
class Doubled:
    """Its `__post_init__` changes what it was given, and makes more of it."""

    size: int
    area: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.size *= 2
        self.area = self.size**2
        self.note = f"size {self.size}"


@dataclasses.dataclass
class NeedsMore:
    size: int
    extra: dataclasses.InitVar[int]


@dataclasses.dataclass(init=False)
class OwnInit:
    size: int

    def __init__(self, width: int) -> None:
        self.size = width


class Plain:
    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and self.x == other.x

    def __hash__(self) -> int:
        return hash(self.x)


@pytest.fixture
def plain_is_known() -> Any:
    register_encoder(Plain, lambda plain: [plain.x], lambda content: Plain(content[0]), tag="test:Plain")
    yield
    config._encoders.pop(Plain)


def encode(value: object) -> Any:
    return Encoding("model").encode(value, "opt")


def there_and_back(value: object) -> Any:
    """Through text, as from a file."""
    encoding = Encoding("model")
    text = canonical(encoding.encode(value, "opt"))
    return decode(json.loads(text), encoding.types)


def form(value: Any) -> Any:
    """A value with its types and all bits spelled out; the order of dicts does not matter."""
    if isinstance(value, float):
        return ("float", struct.pack(">d", value))
    if isinstance(value, (list, tuple)):
        return (type(value), [form(item) for item in value])
    if isinstance(value, dict):
        return (dict, sorted((key, form(item)) for key, item in value.items()))
    return (type(value), repr(value))


# strings that look like ours, and the numbers at the edges of JSON and of machine words
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from([
    "$slot", "$dict", "$tuple", "$derivation", "$", "0" * 40 + "-model", '{"$slot":0}', '\\"$slot":0}', "\u2028",
])  # fmt: skip
EDGES = [
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) + 1,
    2**64,
    10**400,
    -0.0,
    0.0,
    5e-324,
    1e16,
    1e22,
    0.1,
    1.0,
    1,
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS | st.sampled_from(EDGES),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@given(VALUES)
def test_a_value_comes_back_as_it_was(value: object) -> None:
    assert form(there_and_back(value)) == form(value)


@given(VALUES, VALUES)
def test_two_values_have_two_encodings_and_one_value_has_one(one: object, other: object) -> None:
    same = form(one) == form(other)
    assert (canonical(encode(one)) == canonical(encode(other))) is same


@given(st.dictionaries(TEXTS, SCALARS))
def test_the_order_of_a_dict_never_matters(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical(encode(turned)) == canonical(encode(value))


@given(VALUES)
def test_a_tag_in_the_text_is_always_ours(value: object) -> None:
    encoding = Encoding("model", lambda found: found if isinstance(found, Plain) else None)
    text = canonical(encoding.encode([value, Plain(1)], "opt")).decode()
    assert text.count('{"$slot":') == 1


def test_values_that_are_equal_in_python_are_told_apart() -> None:
    values = [1, 1.0, True, "1", 0, 0.0, -0.0, False, None, "", [], (), {}, [1], (1,), {"a": 1}, ["a", 1], Level.LOW]
    values += [Color.RED, "RED", "r", Word.ONE, "one", Path("a"), "a", Options(1.0), {"rate": 1.0}, np.float64(2), 2]
    encodings = [canonical(encode(value)) for value in values]
    assert len(set(encodings)) == len(values)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ([1, 1.0, True, "1"], '[1,1.0,true,"1"]'),
        (-0.0, "-0.0"),
        (1e16, "1e+16"),
        (2**63, '{"$int":"0x8000000000000000"}'),
        (-(2**63), '{"$int":"-0x8000000000000000"}'),
        (2**63 - 1, "9223372036854775807"),
        ((1, [2]), '{"$tuple":[1,[2]]}'),
        ({"b": 1, "a": {}}, '{"a":{},"b":1}'),
        ({"$x": 1, "a": 2}, '{"$dict":[["$x",1],["a",2]]}'),
        ({"a$": 1}, '{"a$":1}'),
        (Path("data/x"), '{"$path":"data/x"}'),
        (Level.HIGH, '{"$enum":{"name":"HIGH","type":"T:Level","value":2}}'),
        (Options(0.5, [1]), '{"$dataclass":{"fields":{"color":{"$enum":{"name":"RED","type":"T:Color","value":"r"}},'
                            '"rate":0.5,"steps":[1]},"type":"T:Options"}}'),
    ],
)  # fmt: skip
def test_the_encoding_is_written_down(value: object, text: str) -> None:
    assert canonical(encode(value)).decode().replace(__name__, "T") == text


@pytest.mark.parametrize(
    "value",
    [
        Color.GREEN, Level.LOW, Word.ONE, Options(1.5, [1, 2], Color.GREEN), Frozen(Options(1.0), Path("x/y")),
        {"a": [Options(0.1)]}, Path("/abs/x"), Path("."), Doubled(3), [Level.LOW, Path("a"), (Color.RED,)],
    ],
)  # fmt: skip
def test_types_come_back(value: object) -> None:
    again = there_and_back(value)
    assert type(again) is type(value)
    assert again == value


def test_what_post_init_did_is_done_once() -> None:
    again = there_and_back(Doubled(3))
    assert (again.size, again.area) == (6, 36)
    assert hasattr(again, "note")


def test_an_alias_is_the_member_that_it_stands_for() -> None:
    assert encode(Color.CRIMSON) == encode(Color.RED)


def test_an_enum_stands_there_with_its_value_since_the_builder_sees_it() -> None:
    def make(value: object) -> enum.Enum:
        kind: Any = enum.Enum("Mode", {"FAST": value}, module="m", qualname="Mode")  # type: ignore[misc]
        return kind.FAST

    assert encode(make(1)) == encode(make(1))
    assert encode(make(1)) != encode(make(2))
    with pytest.raises(ConfigError) as caught:
        encode(make({1, 2}))
    assert caught.value.where == "model(opt.value)"


def test_paths_are_paths_whatever_their_flavour() -> None:
    assert encode(PurePosixPath("a/b")) == encode(Path("a/b")) == encode(PureWindowsPath("a\\b"))
    assert there_and_back(PurePosixPath("a")) == Path("a")


def test_a_read_only_dict_is_a_dict() -> None:
    assert encode(MappingProxyType({"a": 1})) == encode({"a": 1})


@pytest.mark.parametrize(
    ("scalar", "plain"),
    [
        (np.int8(5), 5),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([1, 2])[0], 1),
    ],
)
def test_numpy_scalars_become_python_scalars(scalar: object, plain: object) -> None:
    assert encode(scalar) == encode(plain)
    assert form(there_and_back([scalar])) == form([plain])


def test_the_encoding_is_a_snapshot() -> None:
    steps = [1]
    tree = encode({"steps": steps})
    steps.append(2)
    assert tree == {"steps": [1]}


# What is refused.


def _holding_itself() -> list[Any]:
    value: list[Any] = [1]
    value.append({"again": (value,)})
    return value


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


Pair = namedtuple("Pair", "a b")  # noqa: PYI024, the untyped kind is meant
REFUSED: list[tuple[object, str, str]] = [
    (math.nan, "the float nan", ""),
    (math.inf, "the float inf", ""),
    (np.float64("-inf"), "the float -inf", ""),
    ({1, 2}, "a set", ""),
    (frozenset(), "a frozenset", ""),
    (b"x", "bytes", ""),
    (bytearray(b"x"), "bytearray", ""),
    (memoryview(b"x"), "memoryview", ""),
    ("\ud800", "lone surrogate", ""),
    (Path("\udcff"), "lone surrogate", ""),
    (np.str_("\ud800"), "lone surrogate", ""),
    (len, "a function", ""),
    (lambda: 1, "a function", ""),
    (Options, "the class Options", ""),
    (Color, "the class Color", ""),
    (int, "the class int", ""),
    (np.zeros(2), "an array (numpy.ndarray)", ""),
    (np.longdouble(1), "a numpy.longdouble", ""),
    (np.array(1), "a numpy.ndarray", ""),
    (np.datetime64("2020-01-01"), "a numpy.datetime64", ""),
    (datetime.date(2020, 1, 1), "a datetime.date", ""),
    (datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), "a datetime.datetime", ""),
    (1j, "an object of type complex", ""),
    (decimal.Decimal(1), "an object of type decimal.Decimal", ""),
    (object(), "an object of type object", ""),
    (SimpleNamespace(), "an object of type types.SimpleNamespace", ""),
    (Pair(1, 2), "an object of type", ""),
    (OrderedDict(), "an object of type collections.OrderedDict", ""),
    (defaultdict(int), "an object of type collections.defaultdict", ""),
    (range(3), "an object of type range", ""),
    (iter([]), "an object of type list_iterator", ""),
    (Access.READ, "a flag", ""),
    (Access.READ | Access.WRITE, "a flag", ""),
    (NeedsMore(1, 2), "a dataclass that cannot be made again", ""),
    (OwnInit(1), "a dataclass that cannot be made again", ""),
    ({1: 2}, "a dict key that is no str: 1", ""),
    ({None: 2}, "a dict key that is no str: None", ""),
    ({"\ud800": 1}, "lone surrogate", "['\\ud800']"),
    (_holding_itself(), "a value that contains itself", "[1]['again'][0]"),
    (_nested(MAX_DEPTH + 1), "nesting deeper than", "[0]" * MAX_DEPTH),
    (_nested(10_000), "nesting deeper than", "[0]" * MAX_DEPTH),
    ([1, [math.nan]], "the float nan", "[1][0]"),
    ((1, math.nan), "the float nan", "[1]"),
    ({"a": {"b": {1}}}, "a set", "['a']['b']"),
    (Options(1.0, [1, 2, b"x"]), "bytes", ".steps[2]"),  # type: ignore[list-item]
    (Frozen(Options(math.inf)), "the float inf", ".inner.rate"),
]


@pytest.mark.parametrize(("value", "found", "below"), REFUSED, ids=lambda _: "")
def test_what_is_no_configuration_is_refused_by_its_path(value: object, found: str, below: str) -> None:
    with pytest.raises(ConfigError) as caught:
        encode(value)
    assert found in caught.value.what
    assert caught.value.what.endswith("is no configuration value")
    assert caught.value.where == f"model(opt{below})"
    assert caught.value.fields["path"] == f"opt{below}"
    assert caught.value.hint
    json.dumps(caught.value.fields)


def test_nesting_is_taken_up_to_the_limit() -> None:
    assert form(there_and_back(_nested(MAX_DEPTH))) == form(_nested(MAX_DEPTH))


def test_the_same_object_twice_is_no_cycle() -> None:
    shared = [1]
    assert there_and_back([shared, {"a": shared}]) == [[1], {"a": [1]}]


def test_a_refusal_leaves_the_encoding_usable() -> None:
    encoding = Encoding("model")
    value = [math.nan]
    for _ in range(2):
        with pytest.raises(ConfigError, match="nan"):
            encoding.encode(value, "opt")
    value[0] = 1.0
    assert encoding.encode(value, "opt") == [1.0]


# Types that others register.


@pytest.mark.usefixtures("plain_is_known")
def test_a_registered_type_comes_back() -> None:
    assert encode(Plain(3)) == {"$custom": {"type": "test:Plain", "value": [3]}}
    assert there_and_back({"a": [Plain(3)]}) == {"a": [Plain(3)]}


@pytest.mark.usefixtures("plain_is_known")
def test_subclasses_of_a_registered_type_are_not_included() -> None:
    class Special(Plain):
        pass

    with pytest.raises(ConfigError, match="Special"):
        encode(Special(1))


def test_an_unregistered_type_is_refused_and_the_hint_names_the_way() -> None:
    with pytest.raises(ConfigError, match="register_encoder"):
        encode(Plain(3))


def test_what_an_encoder_gives_is_checked_too() -> None:
    bad: list[Callable[[Plain], object]] = [lambda p: {p.x}, lambda p: p, lambda p: Plain(p.x)]
    for function in bad:
        register_encoder(Plain, function, lambda content: Plain(1))
        try:
            with pytest.raises(ConfigError):
                encode(Plain(3))
        finally:
            config._encoders.pop(Plain)


def test_the_tag_of_a_type_is_where_it_is_found() -> None:
    assert type_tag(Options) == f"{__name__}:Options"
    assert type_tag(dict) == "builtins:dict"

    class Local:
        pass

    assert type_tag(Local).endswith(":test_the_tag_of_a_type_is_where_it_is_found.<locals>.Local")


def test_a_script_is_named_as_if_it_had_been_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    import __main__

    class Here:
        pass

    Here.__module__, Here.__qualname__ = "__main__", "Here"
    monkeypatch.setattr(__main__, "__spec__", None)
    monkeypatch.setattr(__main__, "__file__", "/some/where/train.py", raising=False)
    assert type_tag(Here) == "train:Here"
    monkeypatch.setattr(__main__, "__spec__", SimpleNamespace(name="package.train"))
    assert type_tag(Here) == "package.train:Here"


def test_without_the_type_at_hand_a_value_is_opaque() -> None:
    tree = json.loads(canonical(encode({"o": Options(1.0), "c": Color.RED, "p": Path("x")})))
    shown = decode(tree, {})
    assert shown["p"] == Path("x")
    assert shown["c"] == Opaque(type_tag(Color), "RED")
    assert shown["o"].type == type_tag(Options)
    assert shown["o"].content["rate"] == 1.0
    assert decode({"$later": 1}, {}) == Opaque("$later", 1)


# Inputs.


def test_inputs_get_slots_in_the_order_in_which_they_stand() -> None:
    one, two = Plain(1), Plain(2)
    encoding = Encoding("model", lambda found: found.x if isinstance(found, Plain) else None)
    tree = encoding.encode({"a": [one, {"b": two}], "c": (one,)}, "opt")
    assert encoding.inputs == [1, 2, 1]
    assert tree == {"a": [{"$slot": 0}, {"b": {"$slot": 1}}], "c": {"$tuple": [{"$slot": 2}]}}
    assert decode(tree, {}, lambda index: f"input {index}") == {"a": ["input 0", {"b": "input 1"}], "c": ("input 2",)}


def test_nothing_of_the_users_is_a_slot() -> None:
    value: Mapping[str, Any] = {"$slot": 0, "x": {"$slot": 1}}
    tree = encode(value)
    assert decode(tree, {}, lambda index: "an input") == value


# Return values.


@given(VALUES)
def test_a_return_value_comes_back(value: object) -> None:
    assert form(decode(json.loads(canonical(encode_value(value, "model"))), {})) == form(value)


def test_return_values_may_be_nan_and_infinite() -> None:
    tree = encode_value({"a": [math.nan, math.inf, -math.inf, np.float32("nan")]}, "model")
    assert tree == {"a": [{"$float": "nan"}, {"$float": "inf"}, {"$float": "-inf"}, {"$float": "nan"}]}
    nan, inf, minus, _ = decode(json.loads(canonical(tree)), {})["a"]
    assert math.isnan(nan)
    assert (inf, minus) == (math.inf, -math.inf)


def test_every_nan_is_one_nan() -> None:
    other = struct.unpack(">d", b"\xff\xf8\x00\x00\x00\x00\x00\x01")[0]
    assert encode_value(other, "model") == encode_value(math.nan, "model")


@pytest.mark.parametrize("value", [Options(1.0), Color.RED, Path("x"), {1}, b"x", object(), np.zeros(1), len])
def test_return_values_are_json(value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        encode_value({"a": [value]}, "model")
    assert caught.value.where == "model returned value['a'][0]"
    assert caught.value.what.endswith("is no JSON value")
    assert caught.value.hint == "return plain values, or write it to a promised file"
