"""Chains of realizations made with the store's own methods, roots of them, and collections that say what they took."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pylightnix.model.realization import Realization
from pylightnix.model.records import Context, Record
from pylightnix.store.store import Store

Made = tuple[Record, Context]


class Plant:
    """A store with chains in it."""

    def __init__(self, store: Store, maker: Any) -> None:
        self.store = store
        self._maker = maker(store)

    def one(self, name: str = "model", *, of: Made | None = None, **how: Any) -> Made:
        """A realization, made from another one."""
        inputs = {"source": of} if of is not None else {}
        record = self._maker(name, inputs=inputs, **how)
        ref, _ = self._maker.describe(name, how.get("n", 0), inputs)
        return record, self._maker.context(ref, inputs)

    def chain(self, *names: str, **how: Any) -> list[Made]:
        """Each is made from the one before."""
        made: list[Made] = []
        for name in names:
            made.append(self.one(name, of=made[-1] if made else None, **how))
        return made

    def realization(self, made: Made) -> Realization[Any]:
        return Realization(made[0], self.store.keeper, made[1])

    def root(self, name: str, *made: Made) -> None:
        self.store.root(name, [self.realization(one) for one in made])

    def present(self) -> set[str]:
        """The names of the stages whose artifacts are there."""
        return {record.ref.name for record in self.store.keeper.records() if self.store.keeper.present(record)}

    def recorded(self) -> set[str]:
        return {record.ref.name for record in self.store.keeper.records()}


@pytest.fixture
def plant(store: Store, maker: Any) -> Plant:
    return Plant(store, maker)


@pytest.fixture
def plant_in(maker: Any) -> Callable[[Path], Plant]:
    return lambda path: Plant(Store(path), maker)
