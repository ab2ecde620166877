"""The derivation as the user holds it: what would be built. Its identity is taken when a plan is made, not here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, Unpack, cast, runtime_checkable

from pylightnix.dsl.match import exact, latest
from pylightnix.dsl.signature import check_call, check_runs
from pylightnix.errors import ConfigError, TargetError, UnknownPromiseError
from pylightnix.model.closure import Origin
from pylightnix.model.conditions import PLAIN, Conditions, ConditionsAsked, read_conditions, with_secrets
from pylightnix.model.config import Encoding, decode
from pylightnix.model.hidden import TAG, secrets_in
from pylightnix.model.matching import Matcher
from pylightnix.model.params import Params
from pylightnix.model.promises import Promise
from pylightnix.model.realization import Realization
from pylightnix.model.shown import Bare, shown
from pylightnix.model.visible import VisibleInput
from pylightnix.names import check_name

R_co = TypeVar("R_co", covariant=True)

_NO_TYPES: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a derivation builds with, shared by all derivations of one stage.

    Attributes:
        name: of the stage.
        builder: called with the parameters and promises by name.
        promises: by name.
        wants_build: whether the builder takes the `Build` first.
        code: "track" (follow the code) or "ignore" (the code is not in the identity).
        version: stands for the code, if given.
        env: distributions whose installed versions are in the identity.
        own_defaults: whether the builder's own defaults are code (a stage's are parameters).
        conditions: how its runs are to be carried out.
    """

    name: str
    builder: Callable[..., object]
    promises: Mapping[str, Promise]
    wants_build: bool = False
    code: Literal["track", "ignore"] = "track"
    version: str | None = None
    env: tuple[str, ...] = ()
    own_defaults: bool = False
    conditions: Conditions = PLAIN

    @property
    def origin(self) -> Origin:
        """Where the builder's code is."""
        function = inspect.unwrap(self.builder)
        code = getattr(function, "__code__", None)
        qualname = getattr(function, "__qualname__", self.name)
        return Origin(code.co_filename, code.co_firstlineno, qualname) if code else Origin(qualname=qualname)


class Promised:
    """A promise of a derivation: given as an argument, the builder gets that artifact's `Path` and sees only it."""

    __slots__ = ("derivation", "name")

    def __init__(self, derivation: Derivation[Any], name: str) -> None:
        self.derivation = derivation
        self.name = name

    def __repr__(self) -> str:
        return f"{self.derivation!r}.{self.name}"


class Derivation(Generic[R_co]):
    """The description of a piece of work: name, builder, parameters, promises, and a matcher beside them.

    Args:
        name: names the derivation and its realizations.
        builder: a function, called with the parameters by name and a `Path` for each promise; if its first parameter
            is annotated `Build`, it gets the build there.
        params: configuration values by name, in which derivations may stand.
        promises: `promise(…)` or a path, by name.
        matcher: which realizations count; default `match.latest()`.
        code, version, env: as for `stage`.
        conditions: resources, timeout, retries, isolation and the rest of `ConditionsAsked`, as for `stage`.

    Raises:
        ConfigError: a parameter is not a configuration value.
        BadNameError: the name or a promised path cannot be taken.
    """

    __slots__ = ("__weakref__", "_fixed", "_inputs", "_matcher", "_params", "_recipe", "_types")

    def __init__(
        self,
        *,
        name: str,
        builder: Callable[..., R_co],
        params: Mapping[str, object] = MappingProxyType({}),
        promises: Mapping[str, Promise | str] = MappingProxyType({}),
        matcher: Matcher | None = None,
        code: Literal["track", "ignore"] = "track",
        version: str | None = None,
        env: Sequence[str] = (),
        **conditions: Unpack[ConditionsAsked],
    ) -> None:
        if not callable(builder):
            raise ConfigError(f"the builder is no function: {builder!r}", where=str(name))
        check_runs(str(name), builder)
        kept = {key: made if isinstance(made, Promise) else Promise(made) for key, made in promises.items()}
        for key in params:
            if not (isinstance(key, str) and key.isidentifier()):
                hint = "the builder is called with it: give a str that could be an argument"
                raise ConfigError(f"{key!r} is not a name for a parameter", where=str(name), hint=hint)
        both = sorted(set(kept) & set(params))
        if both:
            raise ConfigError(
                f"{', '.join(both)}: both a parameter and a promise", where=name, hint="rename one of them"
            )
        recipe = Recipe(
            check_name(name),
            builder,
            kept,
            check_call(str(name), builder, {*params, *kept}),
            check_code(name, code),
            check_version(name, version),
            check_env(name, env),
            own_defaults=True,
            conditions=read_conditions(name, conditions),
        )
        self._fill(recipe, params, check_matcher(name, matcher) if matcher is not None else latest())

    def _fill(self, recipe: Recipe, params: Mapping[str, object], matcher: Matcher) -> None:
        encoding = Encoding(recipe.name, as_input)
        self._params = Params.encode(params, encoding)
        self._recipe = _with_secrets(recipe, self._params) if TAG in encoding.types else recipe
        self._inputs = encoding.inputs
        self._types = encoding.types or _NO_TYPES
        self._matcher = matcher
        self._fixed: Realization[Any] | None = None

    @classmethod
    def described(cls, recipe: Recipe, params: Mapping[str, object], matcher: Matcher) -> Derivation[Any]:
        """A derivation from parts that were checked before."""
        made: Derivation[Any] = cls.__new__(cls)
        made._fill(recipe, params, matcher)
        return made

    @property
    def name(self) -> str:
        """The name of the stage."""
        return self._recipe.name

    @property
    def matcher(self) -> Matcher:
        """Which realizations count; not part of the identity."""
        return self._matcher

    @property
    def promises(self) -> Mapping[str, Any]:
        """The promises of this derivation, to be given as arguments; also attributes."""
        return {name: Promised(self, name) for name in self._recipe.promises}

    @property
    def params(self) -> Mapping[str, Any]:
        """The parameters by name, as encoded for the identity."""
        return MappingProxyType(self._params.trees())

    @property
    def ref(self) -> str:
        """The reference that it has with the code of this moment; computed at each access."""
        from pylightnix.dsl.closure import pin

        return pin([self]).targets[0]

    def with_matcher(self, matcher: Matcher) -> Derivation[R_co]:
        """The same derivation under another matcher."""
        made: Derivation[R_co] = Derivation.__new__(Derivation)
        made._recipe = self._recipe
        made._params = self._params
        made._inputs = self._inputs
        made._types = self._types
        made._matcher = check_matcher(self.name, matcher)
        made._fixed = None
        return made

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._recipe.promises:
            return Promised(self, name)
        raise unknown_promise(self.name, name, self._recipe.promises)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._recipe.promises]

    def __truediv__(self, relative: str) -> Any:
        raise TargetError(
            f"a derivation has no files yet: {self.name} / {relative!r}",
            hint="realize it first, or use / on the input inside the builder",
        )

    def __iter__(self) -> Iterator[Any]:
        raise TargetError(
            f"a derivation cannot be walked through: {self.name}",
            hint="inside a builder, an input whose matcher chooses many is a tuple; outside, see realize_many",
        )

    if TYPE_CHECKING:  # what a builder may do with an input; a checker sees one type for both of its times

        def __len__(self) -> int: ...
        def __getitem__(self, index: int) -> Any: ...

    def __repr__(self) -> str:
        params = ", ".join(f"{name}={_brief(tree, self._inputs)}" for name, tree in self._params.trees().items())
        return f"{self.name}({params})"


def _with_secrets(recipe: Recipe, params: Params) -> Recipe:
    """The recipe of a builder that may read the secrets among its parameters."""
    names = sorted(set(secrets_in(params.trees())))
    return replace(recipe, conditions=with_secrets(recipe.name, recipe.conditions, names))


def fixed(realization: Realization[Any]) -> Derivation[Any]:
    """The derivation of a realization under a choice that cannot change: just this realization."""
    if isinstance(realization, VisibleInput):
        raise TargetError(
            "an input cannot be described with inside a builder", hint="describe outside, realize, then build"
        )
    made: Derivation[Any] = Derivation.__new__(Derivation)
    promises = {name: Promise(kept.path, "any", empty=True) for name, kept in realization.record.promises.items()}
    made._recipe = Recipe(realization.name, _not_at_hand, promises)
    made._params = Params({})
    made._inputs = []
    made._types = _NO_TYPES
    made._matcher = exact(realization.ref)
    made._fixed = realization
    return made


def _not_at_hand() -> None:
    raise TargetError("only the realization was given, not the stage that makes it")


@runtime_checkable
class Callless(Protocol):
    """A stage: what gives its derivation when it is called without arguments."""

    @property
    def __pylightnix_builder__(self) -> Callable[..., object]: ...
    def __call__(self) -> Derivation[Any]: ...


def as_derivation(value: object) -> Derivation[Any] | None:
    """The derivation that a value stands for: itself, a stage called without arguments, a realization; else None."""
    if isinstance(value, Derivation):
        return value
    if isinstance(value, Realization):
        return fixed(value)
    if hasattr(type(value), "__pylightnix_builder__"):
        return cast(Callless, value)()
    return None


def as_input(value: object) -> tuple[Derivation[Any], str | None] | None:
    """What stands in a slot for a value: a derivation and the name of the one promise meant, if one was."""
    if isinstance(value, Derivation):
        return (value, None)
    if isinstance(value, Promised):
        return (value.derivation, value.name)
    derivation = as_derivation(value)
    return None if derivation is None else (derivation, None)


def unknown_promise(owner: str, name: str, promises: Mapping[str, Promise]) -> UnknownPromiseError:
    """The error for a promise that a derivation does not declare."""
    known = ", ".join(sorted(promises)) or "it promises nothing"
    return UnknownPromiseError(f"{owner} promises no {name!r}", hint=f"its promises: {known}", stage=owner, name=name)


def check_matcher(where: str, matcher: object) -> Matcher:
    """The matcher, if it is one."""
    if isinstance(matcher, type) or not isinstance(matcher, Matcher):
        raise ConfigError(
            f"not a matcher: {matcher!r}", where=where, hint="use one of match.latest(), match.best(…), match.all(), …"
        )
    return matcher


def check_code(where: str, code: object) -> Literal["track", "ignore"]:
    """The way the code counts, if it is one."""
    if code in ("track", "ignore"):
        return code
    raise ConfigError(f"code={code!r} is unknown", where=where, hint='"track" or "ignore"')


def check_version(where: str, version: object) -> str | None:
    """The version, if it is text or None."""
    if version is None or (isinstance(version, str) and version):
        return version
    raise ConfigError(f"version={version!r} is no text", where=where, hint='such as version="3"')


def check_env(where: str, env: object) -> tuple[str, ...]:
    """The distributions, sorted, if they are a list of names."""
    if isinstance(env, str) or not isinstance(env, Sequence) or not all(isinstance(name, str) for name in env):
        raise ConfigError(f"env={env!r} is no list of names", where=where, hint='such as env=["numpy"]')
    return tuple(sorted(set(env)))


def _brief(tree: Any, inputs: Sequence[tuple[Derivation[Any], str | None]]) -> str:
    def name_of(index: int) -> object:
        derivation, promise = inputs[index]
        return Bare(f"{derivation.name}(…)" + (f".{promise}" if promise else ""))

    text = shown(decode(tree, {}, name_of))
    return text if len(text) <= 60 else text[:57] + "…"
