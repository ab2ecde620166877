"""Secrets on the workers of engines: they get there by the workers' own environment, and stand nowhere on the way."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Secret, Store, promise, realize, stage
from pylightnix.errors import BuildError
from pylightnix.stages import command
from pylightnix.testing.bench import wait_for

WORD = "hush hush, as nobody says it"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Of a cluster whose workers were started without the secret."""
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


@pytest.fixture
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1) as pool:
        pool.submit(int).result()  # now there is a worker
        yield pool


@stage(code="ignore")
def waits(where: str, token: Secret = Secret("HUSH_TOKEN")) -> int:
    said = token.reveal()
    print("it is", said)
    Path(where, "begun").touch()
    while not Path(where, "go").exists():
        time.sleep(0.02)
    if where.endswith("fails"):
        raise RuntimeError(f"{said} is refused")
    return len(said)


@stage(code="ignore", secrets=["HUSH_TOKEN"])
def reads() -> int:
    return len(os.environ["HUSH_TOKEN"])


def let_know(word: str) -> None:
    os.environ["HUSH_TOKEN"] = word


def tells(*places: Path) -> list[str]:
    """Files and command lines in which the secret stands."""
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    files += Path("/proc").glob("[0-9]*/cmdline")
    found = []
    for file in files:
        try:
            found += [str(file)] if WORD.encode() in file.read_bytes() else []
        except OSError:
            continue
    return found


def all_that_dask_knows(dask_scheduler: Any) -> bytes:
    """What stands in the tasks of a scheduler, its events and its log."""
    tasks = [(ts.key, ts.run_spec, ts.annotations, ts.metadata, ts.exception_text, ts.traceback_text)
             for ts in dask_scheduler.tasks.values()]  # fmt: skip
    return pickle.dumps(tasks) + repr((dask_scheduler.get_events(), dask_scheduler.get_logs(), len(tasks))).encode()


@pytest.mark.parametrize("ends", ["well", "fails"])
def test_it_is_nowhere_but_in_the_builder(
    client: Any, tmp_path: Path, ends: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUSH_TOKEN", WORD)
    client.run(let_know, WORD)
    place = tmp_path / ends
    place.mkdir()
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(realize(waits(str(place)), store=tmp_path / "s", executor=client).value)
        except BuildError as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait_for((place / "begun").exists)
        known = client.run_on_scheduler(all_that_dask_knows)
        assert b"waits" in known
        assert WORD.encode() not in known
        assert [told for told in tells(tmp_path) if not told.endswith(".log")] == []
    finally:
        (place / "go").touch()
        thread.join(60)
        client.run(let_know, "")
    if ends == "well":
        assert outcome == [len(WORD)]
    else:
        assert "*** is refused" in str(outcome[0])
    assert tells(tmp_path) == []
    assert WORD.encode() not in client.run_on_scheduler(all_that_dask_knows)
    assert WORD not in repr((client.get_worker_logs(), client.get_scheduler_logs(), *capfd.readouterr()))


@pytest.mark.parametrize("engine", ["client", "pool"])
def test_a_worker_without_it_says_so(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the builder begins, whatever that would make of it; and names what to do."""
    given = request.getfixturevalue(engine)
    monkeypatch.setenv("HUSH_TOKEN", WORD)
    script = command("script", "printf %s ${#HUSH_TOKEN} > $out/f", secrets=["HUSH_TOKEN"], promises={"f": "f"})
    for asked in (waits(str(tmp_path)), reads(), script):
        with pytest.raises(BuildError) as caught:
            realize(asked, store=tmp_path / "s", executor=given, quiet=True)
        assert "has no HUSH_TOKEN in its environment" in str(caught.value)
        assert "secrets are not sent to workers" in str(caught.value)
    assert not (tmp_path / "begun").exists()
    assert Store(tmp_path / "s").realizations() == []
    assert tells(tmp_path) == []


OTHER = "another word, which the worker has"


@stage(code="ignore", secrets=["HUSH_TOKEN"])
def gives_away(how: str, out: Path = promise("out.txt", empty=True)) -> str:
    word = os.environ["HUSH_TOKEN"]
    print("it is", word)
    out.write_text(word if how == "file" else "nothing")
    if how == "failure":
        raise RuntimeError(f"{word} is refused")
    return word if how == "value" else "nothing"


@pytest.fixture
def others(client: Any) -> Iterator[Any]:
    """The same cluster, whose workers have another secret than whoever realizes."""
    client.run(let_know, OTHER)
    yield client
    client.run(let_know, "")


@pytest.mark.parametrize("how", ["file", "value", "failure", "log alone"])
def test_a_worker_with_another_one_keeps_its_own_from_being_seen(
    others: Any, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUSH_TOKEN", WORD)
    monkeypatch.setattr(sys.modules[__name__], "WORD", OTHER)
    if how == "log alone":
        done = realize(gives_away(how), store=tmp_path, executor=others, quiet=True)
        assert done.log.splitlines()[0] == "it is ***"
    else:
        with pytest.raises(BuildError) as caught:
            realize(gives_away(how), store=tmp_path, executor=others, quiet=True)
        assert OTHER not in str(caught.value)
        assert ("has the secret HUSH_TOKEN in it" in str(caught.value)) == (how != "failure")
        assert Store(tmp_path).realizations() == []
    assert tells(tmp_path) == []


def test_a_worker_with_one_that_stands_everywhere_says_so(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUSH_TOKEN", WORD)
    client.run(let_know, "abc")
    try:
        with pytest.raises(BuildError, match="has less than 6 characters in HUSH_TOKEN"):
            realize(reads(), store=tmp_path, executor=client, quiet=True)
    finally:
        client.run(let_know, "")
