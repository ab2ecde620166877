"""Artifacts that contain some text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pylightnix.store.leaks import _CHUNK, containing

TEXT = "/the/store"


@pytest.mark.parametrize("before", [0, 1, _CHUNK - 5, _CHUNK, _CHUNK - len(TEXT), 3 * _CHUNK - 1])
def test_wherever_it_stands(tmp_path: Path, before: int) -> None:
    (tmp_path / "a").write_bytes(b"x" * before + TEXT.encode() + b"y" * 100)
    (tmp_path / "b").write_bytes(b"x" * before + TEXT[:-1].encode())
    assert containing(tmp_path, ["a", "b"], [TEXT]) == (("a",), 0)


def test_links_and_odd_names(tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff")
    (tmp_path / odd).write_bytes(b"\xfe" + TEXT.encode())
    (tmp_path / "link").symlink_to(f"{TEXT}/x")
    (tmp_path / "other").symlink_to(odd)
    assert containing(tmp_path, [odd, "link", "other"], ["/else", TEXT]).found == (odd, "link")
    assert containing(tmp_path, ["gone"], [TEXT]) == ((), 1)
    assert containing(tmp_path, [odd], [""]).found == ()


def test_work_is_bounded_and_what_was_not_looked_at_is_counted(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text(TEXT)
    assert containing(tmp_path, "abc", [TEXT], limit=2 * len(TEXT)) == (("a", "b"), 1)
