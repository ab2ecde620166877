"""Values as text, also integers of more digits than Python writes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pylightnix.model.config import Opaque


class Bare(str):
    """Text that stands in the `repr` of what it is in without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def shown(value: object) -> str:
    """What `repr` gives; an integer too long for that (`sys.set_int_max_str_digits`) is shown by its size."""
    try:
        return repr(value)
    except ValueError:
        return repr(_writable(value))


def _writable(value: Any) -> Any:
    if isinstance(value, Opaque):
        return Opaque(value.type, _writable(value.content))
    if isinstance(value, Mapping):
        return {key: _writable(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_writable, value))
    try:
        repr(value)
    except ValueError:
        what = f"int of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__
        return Bare(f"<{what}>")
    return value
