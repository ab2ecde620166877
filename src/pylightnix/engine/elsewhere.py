"""What a walk wants from other places: collected while it looks at the store, and asked for together when it does not.

Nobody who collects has to wait for a network.
"""

from __future__ import annotations

from collections.abc import Iterable

from pylightnix.engine.keys import Key
from pylightnix.model.records import Record
from pylightnix.model.supplying import Supply
from pylightnix.names import DerivationRef, KeyRef, RealizationRef


class Elsewhere:
    """What is wanted, and what was asked for before.

    Args:
        supply: the other places.
    """

    def __init__(self, supply: Supply) -> None:
        self.supply = supply
        self._sought: set[KeyRef] = set()
        self._fetched: set[RealizationRef] = set()
        self._came: dict[RealizationRef, str] = {}
        self._keys: dict[KeyRef, str] = {}
        self._records: dict[RealizationRef, Record] = {}
        self._waiting: dict[DerivationRef, None] = {}

    def seeks(self, ref: DerivationRef, key: Key) -> bool:
        """Whether a derivation has to wait until other places were asked for its key, which they were not yet."""
        if not self.supply.there or key.home in self._sought:
            return False
        self._keys[key.home] = key.full
        self._waiting[ref] = None
        return True

    def fetches(self, ref: DerivationRef, records: Iterable[Record]) -> bool:
        """Whether a derivation has to wait until artifacts of some of these were fetched, which was not tried yet."""
        new = []
        for record in records:
            if record.ref in self._fetched:
                self._came.pop(record.ref, None)  # it did not come, and is made instead
            elif self.supply.whence(record):
                new.append(record)
        for record in new:
            self._records[record.ref] = record
            self._came[record.ref] = self.supply.whence(record)
            self._waiting[ref] = None
        return bool(new)

    def origin(self, record: Record) -> str:
        """Where artifacts came from that were fetched in this walk; empty if they were not."""
        return self._came.get(record.ref, "") if record.ref in self._fetched else ""

    @property
    def wanted(self) -> bool:
        """Whether something is."""
        return bool(self._waiting)

    def ask(self, *, look: bool = False) -> list[DerivationRef]:
        """Ask for all that is wanted; the derivations that can be decided again.

        Args:
            look: only look what there is, and fetch nothing.
        """
        keys, records, waiting = self._keys, self._records, list(self._waiting)
        self._keys, self._records, self._waiting = {}, {}, {}
        if keys:
            self._sought.update(keys)
            self.supply.seek(keys)
        if records and not look:
            self._fetched.update(records)
            self.supply.fetch(records.values())
        return waiting
