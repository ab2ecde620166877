"""Content in slices: all of it or a part, and never the last of it where it is not what its hash says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pylightnix.errors import DamageError
from pylightnix.hashing import digest_bytes
from pylightnix.remotes.slices import SLICE, Content, file_slices


@pytest.mark.parametrize("size", [0, 1, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE])
def test_all_and_parts(tmp_path: Path, size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    (tmp_path / "file").write_bytes(b"before" + data + b"after")

    def read(begin: int, end: int) -> Iterator[bytes]:
        return file_slices(str(tmp_path / "file"), 6 + begin, 6 + end)

    for content in (Content.of(data), Content(digest_bytes(data), size, read)):
        assert b"".join(content.all()) == data
        assert all(0 < len(one) <= SLICE for one in content.all())
        for begin, end in ((0, size), (0, size // 2), (size // 3, size), (size, size)):
            assert b"".join(content.part(begin, end)) == data[begin:end]


def test_the_last_slice_is_held_back(tmp_path: Path) -> None:
    data = b"x" * (2 * SLICE) + b"end"
    content = Content(digest_bytes(b"something else"), len(data), Content.of(data).read)
    given = list[bytes]()

    with pytest.raises(DamageError, match="another one now"):
        for_each(content, given.append)
    assert sum(map(len, given)) == 2 * SLICE


def for_each(content: Content, take: Callable[[bytes], None]) -> None:
    for one in content.all():
        take(one)


def test_a_file_that_ends_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"short")
    with pytest.raises(DamageError, match="not what its record says"):
        list(file_slices(str(tmp_path / "file"), 0, 6))
