"""Cuts a tree into the pieces that a push would send, and notes where each is; the content itself stays where it is.

Reads all of it, so that takes its time: each tree is cut once, whoever asks meanwhile waits for that, or asks again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

from pylightnix.errors import RemoteError
from pylightnix.hashing import content_hasher, digest_bytes
from pylightnix.remotes.contents import HEAD
from pylightnix.remotes.format import Pieces
from pylightnix.remotes.offering import Offering, manifest_of
from pylightnix.remotes.pieces import PACKED, PIECE, Blob, Cutter
from pylightnix.remotes.slices import file_slices
from pylightnix.remotes.whereabouts import InFile, InPack, Whereabouts
from pylightnix.store.closures import Member, not_as_recorded, open_recorded
from pylightnix.store.manifests import EMPTY_MANIFEST, Entry, entries_from, read_manifest

PATIENCE = 20.0
"""Seconds that a question waits for a tree to be cut."""

_AGAIN = 30.0
_AT_ONCE = 2


def plain(data: bytes) -> Blob:
    """Content as it is: whoever reads it holds it against its hash."""
    return Blob(digest_bytes(data), False, len(data))


class Trees:
    """The pieces of trees; to be closed.

    Args:
        offering: tells secrets.
        whereabouts: is told where each piece is.
        patience: seconds that a question waits.
    """

    def __init__(self, offering: Offering, whereabouts: Whereabouts, patience: float = PATIENCE) -> None:
        self._offering = offering
        self._whereabouts = whereabouts
        self._patience = patience
        self._cut: dict[str, Future[Pieces]] = {}
        self._mutex = threading.Lock()
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(_AT_ONCE, "pylightnix-cut")

    def close(self) -> None:
        """End what goes on."""
        self._ended.set()
        self._pool.shutdown(cancel_futures=True)

    def pieces(self, one: Member, top: str) -> Pieces:
        """Those of a realization.

        Args:
            one: of which the artifacts are there.
            top: their directory.

        Raises:
            DamageError: something of it is damaged.
            RemoteError: it takes longer than the question waits; `again`.
            SecretError: something in it looks like a secret.
        """
        tree = one.record.tree
        with self._mutex:
            cutting = self._cut.get(tree)
            if cutting is None:
                cutting = self._cut[tree] = self._pool.submit(self._all, one, top)
        try:
            return cutting.result(self._patience)
        except TimeoutError as error:
            if not cutting.done():
                raise RemoteError(
                    f"the tree {tree} is being read", where=one.directory, again=True, wait=_AGAIN,
                    hint="ask again",
                ) from error  # fmt: skip
            self._forget(tree, cutting)
            raise
        except CancelledError as error:
            raise RemoteError("nobody is served any more", where="serve") from error
        except Exception:
            self._forget(tree, cutting)
            raise

    def _forget(self, tree: str, cutting: Future[Pieces]) -> None:
        """What failed is tried anew for who asks next."""
        with self._mutex:
            if self._cut.get(tree) is cutting:
                del self._cut[tree]

    def _all(self, one: Member, top: str) -> Pieces:
        return _Cutting(self._offering, self._whereabouts, one.record.tree, self._go_on).all(one, top)

    def _go_on(self) -> None:
        if self._ended.is_set():
            raise RemoteError("nobody is served any more", where="serve")


class _Cutting:
    """One tree."""

    def __init__(self, offering: Offering, whereabouts: Whereabouts, tree: str, go_on: Callable[[], None]) -> None:
        self._offering = offering
        self._whereabouts = whereabouts
        self._tree = tree
        self._go_on = go_on
        self._begun: list[InPack] = []
        self._cut = 0

    def all(self, one: Member, top: str) -> Pieces:
        packs, files = Cutter(self._pack), []
        line, packed = len(EMPTY_MANIFEST), 0
        for entry in read_manifest(manifest_of(one), self._tree):
            self._go_on()
            path = f"{top}/{entry.path}"
            if entry.kind == "file" and entry.size < PACKED:
                begin = len(self._begun) * PIECE - packed
                if begin < entry.size:
                    self._begun.append(InPack(self._tree, line, begin))
                packs.add(self._small(entry, path))
                packed += entry.size
            elif entry.kind == "file":
                files.append(self._large(entry, path))
            line += len(entry.line())
        return Pieces(tuple(packs.finish()), tuple(files))

    def _pack(self, data: bytes) -> Blob:
        blob = plain(data)
        self._whereabouts.note(blob, self._begun[self._cut])
        self._cut += 1
        return blob

    def _small(self, entry: Entry, path: str) -> bytes:
        with open_recorded(path) as file:
            data = file.read(PACKED)
        if digest_bytes(data) != entry.hash:
            raise not_as_recorded(path)
        self._offering.look(entry.path, path, data[:HEAD])
        return data

    def _large(self, entry: Entry, path: str) -> tuple[Blob, ...]:
        hasher, blobs = content_hasher(), list[Blob]()
        with open_recorded(path) as file:
            while data := file.read(PIECE):
                self._go_on()
                if not blobs:
                    self._offering.look(entry.path, path, data[:HEAD])
                hasher.update(data)
                blobs.append(plain(data))
                self._whereabouts.note(blobs[-1], InFile(self._tree, entry.path, (len(blobs) - 1) * PIECE))
        if hasher.hexdigest() != entry.hash:
            raise not_as_recorded(path)
        return tuple(blobs)


def pack_slices(manifest: str, top: str, pack: InPack, begin: int, end: int) -> Iterator[bytes]:
    """What a pack has from one byte to another.

    Raises:
        DamageError: a file is not as it must be.
        OSError: the manifest cannot be read.
    """
    at = -pack.offset
    for entry in entries_from(manifest, pack.line):
        if at >= end:
            return
        if entry.kind == "file" and entry.size < PACKED:
            first, last = max(begin - at, 0), min(end - at, entry.size)
            if first < last:
                yield from file_slices(f"{top}/{entry.path}", first, last)
            at += entry.size
