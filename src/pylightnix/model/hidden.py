"""Secrets as they are looked for, in bytes and in texts: their known spellings. Pure.

Unaware of what the secrets are for, and of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pylightnix.model.spellings import spellings

TAG = "pylightnix:Secret"
"""Of a secret among parameters."""

BLOT = "***"
LEAST = 6
"""Characters that a secret must have to be looked for: shorter ones stand everywhere by chance."""


class Hidden(NamedTuple):
    """A secret that must not be seen: its name, which may be, and its value."""

    name: str
    text: str

    @property
    def forms(self) -> tuple[bytes, ...]:
        """As it may stand in a file."""
        return spellings(self.text)


def hidden_of(values: Mapping[str, str]) -> tuple[Hidden, ...]:
    """Those of some secrets, by name, that are long enough to be looked for."""
    return tuple(Hidden(name, text) for name, text in values.items() if len(text) >= LEAST)


def longest(hidden: Sequence[Hidden]) -> int:
    """Bytes that the longest form of any of them has."""
    return max((len(form) for one in hidden for form in one.forms), default=0)


def found_in(data: bytes, hidden: Sequence[Hidden]) -> str:
    """The name of the first that stands in the data; empty if none does."""
    return next((one.name for one in hidden if any(form in data for form in one.forms)), "")


def blotted(data: bytes, hidden: Sequence[Hidden]) -> bytes:
    """The data without them."""
    for form in sorted({form for one in hidden for form in one.forms}, key=len, reverse=True):
        data = data.replace(form, BLOT.encode())
    return data


def blotted_text(text: str, hidden: Sequence[Hidden]) -> str:
    """The text without them."""
    return blotted(text.encode("utf-8", "surrogatepass"), hidden).decode("utf-8", "surrogatepass")


def secrets_in(tree: Any) -> Iterator[str]:
    """The names of the secrets in encoded parameters."""
    if isinstance(tree, Mapping):
        custom = tree.get("$custom")
        if isinstance(custom, Mapping) and custom.get("type") == TAG:
            yield str(custom["value"])
        for item in tree.values():
            yield from secrets_in(item)
    elif isinstance(tree, list):
        for item in tree:
            yield from secrets_in(item)
