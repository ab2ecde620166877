"""Secrets as they are looked for, in bytes and in texts: their known spellings. Pure.

Unaware of what the secrets are for, and of files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    return b"".join(blotted_in([data], hidden))


def blotted_in(portions: Iterable[bytes], hidden: Sequence[Hidden]) -> Iterator[bytes]:
    """As `blotted`, of what comes in portions: only as much of it is in hand as one of them and a secret have."""
    forms = {form for one in hidden for form in one.forms}
    kept = max(longest(hidden) - 1, 0)  # what begins earlier is whole
    data, covered = b"", 0
    for portion, is_last in _with_last(portions):
        data += portion
        end = len(data) if is_last else max(len(data) - kept, 0)
        done = covered
        for first, last in _places(data, forms, covered):
            if first >= end:
                break
            if first > done:
                yield data[done:first]
            if first or not covered:
                yield BLOT.encode()
            done = last
        if done < end:
            yield data[done:end]
        data, covered = data[end:], max(done - end, 0)


def _with_last(portions: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    for portion in portions:
        yield portion, False
    yield b"", True


def _places(data: bytes, forms: Iterable[bytes], covered: int) -> list[tuple[int, int]]:
    """Where they stand, what overlaps as one, in order; so many bytes at the beginning are known to be of one."""
    found = [(0, covered)] if covered else []
    for form in forms:
        at = data.find(form)
        while at >= 0:
            found.append((at, at + len(form)))
            at = data.find(form, at + 1)
    places: list[tuple[int, int]] = []
    for first, last in sorted(found):
        if places and first < places[-1][1]:
            places[-1] = places[-1][0], max(places[-1][1], last)
        else:
            places.append((first, last))
    return places


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
