"""The part of the contract of executors that is about promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from pylightnix.model.promises import Promise
from pylightnix.testing import builders
from pylightnix.testing.bench import TABLE, Bench, OnBench, failure_of, value_of


class PromiseContract(OnBench):
    """What is promised is made ready before a builder runs and held against what is there after it."""

    def test_parents_and_promised_directories_are_made(self, bench: Bench) -> None:
        promises = {"deep": Promise("a/b/c.txt"), "folder": Promise("d/e", "directory")}
        request = bench.request(builders.fill_both, promises)
        value_of(bench.perform(request))
        assert Path(request.out, "a/b/c.txt").read_text() == Path(request.out, "d/e/f.txt").read_text() == "content"

    @pytest.mark.parametrize(
        ("kind", "target", "promise", "found"),
        [
            ("nothing", "", Promise("table.txt"), "is not there"),
            ("nothing", "", Promise("table.txt", "any"), "is not there"),
            ("empty", "", Promise("table.txt"), "is an empty file"),
            ("empty", "", Promise("table.txt", "any"), "is an empty file"),
            ("directory", "", Promise("table.txt"), "is a directory, not a file"),
            ("directory", "", Promise("table.txt", "directory"), "is an empty directory"),
            ("file", "", Promise("table.txt", check=builders.check_json), "fails its check: it returned False"),
            ("file", "", Promise("table.txt", check=builders.check_by_raising), "JSONDecodeError"),
            ("link", "/etc/passwd", Promise("table.txt"), "leaves the output directory"),
            ("link", "../../../../etc/passwd", Promise("table.txt"), "leaves the output directory"),
            ("link", "nowhere", Promise("table.txt"), "link to nothing"),
            ("link", "table.txt", Promise("table.txt"), "link that never ends"),
            ("fifo", "", Promise("table.txt"), "is a fifo, not a file"),
            ("fifo", "", Promise("table.txt", "any"), "is a fifo"),
            ("parent", "", Promise("sub/table.txt"), "leaves the output directory"),
        ],
    )
    def test_broken_promise(self, bench: Bench, kind: str, target: str, promise: Promise, found: str) -> None:
        request = bench.request(builders.put, {"table": promise}, kind=kind, target=target)
        failure = failure_of(bench.perform(request), "promise")
        assert failure.fields["promise"] == "table"
        assert failure.fields["path"] == promise.path
        assert found in failure.fields["found"]
        assert f"promise 'table' is broken: {promise.path} {failure.fields['found']}" in failure.what
        if kind == "nothing":
            assert "the output directory has other.txt" in failure.what

    @pytest.mark.parametrize(
        ("kind", "target", "promise"),
        [
            ("empty", "", Promise("table.txt", empty=True)),
            ("directory", "", Promise("table.txt", "directory", empty=True)),
            ("file", "", Promise("table.txt", "any")),
            ("link", "real.txt", Promise("table.txt")),
            ("link", "../out/real.txt", None),
            ("file", "", Promise("table.txt", check=lambda path: path.stat().st_size == 7)),
        ],
    )
    def test_kept_promise(self, bench: Bench, kind: str, target: str, promise: Promise | None) -> None:
        if promise is None:  # a way out and back in holds now, and would not when the directory is moved
            result = bench.run(builders.put, TABLE, kind=kind, target=target)
            assert "leaves" in failure_of(result, "promise").what
            return
        value_of(bench.run(builders.put, {"table": promise}, kind=kind, target=target))

    def test_all_broken_promises_are_named(self, bench: Bench) -> None:
        promises = {name: Promise(f"{name}.txt") for name in ("table", "second", "third")}
        failure = failure_of(bench.run(builders.fill_second, promises), "promise")
        assert failure.fields["broken"] == ["table", "third"]
        assert "second.txt" in failure.what

    @pytest.mark.parametrize(("by", "found"), [("nothing", "not there"), ("link", "a link"), ("file", "a file")])
    def test_output_directory_replaced(self, bench: Bench, by: str, found: str) -> None:
        failure = failure_of(bench.run(builders.replace_out, wants_build=True, by=by), "promise")
        assert found in failure.what
