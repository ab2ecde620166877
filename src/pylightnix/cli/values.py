"""Parameters and return values as people read them, on one line. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pylightnix.model.config import Opaque
from pylightnix.model.shown import shown


def brief(value: Any, columns: int = 0) -> str:
    """A value on one line, cut to so many columns (0: not cut). Types that are not at hand are shown by their name."""
    text = _flat(value) if isinstance(value, Mapping) and value and _is_flat(value) else _text(value)
    return text if columns <= 0 or len(text) <= columns else text[: columns - 1] + "…"


def _is_flat(value: Mapping[Any, Any]) -> bool:
    return all(key.isidentifier() and not isinstance(item, (Mapping, list, tuple)) for key, item in value.items())


def _flat(value: Mapping[Any, Any]) -> str:
    return " ".join(f"{key}={_text(item)}" for key, item in value.items())


def _text(value: Any) -> str:
    if isinstance(value, Opaque):
        return _opaque(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_text, value)) + ("," if len(value) == 1 else "") + ")"
    return shown(value)


def _float(value: float) -> str:
    exact, short = repr(value), f"{value:.6g}"
    return exact if len(exact) <= 8 or "e" in short else short


def _opaque(value: Opaque) -> str:
    name = value.type.rpartition(":")[2]
    if isinstance(value.content, dict):
        return f"{name}({', '.join(f'{key}={_text(item)}' for key, item in value.content.items())})"
    return f"{name}.{value.content}" if isinstance(value.content, str) else f"{name}({_text(value.content)})"
