"""Each spelling of a text is found, whatever stands around it, and nothing that everybody writes."""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylightnix.model.spellings import spellings


def as_go(text: str) -> str:
    return "".join(f"\\u{ord(sign):04x}" if sign in "<>&" else sign for sign in text)


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "json": json.dumps,
    "json of unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps({"body": json.dumps({"token": text})}),
    "json as php has it": lambda text: json.dumps(text).replace("/", "\\/"),
    "json as go has it": lambda text: as_go(json.dumps(text, ensure_ascii=False)),
    "repr": repr,
    "repr of bytes": lambda text: repr(text.encode()),
    "html": html.escape,
    "quote": urllib.parse.quote,
    "quote all": lambda text: urllib.parse.quote(text, safe=""),
    "form": lambda text: urllib.parse.urlencode({"token": text}),
    "component": lambda text: urllib.parse.quote(text, safe="!'()*"),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
}  # fmt: skip
TEXTS = ["hunter22", 'hush "tok\nén" 1/2&<3>', "a+b/c==d~e:f@g?h#", "x" * 200, "'single' and \\", "ключ-токен"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_it_is_found_however_it_is_written(way: str, text: str) -> None:
    written = b"before " + WAYS[way](text).encode() + b" behind"
    assert any(one in written for one in spellings(text))
    assert not any(one in b"before " + WAYS[way]("something else").encode() for one in spellings(text))


@given(st.binary(max_size=9), st.text(min_size=6, max_size=40).filter(str.isprintable), st.binary(max_size=9))
def test_a_part_of_what_is_encoded_is_found(before: bytes, text: str, behind: bytes) -> None:
    whole = before + text.encode() + behind
    for encode in (base64.b64encode, base64.urlsafe_b64encode, base64.b16encode):
        assert any(one in encode(whole) for one in spellings(text))


def test_credentials_of_a_request_are_found() -> None:
    for user in ("a", "me", "ann", "user"):
        header = b"Authorization: Basic " + base64.b64encode(f"{user}:hunter22".encode())
        assert any(one in header for one in spellings("hunter22"))


def test_none_is_so_short_that_it_stands_everywhere() -> None:
    assert min(map(len, spellings("secret"))) >= 6
    assert len(spellings("plaintoken1234567890")) < 10, "most are the same"
