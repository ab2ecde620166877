"""The identity of a builder's code: its parts, each with a hash, and an account of what is not in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


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
