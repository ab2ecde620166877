"""A realization in the hand: artifacts, value, ancestry. It reads through a `Shelf` and is unaware of the layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar, cast

from pylightnix.errors import CollectedError
from pylightnix.model.closure import Pinned, unslotted
from pylightnix.model.config import decode
from pylightnix.model.named import Named, unknown_attribute
from pylightnix.model.params import Params
from pylightnix.model.records import Context, InputChoice, Record, Run
from pylightnix.model.shelf import Shelf
from pylightnix.model.shown import shown
from pylightnix.names import DerivationRef, RealizationRef

R_co = TypeVar("R_co", covariant=True)


class Around(NamedTuple):
    """What the call that returned a realization knew: its choices and its derivations, also those not in the store.

    Attributes:
        contexts: of all choices, by their hashes.
        closure: the derivations.
        barren: contexts of choices of nothing, which stand in no record.
        hand: something that lives as long as anybody has any of what was returned.
    """

    contexts: Mapping[str, Context]
    closure: Mapping[DerivationRef, Pinned]
    barren: Sequence[Context] = ()
    hand: object = None


_ALONE = Around(MappingProxyType({}), MappingProxyType({}))


class Realization(Generic[R_co]):
    """An immutable directory of artifacts, with the record of what it is and where it came from.

    Promises and parameters are attributes too; own attributes win, and `promises[...]` and `params[...]` reach all.
    What `realize` returned shows the choices of that call; what `Store.realization` returned, those of the run that
    first made it.
    """

    __slots__ = ("__weakref__", "_around", "_context", "_record", "_runs", "_shelf")

    def __init__(
        self,
        record: Record,
        shelf: Shelf,
        context: Context | None = None,
        around: Around | None = None,
    ) -> None:
        self._record = record
        self._shelf = shelf
        self._context = context
        self._around = around or _ALONE
        self._runs: tuple[Run, ...] | None = None

    @property
    def record(self) -> Record:
        """The record that the store keeps."""
        return self._record

    @property
    def shelf(self) -> Shelf:
        """Where it is kept."""
        return self._shelf

    @property
    def ref(self) -> RealizationRef:
        """`<40 hexadecimal digits>-<name>`."""
        return self._record.ref

    @property
    def name(self) -> str:
        """The name of the stage."""
        return self._record.ref.name

    @property
    def path(self) -> Path:
        """The directory of the artifacts."""
        return self._shelf.payload(self._record)

    @property
    def value(self) -> R_co:
        """What the builder returned, None if it returned nothing."""
        return cast(R_co, decode(self._record.value, {}))

    @property
    def promises(self) -> Named:
        """The promised artifacts by name: absolute paths."""
        path = self.path
        return Named("promise", {name: path / kept.path for name, kept in self._record.promises.items()})

    @property
    def params(self) -> Named:
        """The parameters by name, but for those in which inputs stand: these are in `deps`."""
        types = self._types()
        return Named("parameter", {name: decode(tree, types) for name, tree in self._shown().items()})

    def _shown(self) -> dict[str, Any]:
        params, _ = unslotted(self.description()["params"])
        return Params.of_trees(params).shown_trees()

    @property
    def deps(self) -> Named:
        """The inputs by the name of their parameter: realizations or tuples of them, in lists and dicts as given."""
        params, inputs = unslotted(self.description()["params"])
        shown = self._shown()
        context = self.context
        types = self._types()
        return Named(
            "input",
            {
                name: decode(tree, types, lambda index: self._chosen(context.inputs[inputs[index].derivation]))
                for name, tree in params.items()
                if name not in shown
            },
        )

    @property
    def files(self) -> tuple[str, ...]:
        """The relative names of all files and links, in byte order."""
        return self._shelf.files(self._record)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The executions that gave exactly this, oldest first; read once, when first asked for."""
        if self._runs is None:
            self._runs = self._shelf.runs(self._record)
        return self._runs

    @property
    def log(self) -> str:
        """What the newest run wrote to its standard output and error."""
        runs = self.runs
        return self._shelf.log(self._record, runs[-1]) if runs else ""

    @property
    def context(self) -> Context:
        """The choices that this stands in: of the call that returned it, else of the run that first made it."""
        if self._context is None:
            self._context = self._shelf.origin(self._record)
        return self._context

    def _lookup_context(self, record: Record, digest: str) -> Context:
        known = self._around.contexts.get(digest)
        return known if known is not None else self._shelf.context(record, digest)

    def description(self) -> Mapping[str, Any]:
        """The document of the derivation that this stands for."""
        ref = self.context.derivation
        pinned = self._around.closure.get(ref)
        return pinned.parsed() if pinned is not None else self._shelf.derivation(ref)

    def _types(self) -> Mapping[str, object]:
        pinned = self._around.closure.get(self.context.derivation)
        return pinned.types if pinned is not None else {}

    def _chosen(self, choice: InputChoice) -> object:
        made = tuple(
            Realization[Any](record, self._shelf, self._lookup_context(record, choice.context), self._around)
            for record in self._shelf.chosen(choice)
        )
        return made if choice.many else made[0]

    def _there(self) -> Path:
        """The directory of the artifacts, of which somebody wants to use something."""
        if not self._shelf.present(self._record):
            raise CollectedError(
                "its artifacts are not here, only its record is", where=f"{self.name} {self.ref.short}",
                hint="realize its stage itself: that has them back from the trash, or makes them again; "
                "or .fetch() has them from a remote",
                ref=self.ref,
            )  # fmt: skip
        return self.path

    def fetch(self, promise: str | None = None) -> Path:
        """Have the artifacts here, from a remote if only their record is here.

        Remotes that are asked: where it was pulled from, those of the store, those in `$PYLIGHTNIX_REMOTES`. What comes
        is held against the record.

        Args:
            promise: the name of the one that is wanted, of which the rest may stay where it is; None for all.

        Returns:
            Where it is, or the directory of all.

        Raises:
            UnknownPromiseError: it has no such promise.
            CollectedError: no remote that is known has it.
            RemoteError: a remote cannot be reached, or refuses.
            DamageError: what came is not what the record says.
        """
        if promise is not None and promise not in self._record.promises:
            raise unknown_attribute(self.name, promise, self._record.promises, {})
        return self._shelf.fetch(self._record, promise)

    def __truediv__(self, relative: str) -> Path:
        return self._there() / relative

    def __fspath__(self) -> str:
        return str(self._there())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if hasattr(Realization, name):  # a property of ours failed with an AttributeError: let it be seen
            return object.__getattribute__(self, name)
        kept = self._record.promises.get(name)
        if kept is not None:
            alone = None if self._shelf.present(self._record) else self._shelf.kept(self._record, name)
            return alone or self._there() / kept.path
        params = self.params
        if name in params:
            return params[name]
        raise unknown_attribute(self.name, name, self._record.promises, params)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._record.promises, *self.params]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Realization) and self.ref == other.ref

    def __hash__(self) -> int:
        return hash(self._record.ref)

    def _repr_html_(self) -> str | None:
        """What a notebook shows."""
        from pylightnix.model.html import to_html

        return to_html(self)

    def __repr__(self) -> str:
        value = f", value={shown(self.value)}" if self.value is not None else ""
        return f"Realization({self.ref.short}-{self.name}{value})"
