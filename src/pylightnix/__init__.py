"""Stages with luck in them: describe work, realize it into an immutable store, choose which results count."""

from pylightnix.dsl import match
from pylightnix.dsl.derivation import Derivation
from pylightnix.dsl.stage import Dep, Deps, Stage, stage
from pylightnix.errors import PylightnixError
from pylightnix.model.build import Build
from pylightnix.model.config import register_encoder
from pylightnix.model.promises import promise
from pylightnix.model.realization import Realization
from pylightnix.session.verbs import Plan, instantiate, plan, realize, realize_many
from pylightnix.store.store import Store

__all__ = [
    "Build",
    "Dep",
    "Deps",
    "Derivation",
    "Plan",
    "PylightnixError",
    "Realization",
    "Stage",
    "Store",
    "instantiate",
    "match",
    "plan",
    "promise",
    "realize",
    "realize_many",
    "register_encoder",
    "stage",
]

__version__ = "0.1.0.dev0"
