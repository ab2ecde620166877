"""The artifacts of a store: where they are, whether they are there, who has those that are not. Reads no records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from pylightnix.errors import CollectedError, StoreError
from pylightnix.model.records import PromiseRecord, Record
from pylightnix.names import printable
from pylightnix.store.files import is_directory
from pylightnix.store.layout import Layout

_LARGEST_ARTIFACT = 1 << 20


class Supplier(Protocol):
    """Has artifacts of which the record is here from elsewhere; see `Payloads.fetch`."""

    def whole(self, record: Record) -> bool:
        """Have all artifacts; whether they are there now."""
        ...

    def part(self, record: Record, promised: PromiseRecord) -> bool:
        """Have one promised file, below `kept/`; whether it is there now."""
        ...


class Payloads:
    """The artifacts of a store, by their records.

    Args:
        layout: of the store.

    Attributes:
        supplier: has from elsewhere what is not here; None: nobody does.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.supplier: Supplier | None = None

    def payload(self, record: Record) -> Path:
        return Path(self.payload_text(record))

    def payload_text(self, record: Record) -> str:
        return f"{self.layout.store}/{record.ref}"

    def payloads(self) -> set[str]:
        """The names of all artifacts that are there, as references."""
        try:
            return set(os.listdir(self.layout.store))
        except OSError:
            return set()

    def present(self, record: Record) -> bool:
        """Whether the artifacts are there."""
        return is_directory(f"{self.layout.store}/{record.ref}")

    def artifact(self, path: Path) -> bytes:
        """The bytes of an artifact of at most 1 MiB, or of what a collection kept of it. OSError as it comes."""
        with self._whole_or_kept(path).open("rb") as stream:
            data = stream.read(_LARGEST_ARTIFACT + 1)
        if len(data) > _LARGEST_ARTIFACT:
            raise StoreError(f"larger than {_LARGEST_ARTIFACT} bytes", where=printable(str(path)))
        return data

    def kept(self, record: Record, name: str) -> Path | None:
        """Where one promised file is that is kept apart from what was collected; None if it is not."""
        path = f"{self.layout.kept}/{record.ref}/{record.promises[name].path}"
        return Path(path) if os.path.lexists(path) else None

    def fetch(self, record: Record, name: str | None) -> Path:
        """Where one promised file is, or all artifacts are; a supplier has them from elsewhere if need be.

        Raises:
            CollectedError: they are not to be had.
            RemoteError, DamageError, StoreError: they cannot be had.
        """
        if not self.present(record):
            promised = record.promises[name] if name is not None else None
            if promised is not None and promised.kind == "file":
                found = self.kept(record, promised_name := str(name))
                if found is None and self.supplier is not None and self.supplier.part(record, promised):
                    found = self.kept(record, promised_name)
                if found is not None:
                    return found
            elif self.supplier is not None:
                self.supplier.whole(record)
        if not self.present(record):
            raise CollectedError(
                "its artifacts are not here, and no remote that is known has them",
                where=f"{record.ref.name} {record.ref.short}", ref=record.ref,
                hint="pylightnix remote --add URL notes one that has; or realize its stage, which makes them again",
            )  # fmt: skip
        return self.payload(record) / record.promises[name].path if name is not None else self.payload(record)

    def _whole_or_kept(self, path: Path) -> Path:
        inside = str(path).removeprefix(f"{self.layout.store}/")
        kept = f"{self.layout.kept}/{inside}"
        return Path(kept) if not os.path.lexists(path) and os.path.lexists(kept) else path
