"""Documents of a remote that are well-formed and say something else: an error or no difference, nothing wrong visible.

Each value in each document is replaced by others; what is named by its bytes gets the name that fits, and those who
refer to it say so, so that no check of a name alone stops it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pylightnix import Build, Dep, Realization, Store, promise, pull, push, realize, stage
from pylightnix.errors import DamageError, FormatError, PylightnixError
from pylightnix.hashing import DIGITS, canonical, digest_bytes
from pylightnix.remotes.format import Offer, Pieces, key_of, parse_head, parse_index
from pylightnix.remotes.notes import parse_notes
from pylightnix.store.closures import Place
from pylightnix.store.signed import parse_signed

OTHERS: tuple[Any, ...] = (
    None, True, -1, 0, 1, 1 << 62, 1.5, "", "x", "../../x", "0" * 40, "0" * 64, [], [[]], [["0" * 64, 5]], {}, {"a": 1},
    [None] * 50,
)  # fmt: skip


@stage(code="ignore")
def data(build: Build, table: Path = promise("table.txt")) -> None:
    print("a line for the log")
    table.write_text("one two")
    (build.out / "large").write_bytes(b"0123456789abcdef" * 70_000)


@stage(code="ignore")
def model(source: Dep = data(), weights: Path = promise("w.bin")) -> dict[str, float]:
    weights.write_text(source.table.read_text())
    return {"score": 0.5}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> tuple[Realization[Any], Path]:
    top = tmp_path_factory.mktemp("hostile")
    store = Store(top / "one", durability="none")
    done = realize(model(), store=store, quiet=True)
    push(done, top / "remote", store=store)
    return done, top / "remote"


def places(document: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value in a document."""
    yield at
    if isinstance(document, dict):
        for name in document:
            yield from places(document[name], (*at, name))
    elif isinstance(document, list):
        for number, item in enumerate(document):
            yield from places(item, (*at, number))


def replaced(document: Any, at: tuple[Any, ...], other: Any) -> Any:
    """The document with another value there; `KeyError` stands for none at all."""
    if not at:
        return other
    copy = json.loads(json.dumps(document))
    above = copy
    for step in at[:-1]:
        above = above[step]
    if other is KeyError:
        del above[at[-1]]
    else:
        above[at[-1]] = other
    return copy


def renamed(path: Path, content: bytes) -> None:
    """Put the content in the place of a file, under the name that it has to have."""
    if "@" in path.name:
        path.unlink()
        path = path.with_name(f"{path.name.partition('@')[0]}@{digest_bytes(content)[:DIGITS]}.json")
    path.write_bytes(content)


def test_other_values_in_documents(sent: tuple[Realization[Any], Path], tmp_path: Path) -> None:
    done, remote = sent
    before = Path(done.path, "w.bin").read_bytes()
    tried = refused = 0
    for original in sorted(remote.rglob("*.json")):
        document = json.loads(original.read_bytes())
        ways = list(places(document))
        for number, at in enumerate(ways):
            for other in (OTHERS[number % len(OTHERS)], OTHERS[(number * 7 + 3) % len(OTHERS)], KeyError):
                if other is KeyError and not at:
                    continue
                copy = tmp_path / str(tried)
                shutil.copytree(remote, copy)
                renamed(copy / original.relative_to(remote), canonical(replaced(document, at, other)))
                store = Store(tmp_path / f"store{tried}", durability="none")
                tried += 1
                try:
                    pull(done.ref, copy, store=store, unsigned=True)
                except PylightnixError:
                    refused += 1
                else:
                    assert store.realization(done.ref).weights.read_bytes() == before
                if store.path.exists():
                    assert store.verify().findings == ()
                shutil.rmtree(copy)
    assert tried > 100
    assert refused > tried // 2


ANY = st.binary(max_size=300) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8,
).map(lambda document: json.dumps(document).encode())  # fmt: skip

PLACE_TEXT = f"{'0' * 40}-model"


@settings(max_examples=60)
@given(ANY)
def test_any_bytes_are_refused(data: bytes) -> None:
    from pylightnix.names import KeyRef, RealizationRef

    place = Place(KeyRef(PLACE_TEXT), RealizationRef(PLACE_TEXT))
    for parse in (
        lambda: parse_head(data), lambda: parse_index("x", data), lambda: Offer.parse("x", data),
        lambda: Pieces.parse("x", data), lambda: parse_notes(data, place), lambda: parse_signed("x", data),
        lambda: key_of(data, place.ref),
    ):  # fmt: skip
        with pytest.raises((DamageError, FormatError)):
            parse()


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000, b'{"pylightnix":"offer/1","pylightnix":"offer/1"}', b'{"pylightnix":"offer/1","claim":1e400}',
        b'{"pylightnix":"remote/1","id":' + b"9" * 5000 + b"}", b'{"pylightnix":"index/1","offers":[' + b"[" * 5000,
        b"\xff\xfe", b"<!DOCTYPE html>", b"NaN",
    ],
    ids=range(8),
)  # fmt: skip
def test_json_that_is_none(data: bytes) -> None:
    for parse in (parse_head, lambda data: parse_index("x", data), lambda data: Offer.parse("x", data)):
        with pytest.raises((DamageError, FormatError)):
            parse(data)
