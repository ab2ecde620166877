"""Removing trees, on real directories."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from pylightnix.errors import StoreError
from pylightnix.store.removal import remove_tree
from pylightnix.store.sealing import seal_top
from pylightnix.store.trees import hash_tree
from tests.powers import as_ordinary_user
from tests.store.samples import SAMPLE, Model, make_tree, manifest_of, mode


def test_a_sealed_tree_is_removed_by_its_owner(tmp_path: Path) -> None:
    def work() -> bool:
        root = make_tree(tmp_path / "tree", SAMPLE)
        hash_tree(root, seal=True)
        seal_top(root)
        (root / "plots").chmod(0)
        with pytest.raises(PermissionError):
            shutil.rmtree(root)
        remove_tree(root)
        return root.exists()

    assert as_ordinary_user(work) is False


def test_removing_never_goes_through_a_link(tmp_path: Path) -> None:
    mine = make_tree(tmp_path / "mine", SAMPLE)
    mine.chmod(0o555)
    before = manifest_of(mine)
    root = tmp_path / "tree"
    root.mkdir()
    (root / "link").symlink_to(mine)
    (tmp_path / "top-link").symlink_to(mine)
    remove_tree(root)
    remove_tree(tmp_path / "top-link")
    assert os.listdir(tmp_path) == ["mine"]
    assert (manifest_of(mine), mode(mine)) == (before, 0o555)


def test_removing_takes_anything_and_nothing(sample: Path) -> None:
    os.mkfifo(sample / "pipe")
    remove_tree(sample)
    remove_tree(sample)
    (sample.parent / "file").touch()
    remove_tree(sample.parent / "file")
    assert os.listdir(sample.parent) == []


def test_what_cannot_be_removed_is_named(tmp_path: Path) -> None:
    above = tmp_path / "above"
    make_tree(above, {b"tree/x": ("file", b"", False)})
    above.chmod(0o555)

    def work() -> None:
        remove_tree(above / "tree")

    with pytest.raises(StoreError) as caught:
        as_ordinary_user(work)
    assert str(above / "tree") in caught.value.where


def test_two_may_remove_one_tree_at_the_same_time(tmp_path: Path) -> None:
    model: Model = {b"%d/%d/%d" % (i, j, k): ("directory",) for i in range(6) for j in range(6) for k in range(6)}
    failures: list[BaseException] = []

    def work(root: Path) -> None:
        try:
            remove_tree(root)
        except BaseException as error:
            failures.append(error)

    for attempt in range(4):
        root = make_tree(
            tmp_path / str(attempt),
            model if attempt % 2 else dict.fromkeys(map(b"%d".__mod__, range(1000)), ("directory",)),
        )
        threads = [threading.Thread(target=work, args=(root,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert not root.exists()
