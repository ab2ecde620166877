"""Executors: where builders run. One contract (`model.build.Executor`), one file for each way to keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pylightnix.executors.futures import FuturesExecutor
    from pylightnix.executors.inline import InlineExecutor
    from pylightnix.executors.local import LocalExecutor
    from pylightnix.executors.process import ProcessExecutor
    from pylightnix.executors.slurm import SlurmExecutor

__all__ = ["FuturesExecutor", "InlineExecutor", "LocalExecutor", "ProcessExecutor", "SlurmExecutor"]

_HOMES = {name: name.removesuffix("Executor").lower() for name in __all__}


def __getattr__(name: str) -> Any:
    """Import an executor when it is asked for: the process of a run needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
