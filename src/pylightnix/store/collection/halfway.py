"""Artifacts that somebody was moving when he died: beside their place, where nobody looks; the whole ones go back.

Only who may not move what is sealed has to leave them there for a moment.
"""

from __future__ import annotations

import contextlib
import os

from pylightnix.errors import StoreError
from pylightnix.names import RealizationRef
from pylightnix.store import changes
from pylightnix.store.aside import beside
from pylightnix.store.collection.debris import Sweeper
from pylightnix.store.collection.gate import Gate
from pylightnix.store.layout import writing
from pylightnix.store.reading import Reader
from pylightnix.store.sealing import seal_top
from pylightnix.store.trees import hash_tree


def put_back_halfway(reader: Reader, gate: Gate) -> list[RealizationRef]:
    """Put those back that have a record and are what that says; which these are. StoreError if the system refuses."""
    back: list[RealizationRef] = []
    if not any(beside(reader.layout)):
        return back
    with writing(reader.layout.root):
        left = Sweeper(reader.layout, gate, lambda _: False).left_beside()
    for path in [*left, *filter(os.path.lexists, sorted(reader.adrift))]:
        ref = RealizationRef(os.path.basename(path).partition("@")[0])
        found = [reader.record_at(home, ref.digits) for home in reader.homes(ref.name)]
        for record in filter(None, found):
            with contextlib.suppress(OSError, StoreError):
                if hash_tree(path).digest == record.tree:
                    seal_top(path)
                    changes.move(path, reader.payload_text(record))
                    back.append(ref)
                    reader.adrift.discard(path)
    return back
