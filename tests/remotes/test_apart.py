"""A real Dask cluster whose workers have stores of their own, and one S3 remote between them and us."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Dep, Deps, Store, match, promise, realize, stage
from pylightnix.errors import ArgumentError, BuildError, RemoteError
from tests.remotes.servers import KEY, S3, SECRET, s3_server


@stage(code="ignore")
def data(build: Build, table: Path = promise("table.txt")) -> None:
    print("on", os.environ["PYLIGHTNIX_STORE"])
    table.write_text("one two")
    (build.out / "deep").mkdir()
    (build.out / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (build.out / "deep" / "run.sh").chmod(0o755)
    (build.out / "link").symlink_to("table.txt")


@stage(code="ignore", matcher=match.all(of=4))
def model(build: Build, source: Dep = data(), weights: Path = promise("w.bin")) -> dict[str, Any]:
    weights.write_text(f"{source.table.read_text()} {build.run}")
    return {"run": build.run, "path": str(source.path), "store": os.environ["PYLIGHTNIX_STORE"]}


@stage(code="ignore")
def report(models: Deps = model(), table: Path = data().table, text: Path = promise("report.txt")) -> str:
    text.write_text(" ".join(sorted(one.weights.read_text() for one in models)))
    return table.read_text()


@stage(code="ignore")
def broken() -> None:
    print("about to fail")
    raise ValueError("no way")


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3_server(tmp_path_factory.mktemp("s3") / "buckets") as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A scheduler and two workers, each with a store that nobody else has."""
    distributed = pytest.importorskip("distributed")
    top = tmp_path_factory.mktemp("workers")
    with distributed.LocalCluster(
        n_workers=0, dashboard_address=None, processes=True, protocol="tcp", host="127.0.0.1"
    ) as made:
        workers = {
            f"w{number}": {
                "cls": distributed.Nanny,
                "options": {
                    "nthreads": 2, "local_directory": str(top),
                    "env": {
                        "PYLIGHTNIX_STORE": str(top / f"store{number}"), "AWS_ACCESS_KEY_ID": KEY,
                        "AWS_SECRET_ACCESS_KEY": SECRET,
                    },
                },
            }
            for number in range(2)
        }  # fmt: skip
        made.worker_spec.update(workers)
        made.sync(made._correct_state)
        with distributed.Client(made) as client:
            client.wait_for_workers(2, timeout=60)
            yield client


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.delenv("PYLIGHTNIX_STORE", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "ours", durability="none")


def test_inputs_go_and_results_come_through_a_remote(cluster: Any, s3: S3, store: Store) -> None:
    done = realize(report(), store=store, executor=cluster, through=s3.url("bucket/through"), quiet=True)
    assert done.value == "one two"
    assert done.text.read_text() == " ".join(f"one two {run}" for run in range(4))
    models = done.deps.models
    assert {one.value["run"] for one in models} == {0, 1, 2, 3}
    used = {one.value["store"] for one in models}
    assert str(store.path) not in used
    assert all(Path(path).is_dir() for path in used)
    assert not any(one.value["path"].startswith(str(store.path)) for one in models)
    source = models[0].deps.source
    assert source.log.startswith("on ")
    assert (source / "deep" / "run.sh").stat().st_mode & 0o111
    assert os.readlink(source / "link") == "table.txt"
    assert {run.facts["executor"] for one in models for run in one.runs} == {"dask"}
    assert store.verify().findings == ()
    for path in used:
        assert Store(path).verify().findings == ()
    assert not list(Path("/tmp").glob("pylightnix-*-*/out"))


def test_a_failure_comes_too(cluster: Any, s3: S3, store: Store) -> None:
    with pytest.raises(BuildError, match="no way") as caught:
        realize(broken(), store=store, executor=cluster, through=s3.url("bucket/through"), quiet=True)
    assert "about to fail" in str(caught.value)


def test_a_remote_that_workers_do_not_reach(cluster: Any, store: Store) -> None:
    with pytest.raises(RemoteError, match="sending request"):
        realize(data(), store=store, executor=cluster, through="s3://bucket/x?endpoint=http://127.0.0.1:9", quiet=True)


def test_a_remote_of_which_workers_know_nothing(cluster: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that means something here alone."""
    from pylightnix.remotes.remote import Remote
    from pylightnix.testing.memory_remote import MemoryBackend

    here = Remote("s3://nowhere", backend=MemoryBackend("s3://bucket/x?endpoint=http://127.0.0.1:9"))
    with pytest.raises(BuildError, match="cannot carry the run"):
        realize(data(), store=store, executor=cluster, through=here, quiet=True)


def test_only_for_workers_elsewhere(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="sees the store"):
        realize(data(), store=store, through=tmp_path / "remote")
