"""Ctrl-C in the middle of what goes over ssh, also when the server has just gone silent: it ends, and goes on later."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pylightnix import Store, promise, realize, stage
from pylightnix.testing.bench import wait_for
from tests.remotes.ssh_server import Ssh, ssh_server

SIZE = 24 << 20
MIDDLE = 6 << 20
PATIENCE = 5.0
"""Seconds that it may take to end; on a machine that has nothing else to do it is less than two."""


@stage(code="ignore")
def large(table: Path = promise("table")) -> None:
    table.write_bytes(os.urandom(SIZE))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ssh]:
    with ssh_server(tmp_path_factory.mktemp("ssh")) as running:
        yield running


def begun(server: Ssh, *args: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "HOME": str(server.home), "PYLIGHTNIX_KEYS": str(server.directory / "keys")}
    environ.pop("SSH_AUTH_SOCK", None)
    return subprocess.Popen(
        [sys.executable, "-m", "pylightnix", *args],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def sessions(server: Ssh) -> list[psutil.Process]:
    return list(psutil.Process(server.process.pid).children(recursive=True))


def went_over(server: Ssh) -> int:
    """Bytes, both ways, of the sessions that there are."""
    total = 0
    for session in sessions(server):
        with contextlib.suppress(psutil.Error):
            total += session.io_counters().write_chars
    return total


def interrupted(server: Ssh, *args: str, silent: bool) -> None:
    wait_for(lambda: not sessions(server))
    with begun(server, *args) as running:
        wait_for(lambda: went_over(server) > MIDDLE)
        stopped = sessions(server) if silent else []
        for session in stopped:
            session.suspend()
        time.sleep(0.5 if silent else 0)
        start = time.monotonic()
        running.send_signal(signal.SIGINT)
        try:
            told = running.communicate(timeout=20)[1]
        finally:
            for session in stopped:
                session.kill()
        assert time.monotonic() - start < PATIENCE
        assert (running.returncode, told.splitlines()[-1]) == (130, "interrupted: what was finished is kept")


@pytest.mark.parametrize("silent", [False, True], ids=["server answers", "server is silent"])
def test_it_ends_and_the_next_one_goes_on(server: Ssh, tmp_path: Path, silent: bool) -> None:
    made = realize(large(), store=tmp_path / "s", quiet=True)
    url = server.url(tmp_path / "remote")
    push = ("push", made.ref, "--to", url, "--store", str(tmp_path / "s"))
    pull = ("pull", made.ref, "--from", url, "--unsigned", "--store", str(tmp_path / "t"))
    interrupted(server, *push, silent=silent)
    with begun(server, *push) as again:
        assert "1 realization sent" in again.communicate(timeout=60)[1]
    interrupted(server, *pull, silent=silent)
    assert Store(tmp_path / "t").realizations() == []
    with begun(server, *pull) as again:
        assert "1 realization fetched" in again.communicate(timeout=60)[1]
    (fetched,) = Store(tmp_path / "t").realizations()
    assert fetched.table.read_bytes() == made.table.read_bytes()
    assert Store(tmp_path / "t").verify().sound
