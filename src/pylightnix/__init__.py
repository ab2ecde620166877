"""Stages with luck in them: describe work, realize it into an immutable store, choose which results count."""

from __future__ import annotations

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all else here
if TYPE_CHECKING:
    from typing import Any

    from pylightnix.dsl import match
    from pylightnix.dsl.derivation import Derivation
    from pylightnix.dsl.secret import Secret
    from pylightnix.dsl.stage import Dep, Deps, Stage, stage
    from pylightnix.errors import PylightnixError
    from pylightnix.model.build import Build
    from pylightnix.model.config import register_encoder
    from pylightnix.model.promises import promise
    from pylightnix.model.realization import Realization
    from pylightnix.remotes.remote import Remote
    from pylightnix.session.adopting import import_dir
    from pylightnix.session.archives import export, import_archive
    from pylightnix.session.check import check
    from pylightnix.session.copying import copy
    from pylightnix.session.opening import Store
    from pylightnix.session.remotes import pull, push
    from pylightnix.session.signing import sign
    from pylightnix.session.verbs import Plan, instantiate, plan, realize, realize_many

__all__ = [
    "Build",
    "Dep",
    "Deps",
    "Derivation",
    "Plan",
    "PylightnixError",
    "Realization",
    "Remote",
    "Secret",
    "Stage",
    "Store",
    "check",
    "copy",
    "export",
    "import_archive",
    "import_dir",
    "instantiate",
    "match",
    "plan",
    "promise",
    "pull",
    "push",
    "realize",
    "realize_many",
    "register_encoder",
    "sign",
    "stage",
]

__version__ = "0.1.0.dev0"

_HOMES = {
    "Build": "model.build",
    "Dep": "dsl.stage",
    "Deps": "dsl.stage",
    "Derivation": "dsl.derivation",
    "Plan": "session.verbs",
    "PylightnixError": "errors",
    "Realization": "model.realization",
    "Remote": "remotes.remote",
    "Secret": "dsl.secret",
    "Stage": "dsl.stage",
    "Store": "session.opening",
    "check": "session.check",
    "copy": "session.copying",
    "export": "session.archives",
    "import_archive": "session.archives",
    "import_dir": "session.adopting",
    "instantiate": "session.verbs",
    "match": "dsl",
    "plan": "session.verbs",
    "promise": "model.promises",
    "pull": "session.remotes",
    "push": "session.remotes",
    "realize": "session.verbs",
    "realize_many": "session.verbs",
    "register_encoder": "model.config",
    "sign": "session.signing",
    "stage": "dsl.stage",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the fresh process of each run needs few of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    home = importlib.import_module(f"pylightnix.{_HOMES[name]}")
    found = importlib.import_module("pylightnix.dsl.match") if name == "match" else getattr(home, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
