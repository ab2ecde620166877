"""Trees are compared by their manifests: what is missing, more, of another kind, or has other contents."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pylightnix.comparison.differences import Difference, Tolerance, Verdict
from pylightnix.comparison.trees import Tree, compare_trees
from pylightnix.store.files import NewFile
from pylightnix.store.manifests import read_manifest
from pylightnix.store.trees import hash_tree


def make(root: Path) -> None:
    (root / "d/e").mkdir(parents=True)
    (root / "a.txt").write_text("one\n")
    (root / "d/b.csv").write_text("1.0\n")
    (root / "d/e/c").write_text("c")
    (root / "link").symlink_to("a.txt")


def tree(root: Path, *, there: bool = True) -> Tree:
    path = root.with_suffix(".manifest")
    with NewFile(str(path)) as sink:
        hash_tree(root, (), sink)
    return Tree(read_manifest(path), str(root) if there else None)


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., list[Difference]]:
    recorded, now = tmp_path / "recorded", tmp_path / "now"
    make(recorded)
    make(now)

    def compare(change: Callable[[Path], object], tolerance: float = 0.0, *, there: bool = True) -> list[Difference]:
        change(now)
        return list(compare_trees(tree(recorded, there=there), tree(now), Tolerance(tolerance)))

    return compare


Compare = Callable[..., list[Difference]]


def test_equal_trees(found: Compare) -> None:
    assert found(lambda _: None) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda now: (now / "a.txt").write_text("two\n"),
            "a.txt line 1: one → two; this line is the first that differs",
        ),
        (lambda now: (now / "a.txt").chmod(0o755), "a.txt: not executable → executable; the executable bit differs"),
        (lambda now: (now / "a.txt").unlink(), "a.txt: file → nothing; was recorded, and is not there now"),
        (lambda now: (now / "z").mkdir(), "z: nothing → directory; is there now, and was not recorded"),
        (lambda now: shutil.rmtree(now / "d"), "d: directory → nothing; was recorded, and is not there now"),
        (
            lambda now: (os.unlink(now / "link"), (now / "link").symlink_to("d")),
            "link: a.txt → d; where this link leads differs",
        ),
        (
            lambda now: (os.unlink(now / "link"), (now / "link").write_text("one\n")),
            "link: link → file; is something else now",
        ),
        (
            lambda now: (os.unlink(now / "a.txt"), (now / "a.txt").mkdir(), (now / "a.txt/x").write_text("")),
            "a.txt: file → directory; is something else now",
        ),
    ],
)
def test_one_difference(found: Compare, change: Callable[[Path], object], line: str) -> None:
    assert [difference.line() for difference in found(change)] == [line]


def test_names_are_in_the_order_of_manifests(found: Compare) -> None:
    def change(now: Path) -> None:
        for name in ("d.txt", "d-x", "d/e.txt", "d/e-x"):
            (now / name).write_text("")
        (now / "d/e/c").write_text("d")

    assert [difference.place for difference in found(change)] == ["d/e/c", "d/e-x", "d/e.txt", "d-x", "d.txt"]


def test_within_the_tolerance(found: Compare) -> None:
    (difference,) = found(lambda now: (now / "d/b.csv").write_text("1.0001\n"), 0.01)
    assert (difference.place, difference.verdict) == ("d/b.csv", Verdict.CLOSE)


def test_names_that_are_no_text(found: Compare) -> None:
    (difference,) = found(lambda now: Path(os.fsdecode(bytes(now) + b"/\xff")).write_text(""))
    assert os.fsencode(difference.place) == b"\xff"


def test_what_is_collected_is_compared_by_hashes(found: Compare) -> None:
    (difference,) = found(lambda now: (now / "a.txt").write_text("longer\n"), there=False)
    assert "4 bytes → 7 bytes; its bytes differ; what was recorded is not here" in difference.line()


def test_recorded_artifacts_that_were_changed_since(found: Compare, tmp_path: Path) -> None:
    recorded, now = tmp_path / "recorded", tmp_path / "now"
    before = tree(recorded)
    for root in (recorded, now):
        (root / "a.txt").write_text("changed\n")
    (difference,) = compare_trees(before, tree(now), Tolerance(1))
    assert (difference.verdict, difference.place) == (Verdict.DIFFERENT, "a.txt")
    assert "pylightnix verify" in difference.what
