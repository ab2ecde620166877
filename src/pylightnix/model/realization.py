"""A realization in the hand: artifacts, value, ancestry. It reads through a `Shelf` and is unaware of the layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

from pylightnix.errors import CollectedError, HiddenError, UnknownPromiseError
from pylightnix.model.closure import Pinned, unslotted
from pylightnix.model.config import decode
from pylightnix.model.params import Params
from pylightnix.model.records import Context, InputChoice, Record, Run
from pylightnix.model.shown import shown
from pylightnix.names import DerivationRef, RealizationRef

R_co = TypeVar("R_co", covariant=True)


class Shelf(Protocol):
    """What reading a realization needs of the store that keeps it."""

    def payload(self, record: Record) -> Path:
        """The directory of the artifacts; it need not exist any more."""
        ...

    def present(self, record: Record) -> bool:
        """Whether the artifacts are there."""
        ...

    def runs(self, record: Record) -> tuple[Run, ...]:
        """All runs that gave this realization, oldest first."""
        ...

    def files(self, record: Record) -> tuple[str, ...]:
        """The relative names of all files and links."""
        ...

    def log(self, record: Record, run: Run) -> str:
        """What a run wrote."""
        ...

    def origin(self, record: Record) -> Context:
        """The context of the run that first made this realization."""
        ...

    def context(self, record: Record, digest: str) -> Context:
        """A context of this realization."""
        ...

    def chosen(self, choice: InputChoice) -> tuple[Record, ...]:
        """The records that a choice names."""
        ...

    def derivation(self, ref: DerivationRef) -> Mapping[str, Any]:
        """The document of a derivation."""
        ...

    def kept(self, record: Record, name: str) -> Path | None:
        """Where one promised file is, if it is there and the other artifacts are not."""
        ...

    def fetch(self, record: Record, name: str | None) -> Path:
        """Where one promised file is, or all artifacts are, after they were had from elsewhere if need be."""
        ...

    def artifact(self, path: Path) -> bytes:
        """The bytes of a small artifact."""
        ...


class Named(Mapping[str, Any]):
    """A mapping whose keys are attributes too; unknown ones are errors that list what there is."""

    def __init__(self, what: str, items: Mapping[str, Any]) -> None:
        self._what = what
        self._items = dict(items)

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._items[name]
        except KeyError:
            known = ", ".join(sorted(self._items)) or "none"
            raise UnknownPromiseError(f"no {self._what} is named {name!r}", hint=f"known: {known}", name=name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._items]

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name}: {shown(item)}' for name, item in self._items.items())}}}"

    def __reduce__(self) -> tuple[object, ...]:
        return (Named, (self._what, self._items))


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
                "its artifacts are collected, only its record is there", where=f"{self.name} {self.ref.short}",
                hint="realize its stage itself: that has them back from the trash, or makes them again; "
                "or .fetch() has them from a remote",
                ref=self.ref,
            )  # fmt: skip
        return self.path

    def fetch(self, promise: str | None = None) -> Path:
        """Have the artifacts here, from a remote if they are collected or were left there.

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


class VisibleInput(Realization[R_co]):
    """A realization as a builder sees it: what is in the builder's key, and nothing else."""

    __slots__ = ("_given", "_list_files", "_place", "_promises", "_value")

    def __init__(
        self,
        path: Path | str,
        promises: Mapping[str, str],
        params: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        value: object,
        list_files: Callable[[Path], tuple[str, ...]],
    ) -> None:
        self._place = str(path)
        self._promises = promises
        self._given = params
        self._value = value
        self._list_files = list_files

    @property
    def path(self) -> Path:
        return Path(self._place)

    def _there(self) -> Path:
        return self.path

    @property
    def value(self) -> R_co:
        return cast(R_co, self._value)

    @property
    def promises(self) -> Named:
        return Named("promise", {name: Path(self._place, inner) for name, inner in self._promises.items()})

    @property
    def _params(self) -> Mapping[str, Any]:
        if callable(self._given):  # few builders ask, so it is found out when one does
            self._given = self._given()
        return self._given

    @property
    def params(self) -> Named:
        return Named("parameter", self._params)

    @property
    def files(self) -> tuple[str, ...]:
        return self._list_files(self.path)

    def _hidden(self) -> Any:
        raise HiddenError(
            "a builder sees of an input its promises, parameters, value and files: the rest is not in its key, "
            "so using it would make the result depend on something that no name tells",
            hint="give what is needed as a parameter or an input of its own",
        )

    record = shelf = ref = name = deps = runs = log = context = fetch = property(_hidden)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if hasattr(Realization, name):
            self._hidden()
        if name in self._promises:
            return Path(self._place, self._promises[name])
        if name in self._params:
            return self._params[name]
        raise unknown_attribute("the input", name, self._promises, self._params)

    def __dir__(self) -> list[str]:
        return ["files", "params", "path", "promises", "value", *self._promises, *self._params]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VisibleInput) and self._place == other._place

    def __hash__(self) -> int:
        return hash(self._place)

    def _repr_html_(self) -> str | None:
        """Nothing: a builder has no notebook, and most of what would be shown is not in its key."""
        return None

    def __repr__(self) -> str:
        return f"Realization({self.path.name})"

    def __reduce__(self) -> tuple[object, ...]:
        return (VisibleInput, (self._place, self._promises, self._params, self._value, self._list_files))


def unknown_attribute(owner: str, name: str, promises: Mapping[str, Any], params: Mapping[str, Any]) -> Exception:
    """The error for an attribute that is neither a promise nor a parameter."""
    return UnknownPromiseError(
        f"{owner} has no promise or parameter {name!r}",
        hint=f"promises: {', '.join(sorted(promises)) or 'none'}; parameters: {', '.join(sorted(params)) or 'none'}",
        name=name,
    )
