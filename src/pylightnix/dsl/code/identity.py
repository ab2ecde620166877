"""Takes the identity of a builder's code: hashes its parts, and keeps what one plan has identified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pylightnix.dsl.code.results import CodeIdentity
from pylightnix.hashing import DIGITS, digest_document

if TYPE_CHECKING:
    from pylightnix.dsl.code.parts import Pool


class Memo:
    """What is shared within one plan: each file is parsed once, each object identified once.

    Take a new one for each plan: a helper that was defined again counts only in a new one.
    """

    def __init__(self) -> None:
        self.known: dict[tuple[int, bool], tuple[Any, CodeIdentity]] = {}
        self.pool: Pool | None = None
        self.hashes: dict[str, str] = {}


def identify(function: object, *, own_defaults: bool = False, memo: Memo | None = None) -> CodeIdentity:
    """The identity of a function's code, as of now.

    Args:
        function: anything that can be called.
        own_defaults: whether the function's own defaults count; those of a stage do not, being parameters.
        memo: shared within one plan; without it, all is read anew.

    Raises:
        CodeError: a file has changed since it was imported, or what was given cannot be called.
    """
    if memo is not None:
        kept = memo.known.get((id(function), own_defaults))
        if kept is not None:
            return kept[1]
    else:
        memo = Memo()
    found = _identify(function, own_defaults, memo)
    memo.known[id(function), own_defaults] = (function, found)
    return found


def _identify(function: object, own_defaults: bool, memo: Memo) -> CodeIdentity:
    from pylightnix.dsl.code.following import labelled_parts  # late: start-up need not pay for it
    from pylightnix.dsl.code.parts import Pool

    if memo.pool is None:
        memo.pool = Pool()
    parts = dict(labelled_parts(function, own_defaults, memo.pool))
    hashes = {label: _hash_of(memo, text) for label, (_, text) in parts.items()}
    found = [part for part, _ in parts.values()]
    return CodeIdentity(
        parts=hashes,
        digest=digest_document("code", {"parts": hashes}),
        outside=tuple(sorted({name for part in found for name in part.outside})),
        unfollowed=tuple(dict.fromkeys(each for part in found for each in part.unfollowed)),
        files=tuple(sorted({name for part in found for name in part.files})),
    )


def _hash_of(memo: Memo, text: str) -> str:
    if text not in memo.hashes:
        memo.hashes[text] = digest_document("code", {"part": text})[:DIGITS]
    return memo.hashes[text]


def normal_form(function: object, *, own_defaults: bool = False) -> str:
    """What is hashed, as text: a line for each part. For those who want to see why two identities differ."""
    from pylightnix.dsl.code.following import labelled_parts
    from pylightnix.dsl.code.parts import Pool

    parts = labelled_parts(function, own_defaults, Pool())
    return "\n".join(f"{label!a} {text}" for label, (_, text) in parts)


def same_code(one: object, other: object, memo: Memo | None = None) -> bool:
    """Whether two functions mean the same, their own defaults included; for matchers that hold a function."""
    return identity_text(one, memo) == identity_text(other, memo)


def identity_text(function: object, memo: Memo | None = None) -> str:
    """The identity of a function with its own defaults, 64 hexadecimal digits; for matchers that hold a function."""
    return identify(function, own_defaults=True, memo=memo).digest
