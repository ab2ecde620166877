"""Headers of archives are those of the standard library, to the byte, however they are made."""

from __future__ import annotations

import tarfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pylightnix.errors import DamageError
from pylightnix.store.archives.format import BLOCK, LARGEST_SIZE, Header, parse_header

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), min_size=1, max_size=390).filter(
    lambda name: len(name.encode()) <= 400
)
SIZES = st.integers(0, 5000) | st.integers(0, 1 << 40) | st.sampled_from([LARGEST_SIZE - 1, LARGEST_SIZE])


def made(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o444, 0
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


@given(NAMES, SIZES)
@example("n" * 100, 0)
@example("n" * 101, BLOCK)
@example("a/" * 60, 1)
@example("n" * 89, 1)
@example("n" * 90, 1)
@example("n" * 300, LARGEST_SIZE)
def test_a_header_is_that_of_the_standard_library(name: str, size: int) -> None:
    assert Header(name, size).to_bytes() == made(name, size)


@pytest.mark.parametrize("name", ["a", "deep/" * 30 + "file", "n" * 100, "n" * 101])
def test_it_is_read_again_and_no_other_form_is(name: str) -> None:
    data = Header(name, 1234).to_bytes()
    assert parse_header(data) == Header(name, 1234)
    for at in (0, 99, 105, 120, 124, 140, 150, 156, 300, 345, 500):
        other = bytearray(data)
        other[len(data) - BLOCK + at] ^= 1
        with pytest.raises(DamageError):
            parse_header(bytes(other))
