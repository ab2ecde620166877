"""What a remote stands on: named bytes, put whole and read bounded. Unaware of what they mean.

A backend is safe to use from several threads. A new one subclasses `pylightnix.testing.remotes.BackendContract`
and sees all of this tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from pylightnix.errors import BadNameError

LONGEST = 400
"""Characters that a name may have."""

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.+@-]{0,239}"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*")
_PREFIX = re.compile(rf"(?:{_PART}/)*(?:{_PART})?")


class Backend(Protocol):
    """A place for named bytes. Every method may raise `RemoteError`, which says whether another attempt may help.

    Attributes:
        url: its address for people, without what may be a secret in it.
        lists: whether `names` can be asked; a plain web server cannot tell.
        writes: whether `put` and `remove` can be asked.
    """

    url: str
    lists: bool
    writes: bool

    def get(self, name: str, most: int) -> bytes | None:
        """The bytes of this name; None if there are none.

        Args:
            name: of them.
            most: bytes that there may be; more is an error as soon as that is noticed, and never read to its end.
        """
        ...

    def put(self, name: str, data: bytes) -> None:
        """Store bytes under a name, in the place of what had it: whole, or not at all, whatever happens meanwhile."""
        ...

    def has(self, name: str) -> bool:
        """Whether there are bytes of this name. What `put` has stored is seen at once."""
        ...

    def names(self, prefix: str) -> Iterator[str]:
        """All names that begin so, in any order; names that `check_name` refuses are passed over."""
        ...

    def remove(self, name: str) -> None:
        """Remove what has this name, if anything has it."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def check_name(name: str) -> str:
    """The name, if bytes can have it: parts of `A-Z a-z 0-9 _ . + @ -` joined by `/`, no part beginning with a dot.

    Raises:
        BadNameError: they cannot.
    """
    return _checked(name, _NAME)


def is_name(text: str) -> bool:
    """Whether bytes can have this name; what else lies in a place is nobody's business."""
    return len(text) <= LONGEST and _NAME.fullmatch(text) is not None


def check_prefix(prefix: str) -> str:
    """The text, if names can begin so; else BadNameError."""
    return _checked(prefix, _PREFIX)


def _checked(text: str, form: re.Pattern[str]) -> str:
    if len(text) > LONGEST or not form.fullmatch(text):
        raise BadNameError(f"{text!r} is no name in a remote", name=text)
    return text
