"""A stage that takes a result that was made elsewhere as its own, with what is known about it."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pylightnix.dsl.derivation import Derivation
from pylightnix.errors import ConfigError, StoreError
from pylightnix.model.build import Build
from pylightnix.model.promises import Promise
from pylightnix.names import printable
from pylightnix.stages.local import Place, directory_content, take_directory


def adopted(
    path: Place, name: str, *, known: Mapping[str, object], value: object, promises: Mapping[str, Promise | str]
) -> Derivation[Any]:
    """The derivation whose artifacts are what is in a directory now; see `import_dir`."""
    source = Path(os.path.abspath(path))
    where = f"import_dir({printable(os.fspath(path))!r})"
    if not source.is_dir():
        raise ConfigError("this is no directory", where=where, hint=f"it was looked for at {printable(str(source))}")
    try:
        content = directory_content(source)
    except (OSError, StoreError) as error:
        raise ConfigError(f"cannot be read: {error}", where=where, hint="see to its rights") from error
    return Derivation(
        name=name,
        builder=functools.partial(_adopt, source=str(source)),
        params={"content": content, "known": dict(known), "result": value},
        promises=promises,
        version="import_dir/1",
        reads=[str(source)],
    )


def _adopt(build: Build, content: str, known: dict[str, Any], result: Any, *, source: str, **promises: Path) -> Any:
    take_directory(content, build.out, source=source)
    return result
