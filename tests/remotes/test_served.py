"""A store as a backend: everything that offers name is there, as long as one result in the store has it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Realization, Remote, Store, pull, realize, stage
from pylightnix.errors import BadNameError, DamageError, RemoteError, SecretError
from pylightnix.hashing import digest_bytes
from pylightnix.names import KeyRef
from pylightnix.remotes import recutting
from pylightnix.remotes.format import Pieces, index_name, offers_prefix, ref_name, tree_name
from pylightnix.remotes.pieces import PACKED, PIECE, Blob, parse_blobs
from pylightnix.remotes.recutting import Trees
from pylightnix.remotes.secrets import looks_secret
from pylightnix.remotes.served import Served
from pylightnix.store.closures import member
from pylightnix.store.files import kind_of

ALL = 1 << 40


@stage(code="ignore")
def two(build: Build, number: int, more: str = "") -> None:
    """The same large file for all, and the same artifacts for all numbers."""
    (build.out / "large").write_bytes(b"x" * (PIECE + 5))
    if more:
        (build.out / "more").write_text(more)


@stage(code="ignore")
def small(build: Build, sizes: list[int]) -> None:
    for number, size in enumerate(sizes):
        (build.out / f"{number:05}").write_bytes(bytes([number % 251]) * size)
    (build.out / "link").symlink_to("00000")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "one", durability="none")


@pytest.fixture
def served(store: Store) -> Iterator[Served]:
    backend = Served(store.keeper, suspect=looks_secret)
    yield backend
    backend.close()


def made(store: Store, derivation: Any) -> Realization[Any]:
    done: Realization[Any] = realize(derivation, store=store, quiet=True)
    return done


def tree_of(store: Store, done: Realization[Any]) -> str:
    return next(record.tree for record in store.keeper.records() if record.ref == done.ref)


def offers(served: Served, done: Realization[Any]) -> list[dict[str, Any]]:
    home = served.get(ref_name(done.ref), ALL)
    if home is None:
        return []
    index = served.get(f"claims/{home.decode()}/index.json", ALL)
    assert index is not None
    names = [name for name in json.loads(index)["offers"] if name.startswith(done.ref[:40])]
    found = [served.get(f"claims/{home.decode()}/{name}", ALL) for name in names]
    return [json.loads(one) for one in found if one is not None]


def pieces_of(served: Served, tree: str) -> Pieces | None:
    data = served.get(tree_name(tree), ALL)
    return Pieces.parse(tree_name(tree), data) if data is not None else None


def blobs_of(pieces: Pieces) -> list[Blob]:
    return [blob for one in (pieces.packs, *pieces.files) for blob in one]


def is_whole(served: Served, store: Store, done: Realization[Any]) -> bool:
    found = offers(served, done)
    known = [blob for offer in found for field in ("notes", "manifest") for blob in parse_blobs(offer[field])]
    pieces = pieces_of(served, tree_of(store, done))
    return bool(found) and pieces is not None and all(map(served.has, (b.name for b in [*known, *blobs_of(pieces)])))


@pytest.mark.parametrize("first", [0, 1])
def test_what_two_results_have_in_common_is_there_as_long_as_one_is(store: Store, served: Served, first: int) -> None:
    same = [made(store, two(number)) for number in (1, 2)]
    other = made(store, two(3, "more"))
    assert tree_of(store, same[0]) == tree_of(store, same[1])
    assert all(is_whole(served, store, one) for one in (*same, other))
    gone = same.pop(first)
    store.remove(gone.ref)
    assert served.get(ref_name(gone.ref), ALL) is None
    assert is_whole(served, store, same[0])
    store.remove(other.ref)
    assert is_whole(served, store, same[0]), "the other one, which was seen last, had the same large file"
    large = blobs_of(pieces_of(served, tree_of(store, same[0])) or Pieces((), ()))[0]
    store.remove(same[0].ref)
    assert served.get(large.name, ALL) is None


@pytest.mark.parametrize(
    "sizes",
    [[], [0], [1], [PIECE // 16] * 17, [PIECE // 16] * 16 + [0, 0, 3], [PACKED - 1] * 26, [7, 0, PACKED - 7] * 13],
    ids=["none", "empty", "one", "edge", "empty-at-the-edge", "across", "mixed"],
)
def test_packs_are_the_small_files_one_after_the_other(store: Store, served: Served, sizes: list[int]) -> None:
    done = made(store, small(sizes))
    pieces = pieces_of(served, tree_of(store, done))
    assert pieces is not None
    got = b"".join(served.get(blob.name, blob.size) or b"" for blob in pieces.packs)
    assert got == b"".join(bytes([number % 251]) * size for number, size in enumerate(sizes))
    for blob in pieces.packs:
        found = served.find(blob.name)
        assert found is not None
        whole = b"".join(found.all())
        for begin, end in ((0, 3), (blob.size // 2, blob.size // 2 + 70_000), (blob.size - 2, blob.size)):
            assert b"".join(found.part(begin, end)) == whole[begin:end]


def test_it_writes_nothing(store: Store, served: Served) -> None:
    done = made(store, two(1, "more"))
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in store.path.rglob("*"))
    assert is_whole(served, store, done)
    assert sorted((str(path), path.lstat().st_mtime_ns) for path in store.path.rglob("*")) == before
    for refused in (lambda: served.put("x", b""), lambda: served.remove("x"), lambda: served.names("")):
        with pytest.raises(RemoteError):
            refused()


def test_a_large_tree_is_read_once_however_often_somebody_asks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tree_of(store, made(store, two(1)))
    reads, may = [], threading.Event()

    def slowly(*args: Any) -> Pieces:
        reads.append(1)
        assert may.wait(20)
        return once(*args)

    once = Trees._all
    monkeypatch.setattr(Trees, "_all", slowly)
    served = Served(store.keeper, patience=0.05)
    for _ in range(4):
        with pytest.raises(RemoteError, match="is being read") as told:
            served.get(tree_name(tree), ALL)
        assert told.value.again
        assert told.value.wait
    may.set()
    served._cut._cut[tree].result(20)
    assert pieces_of(served, tree) is not None
    assert len(reads) == 1
    served.close()


def test_who_ends_does_not_wait_for_a_tree_to_be_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tree_of(store, made(store, two(1)))
    begun, may = threading.Event(), threading.Event()

    def cutting(data: bytes) -> Blob:
        begun.set()
        assert may.wait(20)
        return plain(data)

    plain = recutting.plain
    monkeypatch.setattr(recutting, "plain", cutting)
    served, errors = Served(store.keeper), list[Exception]()

    def ask() -> None:
        try:
            served.get(tree_name(tree), ALL)
        except RemoteError as error:
            errors.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(20)
    threading.Timer(0.2, may.set).start()
    served.close()
    asking.join(20)
    assert [error.what for error in errors if isinstance(error, RemoteError)] == ["nobody is served any more"]


def test_what_is_damaged_is_not_given(store: Store, served: Served) -> None:
    done = made(store, two(1))
    tree = tree_of(store, done)
    last = blobs_of(pieces_of(served, tree) or Pieces((), ()))[-1]
    _damage(done.path / "large")
    with pytest.raises(DamageError):
        served.get(last.name, ALL)
    again = Served(store.keeper)
    with pytest.raises(DamageError, match="not what its record says"):
        again.get(tree_name(tree), ALL)
    again.close()


def _damage(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"y")


def test_what_looks_like_a_secret_is_refused_each_time(store: Store, served: Served) -> None:
    done = made(store, two(1, f"ghp_{'a1B2' * 9}\n"))
    for _ in range(2):
        with pytest.raises(SecretError):
            served.get(tree_name(tree_of(store, done)), ALL)


def test_notes_that_are_out_of_date(store: Store, served: Served) -> None:
    done = made(store, two(1))
    old = [blob for offer in offers(served, done) for blob in parse_blobs(offer["notes"])]
    assert realize(two(1), store=store, rebuild=[two(1)], quiet=True).ref == done.ref
    assert [served.get(blob.name, ALL) for blob in old] == [None]
    assert is_whole(served, store, done)


def test_what_was_collected_is_known_and_not_there(store: Store, served: Served) -> None:
    ref, tree = _ref_and_tree(store)
    pieces = pieces_of(served, tree)
    assert pieces is not None
    store.gc(unreachable=True, older_than="0d", trash="0d")
    done = store.realization(ref)
    assert [offer["whole"] for offer in offers(served, done)] == [False]
    assert pieces_of(served, tree) is None
    assert [served.get(blob.name, ALL) for blob in blobs_of(pieces)] == [None, None]
    assert made(store, two(1)).ref == ref
    assert is_whole(served, store, done), "it was made again"


def _ref_and_tree(store: Store) -> tuple[str, str]:
    """Nobody has the realization in hand afterwards."""
    done = made(store, two(1))
    return done.ref, tree_of(store, done)


def test_what_goes_while_it_is_read_is_not_damaged(
    store: Store, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = made(store, two(1))
    home = (served.get(ref_name(done.ref), ALL) or b"").decode()
    tree = tree_of(store, done)

    def goes(source: Any, place: Any) -> Any:
        store.remove(done.ref)
        return member(source, place)

    monkeypatch.setattr("pylightnix.remotes.served.member", goes)
    assert served.get(f"claims/{home}/index.json", ALL) is None
    monkeypatch.undo()
    made(store, two(1))
    monkeypatch.setattr("pylightnix.remotes.served.member", goes)
    assert served.get(tree_name(tree), ALL) is None


def test_names_that_mean_nothing_here(store: Store, served: Served) -> None:
    done = made(store, two(1))
    assert is_whole(served, store, done)
    home = KeyRef((served.get(ref_name(done.ref), ALL) or b"").decode())
    tree, digest = tree_of(store, done), digest_bytes(b"nothing")
    for name in (
        "format.json", "records", f"store/{done.ref}/large", f"trees/00/{tree}.json", f"trees/{tree[:2]}/{tree}",
        f"blobs/{digest[:2]}/{digest}", f"blobs/{digest[:2]}/{digest}.zst", f"{index_name(home)}.json",
        f"{offers_prefix(home, done.ref[:40])}{'0' * 40}.json", f"refs/{home}", "refs/x", "claims/x/index.json",
    ):  # fmt: skip
        assert served.get(name, ALL) is None, name
    for name in ("../format.json", "refs/../../format.json", "/etc/passwd", "a\0b", "x" * 401, ""):
        with pytest.raises(BadNameError):
            served.get(name, ALL)
    assert kind_of(f"{store.path}/format.json") == "file"


class CollectedBeside(Served):
    """Everything is collected between the question for the names of offers and that for the first offer."""

    def __init__(self, store: Store, forget: bool) -> None:
        super().__init__(store.keeper, suspect=looks_secret)
        self._store, self._forget, self.collected = store, forget, 0

    def get(self, name: str, most: int) -> bytes | None:
        if name.startswith("claims/") and not name.endswith("/index.json") and not self.collected:
            self.collected = len(
                self._store.gc(unreachable=True, older_than="0d", trash="0d", forget=self._forget).victims
            )
        return super().get(name, most)


@pytest.mark.parametrize("forget", [False, True])
def test_what_is_collected_while_it_is_asked_for_is_known_unless_forgotten(
    store: Store, tmp_path: Path, forget: bool
) -> None:
    ref = made(store, two(1)).ref  # and nobody uses it
    backend = CollectedBeside(store, forget)
    with Remote("one", backend=backend) as remote:
        if forget:
            with pytest.raises(RemoteError, match="is not in it"):
                pull(ref, remote, store=tmp_path / "two", unsigned=True)
        else:
            pull(ref, remote, store=tmp_path / "two", unsigned=True)
    assert backend.collected == 1
