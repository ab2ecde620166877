"""The clock of this machine, when it is wrong by centuries, and files whose times are."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

import pylightnix
from pylightnix import Build, Dep, Store, match, promise, realize, stage
from pylightnix.cli.ending import run
from pylightnix.clock import iso, now, utc_now
from pylightnix.errors import BuildError
from pylightnix.model.claiming import Other
from pylightnix.names import KeyRef
from pylightnix.store.claims import Claims
from pylightnix.store.examination.observations import Level
from pylightnix.store.removal import remove_tree

AFTER_2262 = 9_300_000_000.5
BEFORE_1970 = -315_619_200.25
BEYOND_DATES = (300_000_000_000, -99_999_999_999)


@stage
def table(rows: Path = promise("rows.txt")) -> None:
    rows.write_text("1 2 3")


@stage(matcher=match.first())
def model(build: Build, data: Dep = table(), weights: Path = promise("weights")) -> None:
    weights.write_text(str(build.seed))


@stage
def broken() -> None:
    raise ValueError("as meant")


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """As Python has it: `time.time` counts nanoseconds in 64 bits."""
    real, start = time.clock_gettime, time.monotonic()

    def moment() -> float:
        return seconds + time.monotonic() - start

    def wrong(*_: object) -> float:
        if not -(2**63) <= seconds * 1e9 < 2**63:
            raise OverflowError("timestamp too large to convert to C _PyTime_t")
        return moment()

    monkeypatch.setattr(time, "time", wrong)
    monkeypatch.setattr(time, "time_ns", lambda: int(wrong() * 1e9))
    monkeypatch.setattr(time, "clock_gettime", lambda of: moment() if of == time.CLOCK_REALTIME else real(of))


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        (1.9, "1970-01-01T00:00:01+00:00"),
        (-0.5, "1969-12-31T23:59:59+00:00"),
        (-50_000_000_000, "0385-07-25T07:06:40+00:00"),
        (10**30, "9999-12-31T23:59:59+00:00"),
        (-(10**30), "0001-01-01T00:00:00+00:00"),
    ],
)
def test_any_moment_has_a_text(moment: float, text: str) -> None:
    assert iso(moment) == text
    datetime.fromisoformat(text)


def test_utc_now_is_iso() -> None:
    before = datetime.now(UTC)
    assert abs((datetime.fromisoformat(utc_now()) - before).total_seconds()) < 1
    assert len(utc_now()) == len("2026-01-02T03:04:05.000006+00:00")


@pytest.mark.parametrize("seconds", [AFTER_2262, BEFORE_1970], ids=["after 2262", "before 1970"])
def test_a_clock_that_is_wrong_by_centuries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: float) -> None:
    set_clock(monkeypatch, seconds)
    assert 0 <= now() - seconds < 60
    assert utc_now()[:4] in ("2264", "1959")
    store = Store(tmp_path / "store")
    made = realize(model(), store=store, root="paper").ref
    with pytest.raises(BuildError, match="as meant"):
        realize(broken(), store=store)
    realize(model(), store=store, rebuild=[model()])
    assert store.gc(unreachable=True, older_than="1d").victims == ()
    (victim,) = store.gc(unreachable=True, trash="1d", failed="0d").victims
    assert store.restore(victim.record.ref) is not None
    assert store.verify(repair=True).sound
    assert [root.name for root in store.roots()] == ["paper"]
    assert realize(model(), store=store).ref == made


@pytest.mark.parametrize("seconds", [BEFORE_1970, 10.0**12], ids=["before 1970", "after 9999"])
def test_a_slot_is_seen_whatever_the_clock_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: float
) -> None:
    set_clock(monkeypatch, seconds)
    seen: list[Other] = []
    home = KeyRef(f"{'a' * 40}-model")
    held = Claims(str(tmp_path)).claim(home)
    thread = threading.Thread(target=lambda: seen.extend(Claims(str(tmp_path)).claim(home).others))
    thread.start()
    thread.join()
    held.release()
    assert [other.holder.process for other in seen] == [os.getpid()]


def test_what_python_cannot_take_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise OverflowError("timestamp too large to convert to C _PyTime_t")

    command = click.Command("verify", callback=fail)
    assert run(command, []) == 1
    assert "a fault of pylightnix itself" in capsys.readouterr().err
    set_clock(monkeypatch, AFTER_2262)
    assert run(command, []) == 1
    assert "error: the clock of this machine says 2264-" in capsys.readouterr().err


@pytest.fixture
def any_times() -> Iterator[Path]:
    """Where files can have any time: file systems on disks end centuries earlier."""
    place = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    yield place
    remove_tree(str(place))


@pytest.mark.parametrize("seconds", [13_000_000_000, 300_000_000_000, -3_000_000_000, -99_999_999_999])
def test_files_of_any_age(any_times: Path, seconds: int) -> None:
    def date() -> None:
        for path in [any_times, *any_times.rglob("*")]:
            os.utime(path, ns=(seconds * 10**9, seconds * 10**9), follow_symlinks=False)

    store = Store(any_times / "store")
    made = realize(model(), store=store, root="paper").ref
    (store.path / "tmp" / f"{2**22 + 1}-{'a' * 12}").write_text("of somebody who died")
    date()
    assert store.path.stat().st_mtime == seconds
    assert realize(model(), store=store).ref == made
    date()
    (root,) = store.roots()
    assert datetime.fromisoformat(root.since)
    assert len(store.du().stages) == 2
    assert store.why_alive(made)
    assert store.verify(repair=True).sound
    realize(model(), store=store, rebuild=[model()])
    date()
    (victim,) = store.gc(unreachable=True, max_size="2 B", trash="1d").victims
    date()
    assert store.restore(victim.record.ref).ref == victim.record.ref
    assert all(one.level is not Level.WRONG for one in store.examine())


SOURCES = Path(pylightnix.__file__).parent


def test_no_other_module_asks_the_clock() -> None:
    """What Python has for it fails where the clock is wrong by centuries."""
    asked = r"\btime\.(time|time_ns|gmtime|localtime|strftime)\(|\bdatetime\.(now|utcnow|today|fromtimestamp)\("
    asking = re.compile(asked)
    modules = [path for path in SOURCES.rglob("*.py") if "testing" not in path.relative_to(SOURCES).parts]
    assert [path.name for path in modules if asking.search(path.read_text(encoding="utf-8"))] == ["clock.py"]
