"""Promises: the artifacts that a derivation declares. Unaware of how they are checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pylightnix.errors import ConfigError
from pylightnix.names import check_inner_path

Kind = Literal["file", "directory", "any"]


@dataclass(frozen=True, slots=True)
class Promise:
    """An artifact that will exist when the builder has returned.

    Attributes:
        path: where, relative to the output directory, with `/` between the parts.
        kind: "file", "directory" or "any".
        empty: whether an empty file or directory keeps the promise.
        check: called with the artifact's path; the promise is broken if it raises or returns False.
    """

    path: str
    kind: Kind = "file"
    empty: bool = False
    check: Callable[[Path], object] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", check_inner_path(self.path))
        if self.kind not in get_args(Kind):
            raise ConfigError(
                f"a promise cannot be of kind {self.kind!r}",
                where=f"promise({self.path!r})",
                hint="file, directory or any",
            )
        if not isinstance(self.empty, bool):
            raise ConfigError(f"empty={self.empty!r} is unknown", where=f"promise({self.path!r})", hint="True or False")
        if self.check is not None and not callable(self.check):
            raise ConfigError(f"check is no function: {self.check!r}", where=f"promise({self.path!r})")

    def document(self) -> dict[str, object]:
        """What of this promise stands in a derivation, but for the identity of `check`."""
        return {"empty": self.empty, "kind": self.kind, "path": self.path}


def promise(path: str, kind: Kind = "file", empty: bool = False, check: Callable[[Path], object] | None = None) -> Any:
    """Declare a promised output: the default of a stage's parameter, where the builder gets the `Path` to fill.

    Args:
        path: relative to the output directory; its parents exist when the builder starts.
        kind: "file" (the default), "directory" (exists when the builder starts) or "any".
        empty: whether an empty file or directory keeps the promise; default no.
        check: a function of the finished artifact's path; raising or returning False breaks the promise.

    Raises:
        BadNameError: the path is absolute, empty, or leaves the output directory.
        ConfigError: the kind is unknown, or `check` is no function.
    """
    return Promise(path, kind, empty, check)
