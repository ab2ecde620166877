"""What a realize tells people, and what happens where it cannot."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

import pylightnix
from pylightnix import Build, Dep, Store, match, promise, stage
from pylightnix.errors import BuildError
from pylightnix.model.claiming import Holder
from pylightnix.model.plan import Step
from pylightnix.names import DerivationRef
from pylightnix.session import telling
from pylightnix.session.telling import MOST_LINES, PlainTelling
from pylightnix.store.removal import remove_tree


@stage(code="ignore")
def data(n: int = 0, out: Path = promise("out.txt")) -> None:
    out.write_text(str(n))


@stage(code="ignore", matcher=match.best("score", of=2))
def model(build: Build, source: Dep = data()) -> dict[str, int]:
    return {"score": build.run}


@stage(code="ignore")
def many(parts: list[object]) -> int:
    return len(parts)


@stage(code="ignore")
def broken() -> None:
    raise ValueError("broken")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s")


def told(asked: object, store: Store, **keywords: object) -> list[str]:
    stream = io.StringIO()
    pylightnix.realize(asked, store=store, listener=PlainTelling(stream), **keywords)  # type: ignore[call-overload]
    return stream.getvalue().splitlines()


def words(lines: list[str]) -> list[tuple[str, str]]:
    """The action and the name in each line but the last."""
    found = [line.split() for line in lines[:-1]]
    return [(line[0], line[1] if line[0] in ("done", "failed") else line[2]) for line in found]


def test_what_is_built_is_told_with_its_reason_and_its_runs(store: Store) -> None:
    lines = told(model(), store)
    assert words(lines) == [
        ("build", "data"), ("done", "data"),
        ("build", "model"), ("done", "model"), ("done", "model"), ("choose", "model"),
    ]  # fmt: skip
    assert "model ×2" in lines[2]
    assert "run 0, seed " in lines[3]
    assert "run 1, seed " in lines[4]
    assert lines[-1].startswith("0 of 2 reused, 3 runs, ")


def test_what_is_reused_is_told_with_its_reason(store: Store) -> None:
    told(model(), store)
    lines = told(model(), store)
    assert words(lines) == [("reuse", "data"), ("reuse", "model")]
    assert "the only realization" in lines[0]
    assert lines[-1].startswith("2 of 2 reused, 0 runs, ")
    lines = told(model(), store, rebuild=[data()])
    assert "one more run was asked for" in lines[0]
    assert lines[-1].startswith("1 of 2 reused, 1 run, ")


def test_a_failure_is_told(store: Store) -> None:
    stream = io.StringIO()
    with pytest.raises(BuildError):
        pylightnix.realize(broken(), store=store, listener=PlainTelling(stream))
    assert "failed   broken  run 0, seed " in stream.getvalue()
    assert "0 of 1 reused, 1 run, " in stream.getvalue()


def test_what_cannot_be_made_again_is_told_before_another_is_chosen(store: Store) -> None:
    @stage(code="ignore")
    def unsteady(out: Path = promise("out.txt")) -> None:
        out.write_bytes(os.urandom(8))

    @stage(code="ignore")
    def user(source: Dep = unsteady()) -> str:
        return source.out.read_bytes().hex()

    told(unsteady(), store)
    told(unsteady(), store, rebuild=["unsteady"])
    used = pylightnix.realize(user(), store=store, quiet=True)
    newest = used.deps.source
    remove_tree(newest.path)
    remove_tree(used.path)
    lines = told(user(), store)
    warning = f"warning  unsteady {newest.ref.short} cannot be made again: its run 1 gave something else this time"
    assert [line for line in lines if line.startswith("warning")] == [f"{warning}; it counts no more"]
    assert lines.index(f"{warning}; it counts no more") < next(i for i, line in enumerate(lines) if "user" in line)


def test_of_very_many_those_of_one_kind_are_counted_together(store: Store) -> None:
    count = MOST_LINES + 10
    lines = told(many([data(n) for n in range(count)]), store)
    assert len(lines) < count + 5
    assert any(f"build    {count} × data" in line for line in lines)
    assert lines[-1].startswith(f"0 of {count + 1} reused, {count + 1} runs, ")
    lines = told(many([data(n) for n in range(count)]), store)
    assert len(lines) == 3
    assert any(f"reuse    {count} × data" in line for line in lines)


def test_of_many_long_runs_one_is_told_now_and_then(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    targets = [data(n) for n in range(MOST_LINES + 10)]
    runs = [line for line in told(targets, store) if line.startswith("done")]
    assert len(runs) == MOST_LINES
    assert not any("have ended" in line for line in runs)
    monkeypatch.setattr(telling, "SILENCE", 0.0)
    runs = [line for line in told(targets, store, rebuild=targets) if line.startswith("done")]
    assert [line.partition("; ")[2] for line in runs] == [""] * MOST_LINES + [
        f"{count} have ended" for count in range(MOST_LINES + 1, MOST_LINES + 11)
    ]


def test_all_goes_to_standard_error_of_the_moment(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    pylightnix.realize(data(), store=store)
    first = capfd.readouterr()
    assert first.out == ""
    assert "build " in first.err
    pylightnix.realize(data(), store=store, quiet=True)
    assert capfd.readouterr() == ("", "")


def test_without_standard_error_nothing_is_told_and_nothing_fails(
    store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As in a program without a console: print would take standard output instead."""
    monkeypatch.setattr(sys, "stderr", None)
    PlainTelling().end()
    monkeypatch.undo()
    assert capfd.readouterr() == ("", "")


def test_a_reader_that_is_gone_does_not_end_the_work(store: Store) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    with stream:  # nothing of what was to be told is held in it any more, of which its end would fail
        done = pylightnix.realize(data(), store=store, listener=PlainTelling(stream))
        assert done.out.read_text() == "0"
    closed = io.StringIO()
    closed.close()
    pylightnix.realize(data(1), store=store, listener=PlainTelling(closed))
    assert len(store.realizations()) == 2


STEP = Step(DerivationRef(f"{'a' * 40}-data"), "reuse", "größer → \x1b[2J\u202e\udcff")


@pytest.mark.parametrize(
    ("encoding", "why"),
    [
        ("ascii", r"gr\xf6\xdfer \u2192 \x1b[2J\u202e\udcff"),
        ("latin-1", r"größer \u2192 \x1b[2J\u202e\udcff"),
        ("utf-8", r"größer → \x1b[2J\u202e\udcff"),
    ],
)
def test_a_line_is_told_as_the_stream_can_take_it(encoding: str, why: str) -> None:
    raw = io.BytesIO()
    telling = PlainTelling(io.TextIOWrapper(raw, encoding=encoding))
    telling.begin(1)
    telling.decided(STEP)
    telling.decided(STEP._replace(action="build", wanted=2))
    telling.decided(STEP)
    telling.end()
    lines = raw.getvalue().decode(encoding).splitlines()
    assert len(lines) == 4
    assert all(why in line for line in lines[:3])


def test_a_stream_of_another_kind_will_do() -> None:
    class Odd:
        encoding = None
        said = ""

        def __len__(self) -> int:
            return 0

        def write(self, text: str) -> None:
            self.said += text

        def flush(self) -> None:
            pass

    odd = Odd()
    PlainTelling(odd).end()  # type: ignore[arg-type]
    assert odd.said.startswith("0 of 0 reused, 0 runs, ")


def test_a_process_that_makes_several_runs_is_named_once() -> None:
    stream = io.StringIO()
    holders = [Holder("here", number, "model", "2030-01-01") for number in (7, 8, 7, 7)]
    PlainTelling(stream).waiting(Step(DerivationRef(f"{'a' * 40}-model"), "build", ""), holders)
    assert stream.getvalue().endswith(
        "by process 7 on here since 2030-01-01 (3 runs), process 8 on here since 2030-01-01\n"
    )
