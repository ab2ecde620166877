"""What no signature covers, and somebody else has changed: it is held against what is signed, or is nobody's choice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Realization, Store, match, promise, pull, push, realize, stage
from pylightnix.errors import DamageError
from pylightnix.hashing import canonical, digest_bytes
from pylightnix.model.records import seed_of
from pylightnix.remotes.format import Offer, Pieces, offers_prefix, tree_name
from pylightnix.remotes.keyring import DIRECTORY, Keys
from pylightnix.remotes.notes import Notes, notes_bytes, parse_notes
from pylightnix.remotes.pieces import PACKED, Blob
from pylightnix.remotes.sending import stored_as
from pylightnix.session.substituting import RemoteWarning
from pylightnix.store import trees
from pylightnix.store.documents import record_bytes
from pylightnix.store.filehash import hash_file


@stage(code="ignore", matcher=match.latest())
def data(build: Build, number: int = 1, table: Path = promise("table.txt")) -> None:
    table.write_text(f"number {number}")
    (build.out / "other.txt").write_text("something else")


@stage(code="ignore")
def model(table: Any, weights: Path = promise("w.bin")) -> float:
    weights.write_text(f"made from {table.read_text()}")
    return 0.5


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One person, who trusts themselves."""
    monkeypatch.setenv(DIRECTORY, str(tmp_path / "keys"))
    Keys().trust("me", Keys().generate().public)


@pytest.fixture
def source(tmp_path: Path) -> Store:
    return Store(tmp_path / "one", durability="none")


@pytest.fixture
def target(tmp_path: Path) -> Store:
    return Store(tmp_path / "two", durability="none")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "remote"


def offers_of(place: Path, one: Realization[Any]) -> list[Path]:
    return sorted(place.glob(f"{offers_prefix(one.record.home, one.ref.digits)}*"))


def offer_in(place: Path, path: Path) -> Offer:
    return Offer.parse(str(path.relative_to(place)), path.read_bytes())


def content(place: Path, blobs: Iterable[Blob]) -> bytes:
    from pylightnix.remotes.directory import Directory
    from pylightnix.remotes.fetching import Fetcher

    fetcher = Fetcher(Directory(str(place)))
    try:
        return b"".join(map(fetcher.blob, blobs))
    finally:
        fetcher.close()


def notes_in(place: Path, offer: Offer) -> Notes:
    return parse_notes(content(place, offer.notes), offer.place)


def offered_with(place: Path, path: Path, notes: Notes) -> None:
    """Put an offer of the same claim with the same signatures, and these notes, in the place of one."""
    offer, record = offer_in(place, path), notes.record
    data = notes_bytes(
        record_bytes(record, record.made_in), notes.derivations, notes.environments, notes.documents, notes.logs
    )
    blob, stored = stored_as(data)
    (place / blob.name).parent.mkdir(exist_ok=True)
    (place / blob.name).write_bytes(stored)
    path.unlink()
    other = offer._replace(notes=(blob,))
    (place / other.name()).write_bytes(other.to_bytes())
    assert digest_bytes(data) == blob.digest


def test_promises_of_something_else(source: Store, target: Store, place: Path) -> None:
    """Else what is made from one thing could be passed off as made from another one, though both are signed."""
    one, two = (realize(data(number=number), store=source, quiet=True) for number in (1, 2))
    for number in (1, 2):
        push(realize(model(data(number=number).table), store=source, quiet=True), place, store=source)
    for path in offers_of(place, one):
        notes = notes_in(place, offer_in(place, path))
        notes.record.promises = two.record.promises
        offered_with(place, path, notes)
    with pytest.raises(DamageError, match="promises and sizes"):
        pull(one.ref, place, store=target, only=[])
    with pytest.warns(RemoteWarning, match="promises and sizes"):
        done = realize(model(data(number=1).table), store=target, remotes=[place], quiet=True)
    assert done.weights.read_text() == "made from number 1"
    assert target.verify().findings == ()


def with_run(notes: Notes, index: int) -> Notes:
    """Notes with one more run."""
    name = next(iter(notes.runs))
    document = json.loads(notes.documents[name])
    document.update(index=index, seed=seed_of(notes.record.key, index), log=None)
    other = f"run-{index}-{name.split('-', 2)[2]}"
    return notes._replace(documents={**notes.documents, other: canonical(document)})


@pytest.mark.parametrize("index", [10**8 - 1, 10**8, 10**9 - 1])
def test_an_index_after_which_there_is_none(index: int, source: Store, target: Store, place: Path) -> None:
    """Indices only grow, so whoever adds a run with the last one would leave none for those that are made here."""
    done = realize(data(), store=source, quiet=True)
    push(done, place, store=source)
    for path in offers_of(place, done):
        offered_with(place, path, with_run(notes_in(place, offer_in(place, path)), index))
    if index >= 10**8:
        with pytest.raises(DamageError, match="no key has so many runs"):
            pull(done.ref, place, store=target)
        return
    pull(done.ref, place, store=target)
    again = realize(data(), store=target, rebuild=[data()], quiet=True)
    assert again.runs[-1].index == 10**8
    assert target.verify().findings == ()


@stage(code="ignore")
def several(build: Build) -> None:
    for name, size in (("a", 5), ("b", 5), ("large", PACKED)):
        (build.out / name).write_bytes(name[:1].encode() * size)


@pytest.mark.parametrize("other", [{"packs": b"bbbbbaaaaa"}, {"packs": b"aaaaabbbbc"}, {"files": b"m" * PACKED}])
def test_pieces_of_other_content(other: dict[str, bytes], source: Store, target: Store, place: Path) -> None:
    """Nobody has signed where the content is; each blob is what its name says, but not what the file must be."""
    done = realize(several(), store=source, quiet=True)
    push(done, place, store=source)
    name = tree_name(done.record.tree)
    pieces = Pieces.parse(name, (place / name).read_bytes())
    for kind, data in other.items():
        blob, stored = stored_as(data)
        (place / blob.name).parent.mkdir(exist_ok=True)
        (place / blob.name).write_bytes(stored)
        pieces = pieces._replace(packs=(blob,)) if kind == "packs" else pieces._replace(files=((blob,),))
    (place / name).write_bytes(pieces.to_bytes())
    with pytest.raises(DamageError, match="is not what its record says") as caught:
        pull(done.ref, place, store=target)
    assert caught.value.fields["path"] == ("large" if "files" in other else "b" if b"c" in other["packs"] else "a")
    assert not list((target.path / "store").iterdir())
    assert target.verify().findings == ()


def test_what_was_held_against_its_hash_when_it_was_written_is_not_read_again(
    source: Store, target: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = realize(several(), store=source, quiet=True)
    push(done, place, store=source)
    hashed: list[int] = []

    def noted(fd: int, size: int, between: Any) -> str:
        hashed.append(size)
        return hash_file(fd, size, between)

    monkeypatch.setattr(trees, "hash_file", noted)
    pull(done.ref, place, store=target)
    assert hashed == [PACKED]
    assert target.verify().findings == ()
