"""Plain constants as words of a form: each value has one word, and no two values have the same."""

from __future__ import annotations

from typing import Any


def word(value: Any) -> str | None:
    """The word of a plain constant; None for anything else. 1, 1.0, True and "1" differ, as do 0.0 and -0.0."""
    maker = _WORDS.get(type(value))
    return maker(value) if maker is not None else None


def _complex(value: complex) -> str:
    return f"complex({value.real.hex()},{value.imag.hex()})"


_WORDS: dict[type, Any] = {
    type(None): repr,
    bool: repr,
    int: hex,
    float: lambda value: f"float({value.hex()})",
    complex: _complex,
    str: ascii,
    bytes: lambda value: f"bytes({value.hex()})",
    bytearray: lambda value: f"bytearray({value.hex()})",
    type(...): repr,
    type(NotImplemented): repr,
}
