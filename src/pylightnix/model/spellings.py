"""How a text may be spelled by who writes it down: as it is, quoted, or encoded. Pure; unaware of secrets.

Quoted as JSON, Python, HTML and addresses do it, in base64 and hexadecimal, also as a part of something longer. What
was compressed, encrypted or else encoded twice is none of these.
"""

from __future__ import annotations

import base64
import functools
import html
import json
from collections.abc import Iterator
from urllib.parse import quote

_UNQUOTED = ("", "/", "!'()*", "!$&'()*+,;=:@", "!$&'()*+,;=:@/?", "!#$%&'()*+,/:;=?@[]~")
"""What different libraries leave as it is in an address."""


@functools.lru_cache(64)
def spellings(text: str) -> tuple[bytes, ...]:
    """All that are known, the text itself first, each once."""
    raw = text.encode("utf-8", "surrogateescape")
    texts = [
        text,
        *_as_json(text),
        repr(text)[1:-1],
        repr(raw)[2:-1],
        html.escape(text),
        html.escape(text, quote=False),
    ]
    found = [one.encode("utf-8", "surrogateescape") for one in texts]
    return tuple(dict.fromkeys((*found, *_in_addresses(raw), *_in_base64(raw), *_in_hexadecimal(raw))))


def _as_json(text: str) -> Iterator[str]:
    """Also in JSON itself. Some escape what need not be: all but ASCII, the slash, what means something in HTML."""
    for ascii_alone in (True, False):
        plain = json.dumps(text, ensure_ascii=ascii_alone)[1:-1]
        yield json.dumps(plain, ensure_ascii=ascii_alone)[1:-1]
        for slashes in (plain, plain.replace("/", "\\/")):
            yield slashes
            for form in ("\\u{:04x}", "\\u{:04X}"):
                yield "".join(form.format(ord(sign)) if sign in "<>&'" else sign for sign in slashes)


def _in_addresses(raw: bytes) -> Iterator[bytes]:
    for safe in _UNQUOTED:
        quoted = quote(raw, safe=safe)
        for one in (quoted, quoted.replace("%20", "+")):
            yield one.encode()
            yield "%".join(
                part if not at else part[:2].lower() + part[2:] for at, part in enumerate(one.split("%"))
            ).encode()


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """The signs that depend on it alone, whatever stands before and behind, for each place that it may begin at."""
    for before in range(3):
        first, end = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        padded = bytes(before) + raw
        yield base64.b64encode(padded)[first:end]
        yield base64.urlsafe_b64encode(padded)[first:end]
    yield base64.encodebytes(raw).rstrip(b"=\n")[: -1 if len(raw) % 3 else None]


def _in_hexadecimal(raw: bytes) -> Iterator[bytes]:
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
