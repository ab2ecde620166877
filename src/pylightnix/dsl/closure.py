"""Pins derivations: takes the code identity of this moment, fixes each document, puts inputs before their users."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pylightnix.dsl.code import Memo, identify
from pylightnix.dsl.derivation import Derivation, Recipe
from pylightnix.errors import ConfigError, GraphError
from pylightnix.hashing import DIGITS, Template, digest_bytes
from pylightnix.model.allocation import collector_paused
from pylightnix.model.closure import Closure, InputRef, Origin, Pinned, unslotted
from pylightnix.model.params import Params
from pylightnix.names import DerivationRef

_OPEN = DerivationRef("")
_SHOWN = 20
"""Names along a cycle that are told."""


def pin(targets: Iterable[Derivation[Any]]) -> Closure:
    """The closure of some derivations.

    Raises:
        GraphError: a cycle, or one derivation under two matchers.
        CodeError: the code of a builder cannot be identified.
    """
    with collector_paused():
        return _Pinning().closure(list(targets))


class _Shared(NamedTuple):
    """What all derivations of a recipe have in common, beside the recipe itself (kept alive: it is known by its id)."""

    recipe: Recipe
    fields: dict[str, Any]
    template: Template
    origin: Origin


class _Pinning:
    """One walk: what it has pinned, and what it has learned of each recipe."""

    def __init__(self) -> None:
        self._memo = Memo()
        self._recipes: dict[int, _Shared] = {}
        self._refs: dict[int, DerivationRef] = {}
        self._by_ref: dict[DerivationRef, Pinned] = {}

    def closure(self, targets: Sequence[Derivation[Any]]) -> Closure:
        for target in targets:
            self._walk(target)
        return Closure(tuple(self._by_ref.values()), tuple(self._refs[id(target)] for target in targets), self._by_ref)

    def _walk(self, target: Derivation[Any]) -> None:
        """Depth first and without recursion: a chain may be longer than any stack."""
        refs = self._refs
        stack = [target]
        while stack:
            derivation = stack[-1]
            state = refs.get(id(derivation))
            if state:
                stack.pop()
                continue
            inputs = derivation._inputs
            waiting = [d for d, _ in inputs if not refs.get(id(d))] if inputs else ()
            if not waiting:
                refs[id(derivation)] = self._pin(derivation)
                stack.pop()
                continue
            if state is _OPEN:
                raise GraphError(f"a cycle: {_cycle(derivation, refs)}", hint="a derivation cannot be its own input")
            refs[id(derivation)] = _OPEN
            stack.extend(reversed(waiting))

    def _pin(self, derivation: Derivation[Any]) -> DerivationRef:
        made = _pin_fixed(derivation) if derivation._fixed is not None else self._pin_described(derivation)
        known = self._by_ref.setdefault(made.ref, made)
        if known is not made and known.matcher != made.matcher:
            raise GraphError(
                f"one derivation under two matchers: {known.matcher!r} and {made.matcher!r}",
                where=f"{made.name} {made.ref.short}",
                hint="a plan makes one choice for a derivation: use one matcher, "
                "or give the realization of the other choice from an earlier realize",
                derivation=made.ref,
            )
        return made.ref

    def _pin_described(self, derivation: Derivation[Any]) -> Pinned:
        recipe = derivation._recipe
        types = derivation._types
        shared = self._shared(recipe)
        inputs = tuple([InputRef(self._refs[id(d)], promise) for d, promise in derivation._inputs])

        template = self._with_types(shared, types) if types else shared.template
        document = template.fill("derivation", derivation._params.fill([ref.text() for ref in inputs]))
        ref = DerivationRef.of(digest_bytes(document), recipe.name)
        return Pinned(
            ref,
            template,
            derivation._params,
            inputs,
            types,
            recipe.promises,
            derivation._matcher,
            recipe.builder,
            recipe.wants_build,
            shared.origin,
            None,
            recipe.conditions,
        )

    def _shared(self, recipe: Recipe) -> _Shared:
        """What all derivations of a recipe have in common; computed once in a walk."""
        known = self._recipes.get(id(recipe))
        if known is None:
            fields = self._describe(recipe)
            known = self._recipes[id(recipe)] = _Shared(recipe, fields, Template(fields, "params"), recipe.origin)
        return known

    def _with_types(self, shared: _Shared, types: Mapping[str, object]) -> Template:
        """The template of derivations with values of these types: a builder can call their methods."""
        if "parts" not in shared.fields["code"]:
            return shared.template
        classes = {tag: kind for tag, kind in types.items() if isinstance(kind, type)}
        known = {
            tag: identify(kind, own_defaults=True, memo=self._memo).digest[:DIGITS] for tag, kind in classes.items()
        }
        return Template({**shared.fields, "types": known}, "params") if known else shared.template

    def _describe(self, recipe: Recipe) -> dict[str, Any]:
        shared: dict[str, Any] = {"code": self._code(recipe), "name": recipe.name}
        promises = {}
        for name, promise in recipe.promises.items():
            promises[name] = promise.document()
            if promise.check is not None:
                promises[name]["check"] = identify(promise.check, own_defaults=True, memo=self._memo).digest
        shared["promises"] = promises
        if recipe.env:
            shared["env"] = {name: _version(recipe.name, name) for name in recipe.env}
        if recipe.conditions.variables:
            shared["variables"] = {name: _variable(recipe.name, name) for name in recipe.conditions.variables}
        return shared

    def _code(self, recipe: Recipe) -> dict[str, Any]:
        if recipe.version is not None:
            return {"version": recipe.version}
        if recipe.code == "ignore":
            return {"ignored": True}
        identity = identify(recipe.builder, own_defaults=recipe.own_defaults, memo=self._memo)
        return {"parts": dict(identity.parts)}


def _pin_fixed(derivation: Derivation[Any]) -> Pinned:
    """The derivation that a realization was made or used as. Its inputs are not walked: it is there already."""
    realization = derivation._fixed
    if realization is None:
        raise AssertionError("BUG: not fixed")
    document: Mapping[str, Any] = realization.description()
    params, inputs = unslotted(document["params"])
    common = {name: value for name, value in document.items() if name not in ("params", "pylightnix")}
    return Pinned(
        realization.context.derivation,
        Template(common, "params"),
        Params.of_trees(params),
        tuple(inputs),
        {},
        derivation._recipe.promises,
        derivation._matcher,
        None,
        False,
        derivation._recipe.origin,
        realization,
    )


def _variable(stage: str, name: str) -> str | None:
    """What an environment variable says."""
    text = os.environ.get(name)
    try:
        return None if text is None else text.encode().decode()
    except UnicodeEncodeError:
        raise ConfigError(
            f"the environment variable {name!r} is no text in UTF-8", where=f"{stage}: variables", hint="set it anew"
        ) from None


def _version(stage: str, distribution: str) -> str:
    from importlib import metadata  # slow to import, and few stages have an env

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        raise ConfigError(
            f"no distribution named {distribution!r} is installed",
            where=f"{stage}: env",
            hint="give the name that pip shows, such as scikit-learn for the module sklearn",
        ) from None


def _cycle(start: Derivation[Any], refs: Mapping[int, DerivationRef]) -> str:
    """The names along a cycle: from each that is open a way leads to one that is open."""
    path, seen = [start], {id(start): 0}
    while True:
        following = next(d for d, _ in path[-1]._inputs if refs.get(id(d)) is _OPEN)
        if id(following) in seen:
            names = [derivation.name for derivation in [*path[seen[id(following)] :], following]]
            return " → ".join(names if len(names) <= _SHOWN else [*names[: _SHOWN // 2], "…", *names[-_SHOWN // 2 :]])
        seen[id(following)] = len(path)
        path.append(following)
