"""Mappings whose keys are attributes, and the error for a name that nothing has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pylightnix.errors import UnknownPromiseError
from pylightnix.model.shown import shown


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


def unknown_promise(owner: str, name: str, promises: Iterable[str]) -> UnknownPromiseError:
    """The error for a name that no promise has, where one was asked for; it says which are spelled alike."""
    known = sorted(promises)
    close = difflib.get_close_matches(name, known, n=3)
    meant = f"perhaps {' or '.join(map(repr, close))}; " if close else ""
    return UnknownPromiseError(
        f"{owner} has no promise {name!r}", hint=f"{meant}its promises: {', '.join(known) or 'none'}", name=name
    )


def unknown_attribute(owner: str, name: str, promises: Mapping[str, Any], params: Mapping[str, Any]) -> Exception:
    """The error for an attribute that is neither a promise nor a parameter."""
    return UnknownPromiseError(
        f"{owner} has no promise or parameter {name!r}",
        hint=f"promises: {', '.join(sorted(promises)) or 'none'}; parameters: {', '.join(sorted(params)) or 'none'}",
        name=name,
    )
