"""The documents of a store: what is written is read back, and what is damaged is refused, whatever was damaged."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import canonical, digest_bytes, kind_tag
from pylightnix.model.config import encode_value
from pylightnix.model.records import (
    InputChoice,
    PromiseRecord,
    Record,
    Run,
    hash_realization,
    hash_value,
    make_context,
    seed_of,
)
from pylightnix.names import DerivationRef, KeyRef, RealizationRef
from pylightnix.store.documents import (
    check_times,
    parse_context,
    parse_derivation,
    parse_record,
    parse_run,
    record_bytes,
    run_bytes,
)

KEY, TREE, MADE_IN, OTHER = ("0123456789abcdef" * 4, "a" * 64, "b" * 64, "c" * 64)
HOME = KeyRef.of(KEY, "model")


def record(
    value: Any = None, promises: dict[str, PromiseRecord] | None = None, size: int = 12, files: int = 1
) -> Record:
    ref = RealizationRef.of(hash_realization(KEY, TREE, hash_value(value)), "model")
    kept = {"weights": PromiseRecord("w.bin", "file", OTHER)} if promises is None else promises
    return Record(ref, HOME, KEY, TREE, value, kept, size, files, MADE_IN)


def parse(data: bytes, like: Record | None = None) -> Record:
    return parse_record("record.json", data, (like or record()).ref.digits, HOME)


def fields(found: Record) -> dict[str, Any]:
    return {name: getattr(found, name) for name in Record.__slots__ if not name.startswith("_")}


def test_a_record_has_this_form() -> None:
    data = record_bytes(record({"a": 1.5}), MADE_IN)
    full = hash_realization(KEY, TREE, hash_value({"a": 1.5}))
    assert data == (
        f'{{"files":1,"key":"{KEY}","made_in":"{MADE_IN}","promises":{{"weights":{{"kind":"file","path":"w.bin",'
        f'"tree":"{OTHER}"}}}},"pylightnix":"record/1","realization":"{full}","size":12,"tree":"{TREE}",'
        f'"value":{{"a":1.5}}}}'
    ).encode()  # fmt: skip


PATHS = st.sampled_from(["a", "a/b", 'quo"te', "ä/ö ü", "},{", '","tree":"', "\u2028", "pylightnix", "a{}b", "[1]"])
NAMES = st.sampled_from(
    ["out", "größe", "pylightnix", "value", 'quo"te', "back\\slash", "promises", "}", "tab\t", "\x7f"]
)
KEPT = st.builds(PromiseRecord, PATHS, st.sampled_from(["file", "directory", "link"]), st.sampled_from([OTHER, TREE]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["$int", '"}', "\\u0041"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(NAMES, KEPT), VALUES, st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1), st.integers(0, 2))
def test_a_record_is_read_as_it_was_written(
    promises: dict[str, PromiseRecord], value: object, size: int, files: int, nested: int
) -> None:
    try:
        tree = encode_value(value, "model")
    except Exception:
        return  # a lone surrogate, say
    if nested:  # a value that looks like a record
        tree = {"value": tree, **json.loads(record_bytes(record(tree), MADE_IN))}
    written = record(tree, promises, size, files)
    read = parse(record_bytes(written, MADE_IN), written)
    assert fields(read) == fields(written)
    assert read.value_hash == written.value_hash
    assert list(read.promises) == sorted(promises)


DATA = record_bytes(record({"accuracy": 0.97, "name": "x"}), MADE_IN)
LIKE = record({"accuracy": 0.97, "name": "x"})


def test_no_record_that_was_cut_off_is_read() -> None:
    for length in range(len(DATA)):
        with pytest.raises(DamageError):
            parse(DATA[:length], LIKE)
    with pytest.raises(DamageError):
        parse(DATA + b"\n", LIKE)


def test_a_changed_byte_never_changes_what_a_realization_is() -> None:
    refused = 0
    for position in range(len(DATA)):
        for change in (1, 2, 16, 32, 128):
            data = bytearray(DATA)
            data[position] ^= change
            try:
                read = parse(bytes(data), LIKE)
            except DamageError:
                refused += 1
                continue
            assert (read.key, read.tree, read.value, read.ref) == (KEY, TREE, LIKE.value, LIKE.ref)
    assert refused > len(DATA) * 5 * 0.65


def changed(change: Callable[[dict[str, Any]], object], raw: bytes = DATA) -> bytes:
    document = json.loads(raw)
    change(document)
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def setting(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.update({name: value})


def keeping(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["promises"]["weights"].update({name: value})


DIFFERENT = [
    *[setting(name, value) for name in ("key", "tree", "made_in", "realization") for value in (
        None, 5, "", "a" * 63, "A" * 64, "g" * 64, "a" * 63 + "\n", "a" * 64 + "\n", "a" * 65, ["a" * 64],
        "../" + "a" * 61)],
    *[setting(name, value) for name in ("size", "files") for value in (
        -1, 1.5, True, None, "1", 10**18, 10**4000, float("nan"), [1])],
    *[setting("promises", value) for value in (None, [], "x", {"out": None}, {"out": {}}, {"out": []}, {"out": "w"})],
    *[keeping("path", value) for value in (
        "../x", "a/../../x", "/etc/passwd", "", ".", "a//b", "./a", "a/", "a\\b", "a\nb", "\0", None, 1, ["a"],
        "x" * 2000)],
    *[keeping("kind", value) for value in ("fifo", "", None, 1, "file\n", "FILE")],
    *[keeping("tree", value) for value in ("x", None, 1, "A" * 64, '"' * 64)],
    keeping("more", 1),
    setting("more", 1),
    setting("pylightnix", "record/2"), setting("pylightnix", "run/1"), setting("pylightnix", None),
    setting("value", {"accuracy": 9.97, "name": "x"}), setting("value", None), setting("value", float("inf")),
    *[lambda document, name=name: document.pop(name) for name in json.loads(DATA)],
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(DIFFERENT)))
def test_a_field_of_another_form_is_refused(number: int) -> None:
    with pytest.raises(DamageError, match=r"record\.json: not a record"):
        parse(changed(DIFFERENT[number]), LIKE)


TEXT = DATA.decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "\0" * len(TEXT),
        f" {TEXT}",
        f"{TEXT}{TEXT}",
        f"\ufeff{TEXT}",
        TEXT.replace('"files":1', '"files":01'),
        TEXT.replace('"files":1', '"files":１'),
        TEXT.replace('"files":1', '"files":1,"files":1'),
        TEXT.replace('"size":12', f'"size":{"9" * 5000}'),
        TEXT.replace('"size":12', '"size":1e400'),
        TEXT.replace('"size":12', '"size":NaN'),
        TEXT.replace("0.97", "NaN"),
        TEXT.replace("0.97", "1e400"),
        TEXT.replace("0.97", "0.970"),
        TEXT.replace('"name":"x"', '"name":"y","name":"x"'),
        TEXT.replace('"}},"pylightnix"', '"},},"pylightnix"'),
        TEXT.replace('{"accuracy"', "[" * 100_000),
        TEXT.replace('{"weights"', '{"weights":' * 100_000),
        json.dumps(json.loads(TEXT), indent=1),
        json.dumps(json.loads(TEXT)),
        json.dumps(dict(reversed(json.loads(TEXT).items())), separators=(",", ":")),
    ],
    ids=range(24),
)
def test_a_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(DamageError, match=r"record\.json: not a record"):
        parse(text.encode(), LIKE)


def test_a_record_of_another_realization_is_refused() -> None:
    with pytest.raises(DamageError, match="not those of this realization"):
        parse(record_bytes(record(1), MADE_IN), LIKE)


@pytest.mark.parametrize("value", ["[" * 100_000, '{"a":1,"a":1}', "1e400", "NaN", "{]", '"\\ud800"'])
def test_a_value_that_is_no_canonical_json_is_refused_though_its_hash_is_right(value: str) -> None:
    value_hash = digest_bytes(f'{{"pylightnix":"value/1","value":{value}}}'.encode())
    full = hash_realization(KEY, TREE, value_hash)
    text = TEXT.replace('{"accuracy":0.97,"name":"x"}', value).replace(
        hash_realization(KEY, TREE, LIKE.value_hash), full
    )
    with pytest.raises(DamageError):
        parse_record("record.json", text.encode(), full[:40], HOME)


# Runs

SOURCE = DerivationRef.of("d" * 64, "data")
CHOICE = InputChoice(KeyRef.of("e" * 64, "data"), (RealizationRef.of("f" * 64, "data"),), False, OTHER, "latest()")
CONTEXT = make_context(DerivationRef.of("1" * 64, "model"), {SOURCE: CHOICE})
STEM = "run-3-17-0123456789ab"
RUN = Run(
    3, seed_of(KEY, 3), "2026-03-01T12:00:00.000001+00:00", 1.5, CONTEXT, f"{STEM}.log", {"host": "h", "git": {"a": 1}}
)
RUN_DATA = run_bytes(RUN)
WHERE = f"/s/records/x/y/{STEM}.json"


def test_a_run_is_read_as_it_was_written() -> None:
    assert parse_run(WHERE, RUN_DATA) == RUN
    quiet = dataclasses.replace(RUN, log=None, started="2026-03-01T12:00:00.000001Z", duration=0.0)
    assert parse_run(WHERE, run_bytes(quiet)) == quiet


def within(*path: str, value: object) -> Callable[[dict[str, Any]], object]:
    def change(document: dict[str, Any]) -> None:
        for part in path[:-1]:
            document = document[part]
        document[path[-1]] = value

    return change


CHOSEN = ("context", "inputs", str(SOURCE))
WRONG_RUNS = [
    *[setting("index", value) for value in (-1, 1.0, True, "3", None, 10**9, 10**4000)],
    *[setting("seed", value) for value in (-1, 2**63, 1.5, "1", None, False)],
    *[setting("started", value) for value in ("", "yesterday", None, 5, "2026-03-01", "2026-03-01T12:00:00.0+01:00",
                                              "2026-03-01T12:00:00Z\n", "２026-03-01T12:00:00Z", "\x1b[2J")],
    *[setting("duration", value) for value in (-1, -0.1, "1", None, True, [1])],
    *[setting("log", value) for value in ("../../../../etc/passwd", "/etc/passwd", "record.json",
                                          "", 5, ["x"],
                                          "run-4-17-0123456789ab.log", f"{STEM}.json", f"../{STEM}.log",
                                          f"{STEM}.log\n")],
    *[setting("facts", value) for value in (None, [], "x")],
    *[setting("context", value) for value in (None, [], "x", {}, {"inputs": {}}, {"derivation": str(SOURCE)})],
    *[setting("pylightnix", value) for value in ("run/2", "record/1", None)],
    within("context", "derivation", value="../../x"),
    within("context", "inputs", value=[]),
    within("context", "inputs", "x", value={}),
    *[within(*CHOSEN, value=value) for value in (None, [], {}, "x")],
    *[within(*CHOSEN, "key", value=value) for value in (None, "x", "../" + CHOICE.key, CHOICE.key + "/", 5)],
    *[within(*CHOSEN, "chosen", value=value) for value in (
        [], ["x"], "x", None, [None], ["../x"], [CHOICE.chosen[0]] * 2)],
    *[within(*CHOSEN, "many", value=value) for value in (1, 0, None, "false")],
    *[within(*CHOSEN, "context", value=value) for value in (None, "x", "a" * 63, "A" * 64, 5)],
    *[within(*CHOSEN, "matcher", value=value) for value in (None, 5, [])],
    *[lambda document, name=name: document.pop(name) for name in json.loads(RUN_DATA)],
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(WRONG_RUNS)))
def test_a_run_of_another_form_is_refused(number: int) -> None:
    with pytest.raises(DamageError, match="run-3"):
        parse_run(WHERE, changed(WRONG_RUNS[number], RUN_DATA))


@pytest.mark.parametrize("change", [("1.5", "1e400"), ("1.5", "NaN"), ('"a":1', '"a":1e400'), ('"a":1', '"a":1,"a":1')])
def test_a_run_with_what_is_no_json_is_refused(change: tuple[str, str]) -> None:
    with pytest.raises(DamageError):
        parse_run(WHERE, RUN_DATA.decode().replace(*change).encode())


def test_a_run_that_was_cut_off_is_refused() -> None:
    for length in range(0, len(RUN_DATA), 7):
        with pytest.raises(DamageError):
            parse_run(WHERE, RUN_DATA[:length])


def test_the_log_of_another_run_is_refused() -> None:
    with pytest.raises(DamageError, match="log"):
        parse_run("/s/records/x/y/run-3-17-ffffffffffff.json", RUN_DATA)


@pytest.mark.parametrize("wrong", [{"started": "now"}, {"duration": float("inf")}, {"duration": -1.0}])
def test_what_could_not_be_read_again_is_not_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="a run cannot have started"):
        check_times(dataclasses.replace(RUN, **wrong))


# Contexts and derivations


def test_a_context_is_read_as_it_was_written() -> None:
    where = f"/s/records/x/y/context-{CONTEXT.hash[:40]}.json"
    assert parse_context(where, CONTEXT.to_bytes()) == CONTEXT
    many = make_context(CONTEXT.derivation, {SOURCE: CHOICE._replace(many=True, chosen=())})
    assert parse_context(f"/context-{many.hash[:40]}.json", many.to_bytes()) == many


def test_a_context_under_another_name_is_refused() -> None:
    with pytest.raises(DamageError, match="the name"):
        parse_context(f"/s/context-{'0' * 40}.json", CONTEXT.to_bytes())


def test_a_changed_byte_of_a_context_is_noticed() -> None:
    where = f"/s/context-{CONTEXT.hash[:40]}.json"
    for position in range(len(CONTEXT.to_bytes())):
        data = bytearray(CONTEXT.to_bytes())
        data[position] ^= 1
        with pytest.raises(DamageError):
            parse_context(where, bytes(data))


DERIVATION = {
    "code": {"version": "1"}, "name": "model", "promises": {"out": {"empty": False, "kind": "file", "path": "o"}},
    "params": {"n": 1, "data": {"$derivation": str(SOURCE)}}, "pylightnix": kind_tag("derivation"),
}  # fmt: skip


def named(document: object) -> tuple[DerivationRef, bytes]:
    data = canonical(document)
    return DerivationRef.of(digest_bytes(data), "model"), data


def test_a_derivation_is_read_as_it_was_written() -> None:
    ref, data = named(DERIVATION)
    assert parse_derivation("d.json", data, ref) == DERIVATION


def test_a_changed_byte_of_a_derivation_is_noticed() -> None:
    ref, data = named(DERIVATION)
    for position in range(len(data)):
        with pytest.raises(DamageError, match="not those of its name"):
            parse_derivation("d.json", data[:position] + b"~" + data[position + 1 :], ref)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"name": None},
        {"code": None},
        {"params": None},
        {"params": []},
        {"params": {"a": {"$derivation": "../x"}}},
        {"params": {"a": {"$promise": {}}}},
        {"params": {"a": {"$promise": 5}}},
        {"promises": None},
        {"promises": {"a": None}},
        {"promises": {"a": {"path": "../x"}}},
        {"pylightnix": "derivation/2"},
        {"pylightnix": "record/1"},
    ],
    ids=str,
)
def test_a_derivation_of_another_form_is_refused_though_its_name_is_right(change: dict[str, Any]) -> None:
    ref, data = named({**DERIVATION, **change})
    with pytest.raises(DamageError):
        parse_derivation("d.json", data, ref)


@pytest.mark.parametrize("name", list(DERIVATION))
def test_a_derivation_without_one_of_its_fields_is_refused(name: str) -> None:
    ref, data = named({key: value for key, value in DERIVATION.items() if key != name})
    with pytest.raises(DamageError):
        parse_derivation("d.json", data, ref)
