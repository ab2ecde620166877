"""The names that stand in paths: stages, references, promised paths; nothing unchecked gets in. Pure."""

from __future__ import annotations

import re
from typing import Self

from pylightnix.errors import BadNameError
from pylightnix.hashing import DIGITS

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,119}")
_NO_NAME = re.compile(r"[^A-Za-z0-9_.+-]+")
_LONGEST = 120
_REF = re.compile(rf"[0-9a-f]{{{DIGITS}}}-[A-Za-z0-9_][A-Za-z0-9_.+-]{{0,119}}")
_PREFIX = re.compile(rf"[0-9a-f]{{1,{DIGITS}}}(-[A-Za-z0-9_.+-]*)?")


def check_name(name: object) -> str:
    """Return the name if a stage can have it: 1 to 120 of A-Z a-z 0-9 _ . + -, the first a letter, digit or _."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadNameError(
            f"{name!r} is not a name for a stage",
            hint="use 1 to 120 of the characters A-Z a-z 0-9 _ . + -, starting with a letter, digit or _ "
            '(a stage takes another name with @stage(name="…"))',
            name=str(name),
        )
    return name


def name_like(text: str, otherwise: str) -> str:
    """The name for a stage that looks most like a text, such as the name of a file; `otherwise` if none does."""
    return _NO_NAME.sub("-", text).lstrip("-.+")[:_LONGEST] or otherwise


class Ref(str):
    """A reference `<40 hexadecimal digits>-<name>`; which kind of thing it names, the subclass says."""

    __slots__ = ()

    @classmethod
    def of(cls, digest: str, name: str) -> Self:
        """The reference to the thing of this (full) hash and (checked) name."""
        return cls(f"{digest[:DIGITS]}-{name}")

    @classmethod
    def parse(cls, text: object) -> Self:
        """The reference in this text, or `BadNameError`."""
        if not isinstance(text, str) or not _REF.fullmatch(text):
            raise BadNameError(
                f"{text!r} is not a reference", hint=f"a reference is {DIGITS} hexadecimal digits, -, a name"
            )
        return cls(text)

    @property
    def digits(self) -> str:
        """The 40 hexadecimal digits."""
        return self[:DIGITS]

    @property
    def name(self) -> str:
        """The name of the stage."""
        return self[DIGITS + 1 :]

    @property
    def short(self) -> str:
        """The first eight digits, for people."""
        return self[:8]


class DerivationRef(Ref):
    """Names a derivation: the hash of its file."""

    __slots__ = ()


class KeyRef(Ref):
    """Names what a builder can see: the key under which candidates are found."""

    __slots__ = ()


class RealizationRef(Ref):
    """Names a realization: the hash of key, tree and value."""

    __slots__ = ()


def is_prefix(text: str) -> bool:
    """Whether the text can begin a reference."""
    return _PREFIX.fullmatch(text) is not None


def is_reference(text: str) -> bool:
    """Whether the text is a reference as a whole, by its form."""
    return is_prefix(text) and text[DIGITS : DIGITS + 1] == "-"


def check_inner_path(path: object, what: str = "a promised path") -> str:
    """Return a relative path, normalised, that stays inside its directory; else `BadNameError`."""
    if not isinstance(path, str):
        raise BadNameError(f"{what} is a str, not {type(path).__name__}", path=repr(path))
    parts = path.rstrip("/").split("/")
    bad = (
        "is empty"
        if not path.strip("/") and not path.startswith("/")
        else "is absolute"
        if path.startswith("/")
        else "has a backslash"
        if "\\" in path
        else "has a control character"
        if any(ord(c) < 32 or ord(c) == 127 for c in path)
        else "cannot be encoded"
        if any(0xD800 <= ord(c) <= 0xDFFF for c in path)
        else "leaves its directory"
        if ".." in parts
        else "has an empty or '.' part"
        if "" in parts or "." in parts
        else "is too long"
        if len(path.encode()) > 1024 or any(len(p.encode()) > 255 for p in parts)
        else ""
    )
    if bad:
        raise BadNameError(
            f"{what} {bad}: {path!r}",
            hint='give a relative path below the output directory, such as "plots/roc.png"',
            path=path,
        )
    return "/".join(parts)


_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]+"
)


def printable(text: str) -> str:
    """Text from outside made safe for a terminal: control and bidi characters and lone surrogates are escaped."""
    if text.isascii() and text.isprintable():  # asked first: it is fast, and nearly always so
        return text
    return _UNSAFE.sub(lambda m: m.group().encode("unicode_escape").decode(), text)
