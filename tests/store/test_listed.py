"""What was held against its manifest when it was written is sealed without being read; all else is looked at again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pylightnix.store.listed import seal_listed
from pylightnix.store.trees import Tree, hash_tree

HELD = 100


class Listed:
    """A directory with a manifest beside it."""

    def __init__(self, place: Path) -> None:
        self.top = place / "out"
        (self.top / "d" / "e").mkdir(parents=True)
        (self.top / "empty").mkdir()
        for name in ("a", "d/b", "d/e/c", "z"):
            (self.top / name).write_bytes(name.encode())
        (self.top / "large").write_bytes(b"l" * HELD)
        (self.top / "run").write_bytes(b"run")
        (self.top / "run").chmod(0o755)
        (self.top / "link").symlink_to("a")
        self.manifest = place / "manifest.jsonl"
        with self.manifest.open("wb") as sink:
            self.tree = hash_tree(self.top, ["d", "a"], sink)

    def seal(self) -> Tree | None:
        return seal_listed(self.top, self.manifest, self.tree.digest, ["d", "a"], HELD)


@pytest.fixture
def listed(tmp_path: Path) -> Listed:
    return Listed(tmp_path)


def test_it_is_what_hashing_gives_and_sealed(listed: Listed) -> None:
    assert listed.seal() == listed.tree
    assert (listed.top / "a").stat().st_mode & 0o777 == 0o444 & (listed.top.stat().st_mode | 0o400)
    assert listed.seal() == listed.tree, "also where all is sealed already"
    assert hash_tree(listed.top, ["d", "a"]) == listed.tree


def test_small_files_that_are_sealed_are_not_read(listed: Listed) -> None:
    listed.seal()
    (listed.top / "a").chmod(0o644)
    (listed.top / "a").write_bytes(b"b")  # which nobody does: it shows that it is not read
    (listed.top / "a").chmod(0o444)
    assert listed.seal() == listed.tree
    (listed.top / "large").chmod(0o644)
    (listed.top / "large").write_bytes(b"m" * HELD)
    assert listed.seal() is None


def other_size(top: Path) -> None:
    (top / "a").write_bytes(b"aa")


def linked(top: Path) -> None:
    os.link(top / "d/e/c", top.parent / "elsewhere")
    (top.parent / "elsewhere").write_bytes(b"elsewhere")


def fifo(top: Path) -> None:
    (top / "z").unlink()
    os.mkfifo(top / "z")


def other_directory(top: Path) -> None:
    (top / "empty").rmdir()
    (top / "empty").write_bytes(b"")


@pytest.mark.parametrize(
    "change",
    [
        lambda top: (top / "more").write_bytes(b""), lambda top: (top / "zz").mkdir(), lambda top: (top / "z").unlink(),
        lambda top: (top / "a").rename(top / "A"), other_size, linked, other_directory,
        lambda top: (top / "d/b").chmod(0o755), lambda top: (top / "run").chmod(0o644),
        lambda top: (top / "link").unlink() or (top / "link").symlink_to("z"),
        lambda top: (top / "z").unlink() or (top / "z").symlink_to("a"),
        fifo,
    ],
    ids=["file", "directory", "missing", "name", "size", "name-elsewhere", "kind", "bit", "no-bit", "link", "by-link",
         "fifo"],
)  # fmt: skip
def test_what_is_otherwise_is_seen(listed: Listed, change: Callable[[Path], object]) -> None:
    change(listed.top)
    assert listed.seal() is None


def test_a_manifest_of_another_tree(listed: Listed) -> None:
    assert seal_listed(listed.top, listed.manifest, "0" * 64, [], HELD) is None
    assert seal_listed(listed.top, listed.manifest, listed.tree.digest, ["none"], HELD) is None
    assert seal_listed(listed.top / "d", listed.manifest, listed.tree.digest, [], HELD) is None
