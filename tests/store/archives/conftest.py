"""Archives that no export writes: of good ones with a change, and of trees that no store has."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from pylightnix.hashing import canonical, digest_bytes, kind_tag
from pylightnix.model.records import Record, Run, hash_realization, hash_value, seed_of
from pylightnix.model.selection import Kept, Selection
from pylightnix.names import DerivationRef, RealizationRef
from pylightnix.store.archives.format import BLOCK, END, HEAD, RECORD, Head, Header, Sum
from pylightnix.store.archives.reading import Members
from pylightnix.store.documents import parse_choice, record_bytes, run_bytes
from pylightnix.store.manifests import EMPTY_MANIFEST, Entry
from pylightnix.store.store import Store
from tests.store.conftest import STARTED, Maker

Member = tuple[str, bytes]


def taken_apart(data: bytes) -> list[Member]:
    """The members of an archive, but the last one."""
    members = Members(io.BytesIO(data))
    return [(header.name, members.content()) for header in members]


def put_together(members: Iterable[Member], *, end: bytes | None = None) -> bytes:
    """An archive of these, with a last member that is right for them."""
    parts, total = [], Sum()
    for name, data in members:
        header = Header(name, len(data))
        parts += [header.to_bytes(), data, bytes(header.padding)]
        total.add(header, digest_bytes(data))
    last = total.to_bytes() if end is None else end
    header = Header(END, len(last))
    parts += [header.to_bytes(), last, bytes(header.padding), bytes(2 * BLOCK)]
    data = b"".join(parts)
    return data + bytes(-len(data) % RECORD)


class Crafter:
    """Archives of one realization with any tree."""

    def __init__(self, store: Store) -> None:
        self._maker = Maker(store)

    def members(self, entries: Iterable[Entry | bytes], files: Iterable[bytes] = (), **record: Any) -> list[Member]:
        """The members of an archive whose hashes are all right."""
        manifest = EMPTY_MANIFEST + b"".join(e if isinstance(e, bytes) else e.line() for e in entries)
        fixed = {"code": {"version": "1"}, "name": "made", "params": {}, "promises": {}}
        document = canonical({**fixed, "pylightnix": kind_tag("derivation")})
        ref = DerivationRef.of(digest_bytes(document), "made")
        context = self._maker.context(ref, {})
        key, home = self._maker.key("made", 0, {})
        tree = digest_bytes(manifest)
        digest = RealizationRef.of(hash_realization(key, tree, hash_value(None)), "made")
        files = list(files)
        fields: dict[str, Any] = {
            "promises": {}, "size": sum(map(len, files)), "files": len(files), "made_in": context.hash, **record,
        }  # fmt: skip
        known = Record(digest, home, key, tree, None, **fields)
        run = Run(0, seed_of(key, 0), STARTED, 0.5, context, None, {})
        choice = {"key": home, "chosen": [digest], "many": True, "context": context.hash, "matcher": "kept"}
        base = f"realizations/{home}/{digest.digits}"
        head = Head(Selection((Kept(ref, parse_choice(choice)),)), frozenset())
        return [
            (HEAD, head.to_bytes()),
            (f"derivations/{ref}.json", document),
            (f"{base}/record.json", record_bytes(known, known.made_in)),
            (f"{base}/run-0-1-{'0' * 12}.json", run_bytes(run)),
            (f"{base}/artifacts.jsonl", manifest),
            *[(f"{base}/files/{n}", data) for n, data in enumerate(files)],
        ]


@pytest.fixture
def craft(tmp_path: Path) -> Callable[..., list[Member]]:
    return Crafter(Store(tmp_path / "crafting")).members
