"""Results that were made elsewhere, before there was a store or by another program, taken into one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pylightnix.model.promises import Promise
from pylightnix.model.realization import Realization
from pylightnix.session.location import StoreLike
from pylightnix.session.verbs import realize
from pylightnix.stages.adopted import adopted
from pylightnix.stages.local import Place

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def import_dir(
    store: StoreLike,
    path: Place,
    name: str,
    *,
    known: Mapping[str, object] = _NOTHING,
    value: object = None,
    promises: Mapping[str, Promise | str] = _NOTHING,
    root: str | None = None,
    quiet: bool = False,
) -> Realization[Any]:
    """Take what is in a directory into a store as a realization, which can be given to stages like any other.

    The directory is copied and stays as it is. The same content with the same facts is the same realization.

    Args:
        store: a `Store` or the path of one; None for the default one.
        path: the directory.
        name: of the realization.
        known: facts about it by name, configuration values: what made it, when, with which options. They are its
            parameter `known`.
        value: JSON, its value, such as {"accuracy": 0.9}.
        promises: paths in the directory, or `promise(…)`, by name; each is checked.
        root: a name that keeps it alive.
        quiet: tell nothing.

    Raises:
        ConfigError: it is no directory, cannot be read, or a fact is no configuration value.
        PromiseError: what was promised is not in it.
    """
    asked = adopted(path, name, known=known, value=value, promises=promises)
    made: Realization[Any] = realize(asked, store=store, quiet=quiet, root=root)
    return made
