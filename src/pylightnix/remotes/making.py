"""Makes the files that a manifest lists from what a remote has. Unaware of realizations, and of where they stand."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pylightnix.errors import DamageError
from pylightnix.hashing import digest_bytes
from pylightnix.names import printable
from pylightnix.remotes.fetching import Fetcher
from pylightnix.remotes.format import Pieces
from pylightnix.remotes.pieces import PACKED, Blob, Taker
from pylightnix.remotes.resuming import Parts
from pylightnix.store import changes
from pylightnix.store.files import NewFile, write_new
from pylightnix.store.manifests import Entry, read_manifest


def make_files(
    fetcher: Fetcher, manifest: str | bytes, pieces: Pieces, small: bytes | None, out: str, parts: Parts | None = None
) -> None:
    """Make what a manifest lists. Each file of less than `PACKED` is held against its hash before it is written.

    Args:
        fetcher: asks the remote.
        manifest: its path, or its bytes, held against its hash before.
        pieces: where the content is.
        small: the content of the packs, if that is at hand.
        out: the directory, which is empty.
        parts: keeps what has come for another attempt.

    Raises:
        DamageError: the content is not that of the manifest.
        RemoteError: the remote cannot be reached, or refuses.
    """
    if small is not None:
        packs = Taker([small])
    elif parts is not None:
        packs = Taker(parts.packs(fetcher, pieces.packs))
    else:
        packs = Taker(fetcher.stream(pieces.packs))
    files = iter(pieces.files)
    for entry in read_manifest(manifest):
        path = f"{out}/{entry.path}"
        if entry.kind == "file" and entry.size < PACKED:
            _write_small(path, packs.whole(entry.size), entry)
        elif entry.kind == "directory":
            changes.make_directory(path)
        elif entry.kind == "link":
            changes.link_symbolically(os.fsdecode(entry.target), path)
        else:
            blobs = _pieces_of(entry, next(files, ()))
            if parts is not None:
                parts.fetch(fetcher, blobs, _mode(entry), path)
            else:
                write_file(path, fetcher.stream(blobs), _mode(entry))
    packs.end()
    if next(files, None) is not None:
        raise DamageError("there is more content than files")
    if parts is not None:
        parts.place()


def _pieces_of(entry: Entry, blobs: tuple[Blob, ...]) -> tuple[Blob, ...]:
    if sum(blob.size for blob in blobs) != entry.size:
        raise DamageError("the pieces of a file have not its size")
    return blobs


def _write_small(path: str, data: bytes | memoryview, entry: Entry) -> None:
    """Write a file that is what its entry says; so nobody has to read it again for that."""
    if digest_bytes(data) != entry.hash:
        raise DamageError(f"{printable(entry.path)} is not what its record says", path=entry.path)
    write_new(path, data, _mode(entry))


def _mode(entry: Entry) -> int:
    return 0o555 if entry.executable else 0o444


def write_file(path: str, portions: Iterator[bytes] | Iterator[memoryview] | list[bytes], mode: int = 0o444) -> None:
    """Write a file that is not there."""
    with NewFile(path, mode) as file:
        for data in portions:
            file.write(data)
