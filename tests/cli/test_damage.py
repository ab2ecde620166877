"""Each kind of file with each damage, against each command that reads: never a traceback, never a wait without end.

After that `verify --repair` and a realize make the store whole again.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pylightnix.cli.commands import pylightnix
from pylightnix.cli.ending import run

STAGES = """
from pathlib import Path
from pylightnix import Build, Dep, match, promise, stage

@stage
def table(rows: Path = promise("deep/rows.txt")) -> int:
    print("a line for the log")
    rows.write_text("1 2 3")
    return 3

@stage(matcher=match.best("score", of=2))
def model(build: Build, data: Dep = table(), weights: Path = promise("weights")) -> dict:
    weights.write_text(f"{build.seed}")
    return {"score": build.seed % 100}

@stage
def report(best: Dep = model(), again: Dep = table(), text: Path = promise("t.txt")) -> None:
    text.write_text(str(best.value))

@stage(name="table")
def same_table(rows: Path = promise("deep/rows.txt")) -> int:
    rows.write_text("1 2 " + "3")
    return 3

other = report(best=model(data=same_table()), again=same_table())

@stage
def broken() -> None:
    print("about to fail")
    raise ValueError("as meant")
"""

SECONDS = 20


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Place:
    """A file with stages and a store; commands run in this process, so that hundreds of them take seconds."""

    def __init__(self, stages: Path, store: Path) -> None:
        self.stages = stages
        self.store = store

    def __call__(self, *args: str) -> Done:
        out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO()
        before = signal.signal(signal.SIGALRM, _too_long), warnings.showwarning
        signal.alarm(SECONDS)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
                warnings.simplefilter("default")
                code = run(pylightnix, [*args, "--store", str(self.store)])
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before[0])
            warnings.showwarning = before[1]
        return Done(code, out.buffer.getvalue().decode(errors="replace"), err.getvalue())  # type: ignore[attr-defined]

    def target(self, name: str) -> str:
        return f"{self.stages}:{name}"


def _too_long(*_: object) -> None:
    raise AssertionError(f"no answer after {SECONDS} seconds")


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    directory = tmp_path_factory.mktemp("made")
    (directory / "damaged_flow.py").write_text(STAGES)
    place = Place(directory / "damaged_flow.py", directory / "store")
    assert place("realize", place.target("report")).code == 0
    assert place("realize", place.target("other")).code == 0
    assert place("realize", place.target("broken")).code == 1
    return place


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    shutil.copytree(made.store, tmp_path / "store", symlinks=True)
    return Place(made.stages, tmp_path / "store")


FILES = {
    "format": "format.json",
    "derivation": "derivations/*-model.json",
    "environment": "environments/*.json",
    "record": "records/*-model/*/record.json",
    "manifest": "records/*-table/*/manifest.jsonl",
    "run": "records/*-model/*/run-*.json",
    "log": "records/*-table/*/run-*.log",
    "context": "records/*-model/*/context-*.json",
    "index": "records/*-model/1.run",
    "key": "records/*-table",
    "realization": "records/*-table/[0-9a-f]*[0-9a-f]",
    "artifacts": "store/*-table",
    "artifact": "store/*-table/deep/rows.txt",
    "failure": "failed/*/failure.json",
    "failure log": "failed/*/log",
    "failed": "failed/*",
}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes() or b"x")
    data[len(data) // 2] ^= 1
    _write(path, bytes(data))


def _write(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)
    path.chmod(0o444)


def _remove(path: Path) -> None:
    path.unlink() if path.is_file() else shutil.rmtree(path)


def to_directory(path: Path) -> None:
    _remove(path)
    path.mkdir()
    (path / "inner").touch()


def to_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def to_dangling_link(path: Path) -> None:
    _remove(path)
    path.symlink_to("nowhere")


def to_loop(path: Path) -> None:
    _remove(path)
    path.symlink_to(path.name)


def to_fifo(path: Path) -> None:
    _remove(path)
    os.mkfifo(path)


def huge(path: Path) -> None:
    path.unlink()
    with path.open("wb") as file:
        file.truncate(1 << 40)


def twice(path: Path) -> None:
    data = path.read_bytes()
    _write(path, data.replace(b"{", b'{"pylightnix":"record/1",', 1) if b"{" in data else b'{"a":1,"a":2}')


def newer(path: Path) -> None:
    _write(path, path.read_bytes().replace(b"/1", b"/2"))


def other_bytes(data: bytes) -> Callable[[Path], None]:
    return lambda path: _write(path, data)


OF_FILES: dict[str, Callable[[Path], object]] = {
    "flip": flip,
    "cut": lambda path: _write(path, path.read_bytes()[: path.stat().st_size // 2]),
    "more": lambda path: _write(path, path.read_bytes() + b"}"),
    "empty": other_bytes(b""),
    "zeros": other_bytes(b"\0" * 4096),
    "not UTF-8": other_bytes(b'{"pylightnix":"\xff"}'),
    "nested": other_bytes(b"[" * 200_000 + b"]" * 200_000),
    "nested objects": other_bytes(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "NaN": other_bytes(b'{"pylightnix":NaN}'),
    "digits": other_bytes(b'{"pylightnix":' + b"9" * 5000 + b"}"),
    "large number": other_bytes(b'{"pylightnix":1e400}'),
    "surrogate": other_bytes(b'{"pylightnix":"\\ud800"}'),
    "control": other_bytes(b'{"pylightnix":"\\u001b[31m\\u0000"}'),
    "list": other_bytes(b"[]"),
    "twice": twice,
    "newer": newer,
    "huge": huge,
}
OF_ALL: dict[str, Callable[[Path], object]] = {
    "missing": _remove,
    "renamed": lambda path: path.rename(path.with_name(f"{'0' * 40}-other.json")),
    "directory": to_directory,
    "file": lambda path: (_remove(path), path.write_bytes(b"{}")),
    "link": to_link,
    "dangling link": to_dangling_link,
    "loop": to_loop,
    "fifo": to_fifo,
    "unexpected": lambda path: (path.parent / f"{path.name}\x1b[31m").touch(),
}
NO_FILES = ("key", "realization", "artifacts", "failed")
TOO_LARGE_TO_HASH = ("artifact", "huge")
ALL = [
    (kind, name)
    for kind in FILES
    for name in (*OF_ALL, *(() if kind in NO_FILES else OF_FILES))
    if (kind, name) != TOO_LARGE_TO_HASH
]
EVERYTHING = "PYLIGHTNIX_ALL_DAMAGE"
CASES = ALL if os.environ.get(EVERYTHING) else ALL[::11]
"""Each kind and each damage comes up in the sample, in a combination that is as good as any."""


def commands(place: Place, failed: str) -> Iterator[list[str]]:
    yield ["ls"]
    yield ["ls", "--stages", "--json"]
    for name in ("report", "model", "table"):
        yield ["show", place.target(name)]
    yield ["show", place.target("report"), "--json"]
    yield ["show", f"failed/{failed}"]
    yield ["log", f"failed/{failed}"]
    yield ["log", place.target("table")]
    yield ["tree", place.target("report")]
    yield ["path", place.target("table"), "rows"]
    yield ["plan", place.target("report")]
    yield ["verify"]
    yield ["verify", "--json"]
    yield ["doctor"]
    yield ["realize", place.target("report")]


LEFT = {
    "run": ["no run is left", "this version reads"],
    "context": ["what was made from this names it", "was made from is not known"],
}
"""What only realizing the very same again brings back, or a newer version can read."""


@pytest.mark.parametrize(("kind", "damage"), CASES, ids=lambda part: part)
def test_damage_is_never_a_traceback_and_can_be_repaired(place: Place, kind: str, damage: str) -> None:
    found = sorted(place.store.glob(FILES[kind]))
    failed = next(iter(os.listdir(place.store / "failed")))
    for directory in [path for path in place.store.rglob("*") if path.is_dir()]:
        directory.chmod(0o755)
    (OF_ALL.get(damage) or OF_FILES[damage])(found[0])
    for command in commands(place, failed):
        done = place(*command)
        assert "Traceback" not in done.err, command
        assert "a fault of pylightnix itself" not in done.err, (command, done.err)
        assert done.code in (0, 1, 2), command
        assert "\x1b" not in done.out + done.err, command
    if kind == "format":
        return
    repaired = place("verify", "--repair")
    assert "a fault of pylightnix itself" not in repaired.err, repaired.err
    done = place(
        "realize", place.target("report"), *("--rebuild", "table", "--rebuild", "model", "--rebuild", "report")
    )
    assert done.code == 0, done.err
    place("verify", "--repair")
    last = place("verify")
    left = [line for line in last.out.splitlines() if not any(told in line for told in LEFT.get(kind, ()))]
    assert left == [], repaired
    assert last.code == (1 if last.out else 0)
