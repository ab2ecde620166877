"""The measurements run and give numbers. How large these are is for `make bench` on a quiet machine."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def bench_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(PROJECT), *sys.path])


def check(rows: list[dict[str, object]]) -> None:
    assert rows
    for row in rows:
        for field in ("ours", "floor", "ratio"):
            number = row[field]
            assert isinstance(number, (int, float)), (row, field)
            assert math.isfinite(number), (row, field)
        assert row["limit"] is None or isinstance(row["limit"], (int, float))
    assert len({row["name"] for row in rows}) == len(rows)


def test_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import chain

    monkeypatch.setattr(chain, "REPEATS", dict.fromkeys(chain.COUNTS, 1))
    check(chain.measure(0.02, tmp_path / "chain"))


def test_imports() -> None:
    from bench import imports

    check(imports.measure(times=1))


def test_matching(tmp_path: Path) -> None:
    from bench import matching

    check(matching.measure(0.01, tmp_path))


def test_trees() -> None:
    from bench import trees

    check(trees.measure(0.001))


def test_upkeep(tmp_path: Path) -> None:
    from bench import upkeep

    check(upkeep.measure(0.002, tmp_path))


def test_table() -> None:
    from bench.rows import against, table

    text = table([against("fast", 2.0, 1.0, 3.0, per=1000), against("slow", 4.0, 1.0, 3.0)])
    assert [line.split()[-1] for line in text.splitlines()[1:]] == ["holds", "MISSED"]
    assert "2.00 ms  1.00 ms" in text


def test_remotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import remotes

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "")  # which puts back what the measurement sets
    check(remotes.measure(0.0005, tmp_path))
