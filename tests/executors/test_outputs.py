"""What is told of an output directory that breaks its promises; the ways to break them are in the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from pylightnix.executors.outputs import COUNTED, SHOWN, check
from pylightnix.model.promises import Promise


class Verdict:
    """Falsy, and yet not False."""

    def __bool__(self) -> bool:
        return False


def fill(out: Path, count: int) -> None:
    for number in range(count):
        (out / f"{number:04}").touch()


@pytest.mark.parametrize(
    ("count", "ending"),
    [
        (0, "has nothing in it"),
        (1, "has 0000"),
        (SHOWN, "0018, 0019"),
        (SHOWN + 3, "0018, 0019 and 3 more"),
        (COUNTED + 5, f" and at least {COUNTED - SHOWN} more"),
    ],
)
def test_listing_is_shortened(tmp_path: Path, count: int, ending: str) -> None:
    fill(tmp_path, count)
    failure = check(str(tmp_path), {"table": Promise("table.txt")})
    assert failure is not None
    assert failure.what.endswith(ending)
    assert len(failure.fields["there"]) == min(count, SHOWN)


def test_listing_shows_what_is_below_and_escapes_it(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a\nb").touch()
    (tmp_path / "link").symlink_to("full")
    failure = check(str(tmp_path), {"table": Promise("table.txt")})
    assert failure is not None
    assert failure.fields["there"] == ["empty/", "full/a\\nb", "link"]


@pytest.mark.parametrize(("verdict", "holds"), [(None, True), (0, True), ("", True), (Verdict(), True), (False, False)])
def test_only_false_breaks(tmp_path: Path, verdict: object, holds: bool) -> None:
    (tmp_path / "table.txt").write_text("x")
    failure = check(str(tmp_path), {"table": Promise("table.txt", check=lambda _: verdict)})
    assert (failure is None) == holds


def test_false_of_numpy_breaks(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    (tmp_path / "table.txt").write_text("x")
    assert check(str(tmp_path), {"table": Promise("table.txt", check=lambda _: numpy.array([1])[0] == 2)}) is not None
    assert check(str(tmp_path), {"table": Promise("table.txt", check=lambda _: numpy.array([1])[0] == 1)}) is None


def test_a_link_through_links_inside_holds(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "real").write_text("x")
    (tmp_path / "short").symlink_to("data/deep")
    (tmp_path / "table.txt").symlink_to("./short/../deep/real")
    assert check(str(tmp_path), {"table": Promise("table.txt")}) is None
    assert check(str(tmp_path), {"table": Promise("short", "directory")}) is None
    assert check(str(tmp_path), {"table": Promise("short/real")}) is None


def test_an_absolute_link_inside_would_break_when_the_directory_moves(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "table.txt").symlink_to(tmp_path / "real")
    failure = check(str(tmp_path), {"table": Promise("table.txt")})
    assert failure is not None
    assert "leaves the output directory" in failure.what
