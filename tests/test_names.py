"""Names of stages, references, promised paths, and text from outside: what gets in and what does not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylightnix.errors import BadNameError
from pylightnix.hashing import DIGITS, digest_bytes
from pylightnix.names import (
    DerivationRef,
    KeyRef,
    RealizationRef,
    Ref,
    check_inner_path,
    check_name,
    is_prefix,
    name_like,
    printable,
)

HASH = digest_bytes(b"")
GOOD_NAMES = ["a", "A", "0", "_", "train-model", "v1.2+3", "_x.", "a" * 120, "a..b"]
BAD_NAMES = [
    "",
    "a" * 121,
    ".hidden",
    "-x",
    "+x",
    "a b",
    "a/b",
    "é",
    "a\n",
    "\n",
    "a\0",
    "../x",
    "a\u202eb",
    None,
    1,
    b"a",
]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_that_a_stage_can_have(name: str) -> None:
    assert check_name(name) == name
    ref = Ref.of(HASH, name)
    assert Ref.parse(ref) == ref
    assert is_prefix(ref)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_no_stage_can_have(name: object) -> None:
    with pytest.raises(BadNameError) as caught:
        check_name(name)
    assert repr(name) in caught.value.what
    assert "@stage(name=" in caught.value.hint
    with pytest.raises(BadNameError):
        Ref.parse(f"{HASH[:DIGITS]}-{name}" if isinstance(name, str) else name)


def test_a_reference_has_parts() -> None:
    ref = RealizationRef.of(HASH, "a-b")
    assert ref == f"{HASH[:40]}-a-b"
    assert (ref.digits, ref.name, ref.short) == (HASH[:40], "a-b", HASH[:8])


@pytest.mark.parametrize("kind", [DerivationRef, KeyRef, RealizationRef])
def test_a_reference_keeps_its_kind(kind: type[Ref]) -> None:
    assert type(kind.parse(f"{HASH[:40]}-x")) is kind
    assert type(kind.of(HASH, "x")) is kind


@pytest.mark.parametrize(
    "text",
    [
        "", "x", HASH[:40], f"{HASH[:40]}-", f"{HASH[:39]}-x", f"{HASH[:41]}-x", f"{HASH[:40].upper()}-x",
        f"{HASH[:40]}_x", f" {HASH[:40]}-x", f"{HASH[:40]}-x\n", f"{HASH[:40]}-x/y", f"../{HASH[:40]}-x", None, 3,
        f"{'g' * 40}-x", f"{HASH[:40]}-{'x' * 121}", f"{HASH[:39]}\u0661-x",
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: object) -> None:
    with pytest.raises(BadNameError, match="is not a reference"):
        Ref.parse(text)


@pytest.mark.parametrize("text", ["0", "0123abcd", HASH[:40], f"{HASH[:40]}-", f"{HASH[:8]}-model", f"{HASH[:40]}-x.y"])
def test_what_can_begin_a_reference(text: str) -> None:
    assert is_prefix(text)


@pytest.mark.parametrize("text", ["", "-", "x", "ABCD", HASH[:41], "ab cd", "ab\n", "ab-x\n", "ab-é", "ab/x", "../ab"])
def test_what_cannot_begin_a_reference(text: str) -> None:
    assert not is_prefix(text)


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,119}", fullmatch=True), st.integers(1, 40))
def test_the_beginning_of_a_reference_can_begin_one(name: str, digits: int) -> None:
    ref = Ref.of(HASH, check_name(name))
    assert is_prefix(ref[:digits])
    assert is_prefix(ref[: 40 + digits])


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("a", "a"),
        ("a/b.png", "a/b.png"),
        ("plots/", "plots"),
        ("plots//", "plots"),
        ("..a", "..a"),
        (".hidden/x", ".hidden/x"),
        ("a b/é", "a b/é"),
        ("x" * 255, "x" * 255),
        ("~", "~"),
    ],
)
def test_paths_that_stay_inside(path: str, normal: str) -> None:
    assert check_inner_path(path) == normal
    assert check_inner_path(normal) == normal


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "is empty"),
        ("/", "is absolute"),
        ("//", "is absolute"),
        ("/abs", "is absolute"),
        ("/abs/", "is absolute"),
        ("../x", "leaves its directory"),
        ("a/../b", "leaves its directory"),
        ("a/..", "leaves its directory"),
        ("..", "leaves its directory"),
        ("../", "leaves its directory"),
        (".", "empty or '.' part"),
        ("./a", "empty or '.' part"),
        ("a/.", "empty or '.' part"),
        ("a//b", "empty or '.' part"),
        ("a\\b", "has a backslash"),
        ("..\\x", "has a backslash"),
        ("a\0b", "has a control character"),
        ("a\n", "has a control character"),
        ("a\x7f", "has a control character"),
        ("\udcff", "cannot be encoded"),
        ("x" * 256, "is too long"),
        ("é" * 128, "is too long"),
        ("/".join(["abcdefg"] * 129), "is too long"),
    ],
)
def test_paths_that_do_not_stay_inside_or_cannot_be_written(path: str, why: str) -> None:
    with pytest.raises(BadNameError, match=re.escape(why)) as caught:
        check_inner_path(path)
    assert repr(path) in caught.value.what
    assert caught.value.hint


@pytest.mark.parametrize("path", [None, 3, b"a"])
def test_a_path_is_text(path: object) -> None:
    with pytest.raises(BadNameError, match="a promised path is a str"):
        check_inner_path(path)
    with pytest.raises(BadNameError, match="an entry is a str"):
        check_inner_path(path, "an entry")


@given(st.text())
def test_a_path_that_is_taken_is_relative_and_has_no_tricks(path: str) -> None:
    try:
        normal = check_inner_path(path)
    except BadNameError:
        return
    parts = normal.split("/")
    assert not set(parts) & {"", ".", ".."}
    assert not normal.startswith("/")
    assert "\\" not in normal
    assert normal == check_inner_path(normal)
    assert len(normal.encode()) <= 1024


def test_text_from_outside_is_made_safe_to_print() -> None:
    assert printable("plain é 日本 \U0001f600 text") == "plain é 日本 \U0001f600 text"
    assert printable("\x1b[31m\r\n\t\x00\x7f\x9b") == r"\x1b[31m\r\n\t\x00\x7f\x9b"
    assert printable("a\u202eb\u2066c\u200fd\u2028\ufeff\u061c") == r"a\u202eb\u2066c\u200fd\u2028\ufeff\u061c"
    assert printable("\udcff") == r"\udcff"


@given(st.text(st.characters()))
def test_what_is_printed_can_be_encoded_and_controls_nothing(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert all(char.isprintable() or ord(char) >= 160 for char in shown)
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("data.csv", "data.csv"),
        ("table one (2).csv", "table-one-2-.csv"),
        (".bashrc", "bashrc"),
        ("ü", "other"),
        ("", "other"),
        ("x" * 200, "x" * 120),
    ],
)
def test_a_name_that_looks_like_a_text(text: str, name: str) -> None:
    assert check_name(name_like(text, "other")) == name
