"""One promised file of a realization from a remote, without the rest of it.

Small files share pieces, so those are fetched in which it lies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from pylightnix.errors import DamageError
from pylightnix.hashing import content_hasher
from pylightnix.model.records import PromiseRecord, Record
from pylightnix.remotes.fetching import Fetcher
from pylightnix.remotes.format import Pieces
from pylightnix.remotes.pieces import PACKED, Blob
from pylightnix.remotes.pulling import fetch_artifacts, find_pieces
from pylightnix.store.collection.small import SmallFiles
from pylightnix.store.manifests import Entry, read_manifest
from pylightnix.store.writing import Writer


def fetch_promise(target: Writer, fetcher: Fetcher, record: Record, promised: PromiseRecord) -> bool:
    """Have what was promised, of a realization of which the store has the record; whether the remote had it.

    A file is kept apart until all artifacts are there; of a directory, or a link, all artifacts come.

    Raises:
        DamageError: something in the remote is damaged, or the store has no manifest of it.
        RemoteError: the remote cannot be reached, or refuses.
        StoreError: the store cannot be written.
    """
    if promised.kind != "file":
        return fetch_artifacts(target, fetcher, record)
    pieces = find_pieces(fetcher, record)
    if pieces is None:
        return False
    entries = read_manifest(f"{target.place(record)}/manifest.jsonl", record.tree)
    SmallFiles(target).put(record, promised.path, pick(fetcher, pieces, entries, promised.path))
    return True


def pick(fetcher: Fetcher, pieces: Pieces, entries: Iterable[Entry], path: str) -> Iterator[memoryview]:
    """The content of a file, in portions; it was that only if all of it was taken without an error.

    Args:
        fetcher: asks the remote.
        pieces: where the content of the realization is.
        entries: of its manifest.
        path: of the file.

    Raises:
        DamageError: there is no such file, or its bytes are not there or others.
        RemoteError: the remote cannot be reached, or refuses.
    """
    name, offset, number = os.fsencode(path), 0, 0
    for entry in entries:
        if entry.name == name:
            if entry.kind != "file":
                break
            yield from _checked(entry, _portions(fetcher, pieces, entry, offset, number))
            return
        if entry.kind == "file" and entry.size < PACKED:
            offset += entry.size
        elif entry.kind == "file":
            number += 1
    raise DamageError("its manifest has no such file", where=path)


def _portions(fetcher: Fetcher, pieces: Pieces, entry: Entry, offset: int, number: int) -> Iterator[memoryview]:
    if entry.size >= PACKED:
        if number >= len(pieces.files):
            raise DamageError("there is less content than files", where=entry.path)
        for piece in fetcher.stream(pieces.files[number]):
            yield memoryview(piece)
        return
    blobs, skip = _around(pieces.packs, offset, entry.size)
    left = entry.size
    for piece in fetcher.stream(blobs):
        portion = memoryview(piece)[skip : skip + left]
        skip, left = 0, left - len(portion)
        yield portion


def _around(blobs: Iterable[Blob], offset: int, size: int) -> tuple[list[Blob], int]:
    """The pieces in which so many bytes from an offset on lie, and how far into the first they begin."""
    found: list[Blob] = []
    begin, first = 0, 0
    for blob in blobs:
        end = begin + blob.size
        if begin < offset + size and offset < end:
            first = offset - begin if not found else first
            found.append(blob)
        begin = end
    return found, first


def _checked(entry: Entry, portions: Iterable[memoryview]) -> Iterator[memoryview]:
    hasher, size = content_hasher(), 0
    for portion in portions:
        hasher.update(portion)
        size += len(portion)
        yield portion
    if size != entry.size or hasher.hexdigest() != entry.hash:
        raise DamageError("these are not its bytes", where=entry.path)
