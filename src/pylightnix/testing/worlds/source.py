"""A world written down as a Python module, imported, and described: derivations as a user would get them."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pylightnix.dsl import match
from pylightnix.dsl.derivation import Derivation
from pylightnix.model.matching import Matcher
from pylightnix.testing.worlds.world import PROMISES, Picks, World

_HEAD = """\
from pathlib import Path
from pylightnix import Build, promise, stage
from pylightnix.testing.worlds.arithmetic import make
SHIFT = {shift}
"""

_HELPER = """
def helper_{index}(x{object}):
    # edit {comment}: a comment
    return f"{const}:{{SHIFT}}:{{x!r}}"{blank}
"""

_STAGE = '''
@stage{call}
def f{index}(build: Build, x{object}, given{object}, {promises}):
    """Edit {comment}: a docstring."""
    spoken = ["f{index}", {const}, "helper_{helper}", helper_{helper}(x), {modulus}, {luck}]{blank}
    return make(build, spoken, given)  # edit {comment}
'''

_numbers = itertools.count()


def text_of(world: World) -> str:
    """The module. What depends on `world.comment` has no meaning."""
    marks = {
        "comment": world.comment,
        "object": ": object" if world.comment % 2 else "",
        "blank": "\n" * (world.comment % 3),
        "call": "()" if world.comment % 3 == 1 else "",
        "promises": ", ".join(f"{name}: Path = promise({path!r})" for name, path in PROMISES.items()),
    }
    helpers = [_HELPER.format(index=i, const=const, **marks) for i, const in enumerate(world.helpers)]
    stages = [
        _STAGE.format(index=i, const=f.const, helper=f.helper, modulus=f.modulus, luck=f.luck, **marks)
        for i, f in enumerate(world.functions)
    ]
    definitions = [*helpers, *stages] if world.comment % 2 else [*reversed(stages), *helpers]
    return _HEAD.format(shift=world.shift) + "".join(definitions)


@contextlib.contextmanager
def written(world: World, folder: Path) -> Iterator[list[Derivation[Any]]]:
    """The derivations of all stages, of a module that is imported under a name of its own as long as this lasts."""
    name = f"pylightnix_world_{next(_numbers)}"
    path = folder / f"{name}.py"
    path.write_text(text_of(world))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise AssertionError(f"BUG: {path} cannot be imported")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        yield describe(world, module)
    finally:
        del sys.modules[name]


def describe(world: World, module: Any) -> list[Derivation[Any]]:
    """A derivation for each stage."""
    made: list[Derivation[Any]] = []
    for node in world:
        given = node.given.shape(
            lambda use: made[use.node] if use.promise is None else made[use.node].promises[use.promise]
        )
        call = getattr(module, f"f{node.function}")
        made.append(call(x=node.x, given=given).with_matcher(matcher_of(node.picks)))
    return made


def matcher_of(picks: Picks) -> Matcher:
    """The matcher of the package that is meant."""
    match picks.kind:
        case "latest":
            return match.latest(picks.n)
        case "first":
            return match.first(picks.n)
        case "only":
            return match.only()
        case "best" | "worst":
            return match.best("score", picks.of, picks.n, "max" if picks.kind == "best" else "min")
        case "some":
            return match.some(picks.n or 1)
        case "all":
            return match.all(picks.of)
