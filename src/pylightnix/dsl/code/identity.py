"""The identity of a builder's code: its parts, each with a hash, and an account of what is not in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pylightnix.hashing import DIGITS, digest_document

if TYPE_CHECKING:
    from pylightnix.dsl.code.parts import Pool


class Unfollowed(NamedTuple):
    """Something that the code uses and that is not in the key, or only by its name.

    Attributes:
        name: as the code has it.
        what: what was found: a type, or a kind of thing.
        why: why it could not be followed, and what that means.
    """

    name: str
    what: str
    why: str


@dataclass(frozen=True)
class CodeIdentity:
    """What a function means, as far as it can be followed.

    Attributes:
        parts: the hash of each function, class and constant that it reaches, by qualified name without the module; a
            second one of the same name has `#2` after it. Equal parts, equal meaning.
        digest: the hash of all parts, 64 hexadecimal digits.
        outside: names of things outside the project; these count by their name only.
        unfollowed: what is used and not in the identity.
        files: the source files that were read.
    """

    parts: Mapping[str, str]
    digest: str
    outside: tuple[str, ...]
    unfollowed: tuple[Unfollowed, ...]
    files: tuple[str, ...]

    def report(self) -> str:
        """What is in the key and what is not, for people."""
        lines = ["in the key:"]
        width = max(len(label) for label in self.parts)
        lines += [f"  {label:<{width}}  {digits[:12]}" for label, digits in self.parts.items()]
        if self.outside:
            lines += ["in the key by name only:", *(f"  {name}" for name in self.outside)]
        if self.unfollowed:
            lines += ["not followed:", *(f"  {each.name}: {each.what}: {each.why}" for each in self.unfollowed)]
        else:
            lines.append("not followed: nothing")
        if self.files:
            lines += ["read from:", *(f"  {name}" for name in self.files)]
        return "\n".join(lines)


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
