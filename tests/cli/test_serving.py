"""`serve`: a real server in a process of its own, read by pull, realize and plain requests."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Dep, Realization, Store, promise, pull, push, realize, stage
from pylightnix.errors import RemoteError, TrustError, UnknownReferenceError
from pylightnix.remotes.keyring import DIRECTORY, Keys
from pylightnix.remotes.pieces import PACKED, PIECE
from pylightnix.remotes.web_access import TOKEN
from tests.cli.conftest import COMMAND
from tests.cli.server import ask, serving


@stage(code="ignore")
def data(build: Build, table: Path = promise("table.txt")) -> None:
    print("a line for the log")
    table.write_text("one two")
    for number in range(20):
        (build.out / f"f{number}").write_bytes(bytes([number]) * (PACKED - number - 1))


@stage(code="ignore")
def model(source: Dep = data(), weights: Path = promise("w.bin")) -> float:
    weights.write_bytes(b"".join(n.to_bytes(4, "big") for n in range(PIECE // 4 + 5)))
    return 0.5


@stage(code="ignore")
def chatty() -> None:
    for line in range(30_000):
        print("a long log", line)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv(DIRECTORY, str(tmp_path / "keys"))
    return Store(tmp_path / "one", durability="none")


@pytest.fixture
def done(store: Store) -> Realization[Any]:
    return realize(model(), store=store, quiet=True)


def test_what_is_served_is_a_remote(store: Store, done: Realization[Any], tmp_path: Path) -> None:
    Keys().generate()
    two, three = Store(tmp_path / "two", durability="none"), Store(tmp_path / "three", durability="none")
    log = realize(chatty(), store=store, quiet=True)
    with serving(store) as address:
        pull(done.ref, address, store=two)
        assert realize(model(), store=three, remotes=[address], quiet=True).ref == done.ref
        pull(log.ref, address, store=two)
        with pytest.raises(UnknownReferenceError, match="nothing is named"):
            pull(f"{'0' * 40}-model", address, store=two)
        with pytest.raises(RemoteError, match="only be read"):
            push(done, address, store=store)
    for other in (two, three):
        assert other.verify().findings == ()
    there = two.realization(done.ref)
    assert there.weights.read_bytes() == done.weights.read_bytes()
    assert there.deps.source.files == done.deps.source.files
    assert there.deps.source.log == "a line for the log\n"
    assert two.realization(log.ref).log == log.log
    assert (three.realization(done.ref).runs[0].facts) == done.runs[0].facts, "it was fetched, and not made again"


def test_without_a_key_it_is_not_believed(store: Store, done: Realization[Any], tmp_path: Path) -> None:
    with serving(store) as address, pytest.raises(TrustError, match="nobody has signed"):
        pull(done.ref, address, store=tmp_path / "two")


def test_with_a_token(store: Store, done: Realization[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-of-some-length\n")
    with serving(store, "--token-file", str(token)) as address:
        host = address.removeprefix("http://")
        for wrong in (
            "",
            f"{host}=a-token-of-some-lengti",
            "a-token-of-some-length",
            "127.0.0.1=a-token-of-some-length",
        ):
            monkeypatch.setenv(TOKEN, wrong)
            with pytest.raises(RemoteError, match="refused"):
                pull(done.ref, address, store=tmp_path / "two", unsigned=True)
        monkeypatch.setenv(TOKEN, f"{host}={token.read_text()}")
        pull(done.ref, address, store=tmp_path / "two", unsigned=True)


def test_in_part(store: Store, done: Realization[Any]) -> None:
    with serving(store) as address:
        status, whole, headers = ask(address, "/remote.json")
        assert status == 200
        assert headers["content-type"] == "application/json"
        assert ask(address, "/remote.json", "HEAD") == (200, b"", {**headers, "date": ask(address, "/x")[2]["date"]})
        assert ask(address, "/remote.json", If_None_Match=headers["etag"])[0] == 304
        for wanted, part in (("0-3", whole[:4]), ("4-", whole[4:]), ("-5", whole[-5:]), ("2-9999", whole[2:])):
            status, found, about = ask(address, "/remote.json", Range=f"bytes={wanted}")
            assert (status, found) == (206, part)
            assert about["content-range"].endswith(f"/{len(whole)}")
        assert ask(address, "/remote.json", Range="bytes=9999-")[0] == 416
        assert ask(address, "/remote.json", Range="bytes=0-3", If_Range='"other"')[1] == whole
        assert ask(address, "/remote.json", "POST")[0] == 405


@pytest.mark.parametrize(
    "path",
    [
        "/", "/../format.json", "/%2e%2e/format.json", "/refs/..%2f..%2fformat.json", "/refs/", "/claims/",
        "/blobs/00/" + "0" * 64, "/format.json", "/records", "/a%00b", "/" + "a" * 5000, "/refs/x%0d%0ay",
        "/trees/00/" + "0" * 64 + ".json", "/claims/x/index.json", "//etc/passwd", "/refs/%ff",
    ],
)  # fmt: skip
def test_nothing_else_is_there(served: str, path: str) -> None:
    assert ask(served, path)[0] == 404


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = Store(tmp_path_factory.mktemp("served") / "one", durability="none")
    realize(data(), store=store, quiet=True)
    with serving(store, PYLIGHTNIX_KEYS=str(store.path.with_name("keys"))) as address:
        yield address


def test_only_what_a_root_reaches(store: Store, done: Realization[Any], tmp_path: Path) -> None:
    store.root("shown", done.deps.source)
    with serving(store, "--root", "shown") as address:
        pull(done.deps.source.ref, address, store=tmp_path / "two", unsigned=True)
        with pytest.raises(UnknownReferenceError):
            pull(done.ref, address, store=tmp_path / "two", unsigned=True)


def test_what_was_collected_is_not_there(store: Store, done: Realization[Any], tmp_path: Path) -> None:
    with serving(store) as address:
        store.remove(done.ref)
        with pytest.raises(UnknownReferenceError):
            pull(done.ref, address, store=tmp_path / "two", unsigned=True)
        pull(done.deps.source.ref, address, store=tmp_path / "two", unsigned=True)


def test_secrets_are_not_served(store: Store, tmp_path: Path) -> None:
    @stage(code="ignore")
    def leaky(build: Build) -> None:
        (build.out / "notes.txt").write_text(f"ghp_{'a1B2' * 9}\n")

    done = realize(leaky(), store=store, quiet=True)
    with serving(store) as address, pytest.raises(RemoteError, match="403"):
        pull(done.ref, address, store=tmp_path / "two", unsigned=True)
    with serving(store, "--secrets") as address:
        pull(done.ref, address, store=tmp_path / "two", unsigned=True)


def test_it_is_not_opened_to_others_by_mistake(store: Store, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("short")
    for options, what in (
        (("--host", "0.0.0.0"), "whoever reaches 0.0.0.0 could read"),
        (("--token-file", str(token)), "16 or more"),
        (("--tls-cert", "x"), "go together"),
        (("--root", "nothing"), "no root 'nothing'"),
    ):
        assert what in refused(store, *options)
    token.write_text("a-token-of-some-length")
    assert "as it is" in refused(store, "--host", "0.0.0.0", "--token-file", str(token))


def refused(store: Store, *options: str) -> str:
    command = [str(COMMAND), "serve", "--store", str(store.path), *options]
    done: subprocess.CompletedProcess[str] = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done
    return done.stderr


def test_a_store_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with serving(Store(tmp_path / "typo")) as server:
        pass
    assert f"{tmp_path / 'typo'}, which is not there yet" in server.told
    assert not (tmp_path / "typo").exists()
