"""Writes what belongs to a selection into one file: the same closure gives the same bytes. Constant memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from pylightnix.errors import CollectedError, StoreError
from pylightnix.hashing import DIGITS, content_hasher, digest_bytes
from pylightnix.model.holding import Holding
from pylightnix.model.selection import Selection
from pylightnix.names import printable
from pylightnix.store.archives.compression import compressing
from pylightnix.store.archives.format import BLOCK, END, HEAD, RECORD, Head, Header, Sum
from pylightnix.store.closures import (
    Member,
    derivation_bytes,
    environment_bytes,
    members,
    not_as_recorded,
    open_recorded,
)
from pylightnix.store.copying import whole_closure
from pylightnix.store.documents import record_bytes
from pylightnix.store.files import NewFile
from pylightnix.store.manifests import EMPTY, EMPTY_MANIFEST, read_manifest
from pylightnix.store.reading import Reader
from pylightnix.store.unfinished import finished

_CHUNK = 1 << 20


class Exported(NamedTuple):
    """What an archive has.

    Attributes:
        path: of it.
        realizations: how many.
        content: bytes of their artifacts.
        size: bytes of the archive.
    """

    path: str
    realizations: int
    content: int
    size: int


def export_closure(
    reader: Reader, selection: Selection, path: str, holding: Holding | None = None, *, incomplete: bool = False
) -> Exported:
    """Write an archive; it is whole, or not there.

    Args:
        reader: of the store.
        selection: what it is of; all that was made from comes along.
        path: of the archive; compressed if it ends in `.gz` or `.zst`. What is there is replaced.
        holding: see `whole_closure`.
        incomplete: whether what it was made from may be missing.

    Raises:
        DamageError: something in the store is damaged; no archive is written.
        StoreError: something was collected or removed, or the file cannot be written.
    """
    selection = _in_order(selection)
    closure = whole_closure(reader, selection, holding, incomplete=incomplete)
    head = Head(selection, frozenset(one.place.ref for one in closure.absent))
    content = 0
    try:
        with finished(path) as beside:
            with NewFile(beside, 0o666) as file:
                with compressing(file, path) as stream:
                    writer = _Writer(reader, stream)
                    writer.document(HEAD, head.to_bytes())
                    for one in members(reader, closure):
                        writer.member(one)
                        content += one.record.size if one.present else 0
                    writer.finish()
                file.sync()
            size = os.lstat(beside).st_size
    except CollectedError:
        raise
    except OSError as error:
        raise StoreError(
            f"the archive cannot be written: {error.strerror or error}", where=printable(path), errno=error.errno,
            hint="give the path of a file in a directory that is there, with room and rights for it",
        ) from error  # fmt: skip
    return Exported(path, len(closure.order), content, size)


def _in_order(selection: Selection) -> Selection:
    """The same one, in whatever order it was asked for."""
    kept = [one._replace(choice=one.choice._replace(chosen=tuple(sorted(one.choice.chosen)))) for one in selection.kept]
    return Selection(tuple(sorted(kept)), tuple(sorted(selection.contexts, key=lambda context: context.hash)))


class _Writer:
    def __init__(self, reader: Reader, stream: Any) -> None:
        self._reader = reader
        self._stream = stream
        self._sum = Sum()
        self._size = 0
        self._written: set[str] = set()

    def member(self, one: Member) -> None:
        """A realization, after the documents that it needs."""
        for ref in one.derivations:
            self._once(f"derivations/{ref}.json", lambda ref=ref: derivation_bytes(self._reader, ref))  # type: ignore[misc]
        for digest in one.environments:
            name = f"environments/{digest[:DIGITS]}.json"
            self._once(name, lambda digest=digest: environment_bytes(self._reader, digest))  # type: ignore[misc]
        record = one.record
        base = f"realizations/{record.home}/{record.ref.digits}"
        self.document(f"{base}/record.json", record_bytes(record, record.made_in))
        for name in one.files:
            if name in one.documents:
                self.document(f"{base}/{name}", one.documents[name])
            else:
                self._file(f"{base}/{name}", f"{one.directory}/{name}")
        manifest = f"{one.directory}/manifest.jsonl"
        name = f"{base}/{'artifacts' if one.present else 'manifest'}.jsonl"
        if record.tree == EMPTY:
            self.document(name, EMPTY_MANIFEST)
            return
        self._file(name, manifest, record.tree)
        if one.present:
            top = self._reader.payload_text(record)
            files = (entry for entry in read_manifest(manifest, record.tree) if entry.kind == "file")
            for number, entry in enumerate(files):
                self._file(f"{base}/files/{number}", f"{top}/{entry.path}", entry.hash)

    def _once(self, name: str, read: Callable[[], bytes]) -> None:
        if name not in self._written:
            self._written.add(name)
            self.document(name, read())

    def document(self, name: str, data: bytes) -> None:
        """A member that is at hand."""
        header = Header(name, len(data))
        self._write(b"".join((header.to_bytes(), data, bytes(header.padding))))
        self._sum.add(header, digest_bytes(data))

    def _file(self, name: str, path: str, digest: str | None = None) -> None:
        """A member that is a file, and must have this hash."""
        with open_recorded(path) as file:
            header = Header(name, os.fstat(file.fileno()).st_size)
            self._write(header.to_bytes())
            found = self._pour(file, header.size)
            if found is None or found != (digest or found):
                raise not_as_recorded(path)
            self._write(bytes(header.padding))
            self._sum.add(header, found)

    def _pour(self, file: BinaryIO, size: int) -> str | None:
        """Its content; the hash of that, None if it had another size."""
        hasher = content_hasher(threads=size > _CHUNK)
        while size > 0 and (data := file.read(min(_CHUNK, size))):
            hasher.update(data)
            self._write(data)
            size -= len(data)
        return None if size or file.read(1) else hasher.hexdigest()

    def finish(self) -> None:
        """The last member, and what ends a tar."""
        self.document(END, self._sum.to_bytes())
        self._write(bytes(2 * BLOCK))
        self._write(bytes(-self._size % RECORD))

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._size += len(data)
