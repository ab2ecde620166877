"""A stage that takes a result that was made elsewhere as its own, with what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pylightnix.dsl.derivation import Derivation
from pylightnix.errors import ConfigError, StoreError
from pylightnix.model.build import Build
from pylightnix.model.promises import Promise
from pylightnix.names import printable
from pylightnix.stages.local import Place, directory_content, place_of, take_directory
from pylightnix.store.layout import is_store


def adopted(
    path: Place, name: str, *, known: Mapping[str, object], value: object, promises: Mapping[str, Promise | str]
) -> Derivation[Any]:
    """The derivation whose artifacts are what is in a directory now; see `import_dir`."""
    source, where = place_of(path, "import_dir")
    if not source.is_dir():
        raise ConfigError("this is no directory", where=where, hint=f"it was looked for at {printable(str(source))}")
    if is_store(str(source)):
        raise ConfigError("this is a store", where=where, hint="`pylightnix copy` takes results from one to another")
    try:
        content = directory_content(source)
    except (OSError, StoreError) as error:
        raise ConfigError(f"cannot be read: {error}", where=where, hint="see to its rights") from error
    return Derivation(
        name=name,
        builder=_Adopt(str(source)),
        params={"content": content, "known": dict(known), "result": value},
        promises=promises,
        version="import_dir/1",
        reads=[str(source)],
    )


@dataclass(frozen=True, slots=True)
class _Adopt:
    """A builder; a promise may have any name but that of a parameter."""

    source: str

    def __call__(
        self, build: Build, /, content: str, known: dict[str, Any], result: object, **promises: Path
    ) -> object:
        take_directory(content, build.out, source=self.source)
        return result
