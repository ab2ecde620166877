"""Secrets are taken out of data, in one piece or in portions, and nothing else is."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylightnix.model.hidden import blotted, blotted_in, found_in, hidden_of

SECRETS = {"A": "hush-hush", "B": "sh-hush-it", "C": "aaaaaa"}
HIDDEN = hidden_of(SECRETS)
WHOLE = [b"hush-hush", b"hush-hush".hex().encode(), b"sh-hush-it", b"aaaaaa"]
PIECES = st.sampled_from([*WHOLE, b"hush", b"-", b"a", b"x", b"sh"])


@given(st.lists(PIECES, max_size=12).map(b"".join), st.lists(st.integers(1, 20), max_size=12))
def test_in_portions_as_in_one(data: bytes, sizes: list[int]) -> None:
    portions, rest = [], data
    for size in sizes:
        portions.append(rest[:size])
        rest = rest[size:]
    portions.append(rest)
    whole = blotted(data, HIDDEN)
    assert b"".join(blotted_in(portions, HIDDEN)) == whole
    assert found_in(whole, HIDDEN) == ""


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (b"", b""),
        (b"nothing", b"nothing"),
        (b"it is hush-hush.", b"it is ***."),
        (b"hush-hushhush-hush", b"******"),
        (b"hush-hush-it", b"***"),
        (b"aaaaaaaaaaaaaaab", b"***b"),
        (b"?" + base64.b64encode(b"hush-hush") + b"?", b"?***?"),
    ],
)
def test_what_overlaps_is_one(data: bytes, left: bytes) -> None:
    assert blotted(data, HIDDEN) == left
    assert b"".join(blotted_in([data[i : i + 1] for i in range(len(data))], HIDDEN)) == left
