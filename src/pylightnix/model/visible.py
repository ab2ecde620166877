"""An input as a builder sees it: what is in the builder's key, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from pylightnix.errors import HiddenError
from pylightnix.model.named import Named, unknown_attribute
from pylightnix.model.realization import R_co, Realization


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
