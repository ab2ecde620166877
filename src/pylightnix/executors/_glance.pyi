# Looks at what Python audits and passes on what may matter; in C, and not there where nothing could compile it.

from collections.abc import Callable
from typing import Any

def install(hook: Callable[[str, tuple[Any, ...]], object], events: frozenset[str], /) -> None: ...
def watch(clear: set[str] | None, /) -> None: ...
