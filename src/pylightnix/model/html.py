"""A realization as a notebook shows it: HTML in which everything that comes from outside is escaped or encoded.

Reads through the shelf of the realization, small images only; never fails: what cannot be read is said instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pylightnix.errors import PylightnixError
from pylightnix.model.shown import shown
from pylightnix.names import printable

if TYPE_CHECKING:
    from pylightnix.model.realization import Realization

IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}
"""Kinds of promised files that are shown, by the end of their names."""

MOST_IMAGES = 8
"""Images that are shown."""

LARGEST_IMAGE = 1 << 20
"""Bytes of an image; the shelf may have a limit of its own."""

MOST_CHARACTERS = 2000
"""Of a value or a parameter."""


def to_html(realization: Realization[Any]) -> str:
    """The representation: name and short reference, parameters, value, images among the promises, path."""
    rows = [
        *_rows("parameters", lambda: _table(realization.params)),
        *_rows("value", lambda: _value(realization.value)),
        *_rows("promises", lambda: _promises(realization)),
        *_rows("path", lambda: f"<code>{_text(str(realization.path))}</code>"),
    ]
    head = f"<b>{_text(realization.name)}</b> <code>{_text(realization.ref.short)}</code>"
    body = "".join(f"<tr>{_cell(title)}{_cell(content)}</tr>" for title, content in rows)
    return f"<div>{head}<table>{body}</table></div>"


def _cell(content: str) -> str:
    return f'<td style="text-align:left;vertical-align:top">{content}</td>'


def _rows(title: str, make: Callable[[], str]) -> Iterator[tuple[str, str]]:
    """A row with its content, with the reason why it cannot be shown, or no row where there is nothing to show."""
    try:
        content = make()
    except (PylightnixError, OSError) as error:
        content = f"<i>{_text(str(error))}</i>"
    if content:
        yield title, content


def _text(text: str) -> str:
    cut = text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
    return escape("\n".join(printable(line) for line in cut.split("\n")))


def _table(items: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr>{_cell(_text(name))}{_cell(_code(value))}</tr>" for name, value in items.items())
    return f"<table>{rows}</table>" if rows else ""


def _code(value: object) -> str:
    return f"<code>{_text(shown(value))}</code>"


def _value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict) and all(isinstance(item, (int, float, str)) for item in value.values()):
        return _table({str(name): item for name, item in value.items()})
    return _code(value)


def _promises(realization: Realization[Any]) -> str:
    shown = 0
    rows = []
    for name, kept in realization.record.promises.items():
        kind = IMAGES.get(PurePosixPath(kept.path).suffix.lower()) if kept.kind == "file" else None
        picture = ""
        if kind is not None and shown < MOST_IMAGES:
            picture = _image(realization, kept.path, kind)
            shown += 1
        rows.append(f"<tr>{_cell(_text(name))}{_cell(f'<code>{_text(kept.path)}</code>{picture}')}</tr>")
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _image(realization: Realization[Any], path: str, kind: str) -> str:
    """The image as a data URI: a notebook shows it wherever it is opened, and scripts in an SVG do not run."""
    from base64 import b64encode

    try:
        data = realization.shelf.artifact(realization.path / path)
    except (PylightnixError, OSError) as error:
        why = error.what if isinstance(error, PylightnixError) else error.strerror or type(error).__name__
        return f"<br><i>not shown: {_text(why)}</i>"
    if len(data) > LARGEST_IMAGE:
        return f"<br><i>not shown: larger than {LARGEST_IMAGE} bytes</i>"
    source = f"data:{kind};base64,{b64encode(data).decode()}"
    return f'<br><img alt="{_text(path)}" style="max-width:100%" src="{source}">'
