"""Sends the files of a directory that a manifest lists: small ones together, each held against its hash on the way.

Unaware of realizations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import BinaryIO, NamedTuple

from pylightnix.hashing import content_hasher, digest_bytes
from pylightnix.remotes.format import Pieces
from pylightnix.remotes.pieces import PACKED, PIECE, Blob
from pylightnix.remotes.sending import Sender
from pylightnix.store.closures import not_as_recorded, open_recorded
from pylightnix.store.manifests import Entry, read_manifest

HEAD = 64 << 10
"""Bytes of a file that are looked at before it is sent."""

Search = Callable[[str, bytes], object]
"""Is given the path of a file, and all of its bytes in portions that overlap; may raise."""

Look = Callable[[str, str, bytes], object]
"""Is given the name of a file in the directory, its path, and its first bytes; may raise."""


class Sending(NamedTuple):
    """`Pieces` that are being sent."""

    packs: list[Future[Blob]]
    files: list[list[Future[Blob]]]

    def done(self) -> Pieces:
        """What they are, when all are there."""
        return Pieces(blobs_of(self.packs), tuple(blobs_of(one) for one in self.files))


def blobs_of(futures: Iterable[Future[Blob]]) -> tuple[Blob, ...]:
    """The blobs, when all are there."""
    return tuple(future.result() for future in futures)


class Contents:
    """Sends files.

    Args:
        sender: where to.
        look: looks at each file before it is sent.
        search: looks at all of it.
        overlap: bytes that are given to it once more with what follows.
    """

    def __init__(
        self, sender: Sender, look: Look = lambda *_: None, search: Search | None = None, overlap: int = 0
    ) -> None:
        self._sender = sender
        self._look = look
        self._search = search
        self._overlap = overlap

    def send(self, manifest: str, tree: str, top: str) -> Sending:
        """Begin to send what a manifest lists.

        Args:
            manifest: its path.
            tree: the tree hash that it must have.
            top: the directory.

        Raises:
            DamageError: the manifest or a file is not what it must be.
        """
        packs, files = self._sender.cutter(), []
        for entry in read_manifest(manifest, tree):
            if entry.kind == "file":
                where = f"{top}/{entry.path}"
                with open_recorded(where) as file:
                    if entry.size < PACKED:
                        packs.add(self._small(entry, where, file))
                    else:
                        files.append(self._large(entry, where, file))
        return Sending(packs.finish(), files)

    def file(self, path: str) -> list[Future[Blob]]:
        """Begin to send one file, whatever it is."""
        cutter = self._sender.cutter()
        with open_recorded(path) as file:
            while data := file.read(PIECE):
                cutter.add(data)
        return cutter.finish()

    def _small(self, entry: Entry, where: str, file: BinaryIO) -> bytes:
        data = file.read(PACKED)
        if digest_bytes(data) != entry.hash:
            raise not_as_recorded(where)
        self._look(entry.path, where, data[:HEAD])
        if self._search is not None:
            self._search(where, data)
        return data

    def _large(self, entry: Entry, where: str, file: BinaryIO) -> list[Future[Blob]]:
        hasher, cutter = content_hasher(threads=True), self._sender.cutter()
        first, before = True, b""
        while data := file.read(PIECE):
            if first:
                self._look(entry.path, where, data[:HEAD])
                first = False
            if self._search is not None:
                self._search(where, before + data[: self._overlap])
                self._search(where, data)
                before = data[-self._overlap :]
            hasher.update(data)
            cutter.add(data)
        if hasher.hexdigest() != entry.hash:
            raise not_as_recorded(where)
        return cutter.finish()
