"""`@stage`: a typed function becomes a stage, and calling the stage describes work. Nothing runs here."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Protocol, TypeVar, Unpack, cast, overload

from pylightnix.dsl.code import CodeIdentity, identify
from pylightnix.dsl.derivation import (
    Derivation,
    Recipe,
    check_code,
    check_env,
    check_matcher,
    check_version,
)
from pylightnix.dsl.match import latest
from pylightnix.dsl.signature import REQUIRED, Parameter, check_runs, hint_for_missing, read_parameters
from pylightnix.errors import ArgumentError, ConfigError
from pylightnix.model.build import Build
from pylightnix.model.conditions import ConditionsAsked, read_conditions
from pylightnix.model.matching import Matcher
from pylightnix.names import check_name

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Dep(Protocol):
    """One input: a derivation when you describe, a realization when you build."""

    def __getattr__(self, name: str, /) -> Any: ...
    def __truediv__(self, relative: str, /) -> Any: ...


class Deps(Protocol):
    """Many inputs: a derivation whose matcher chooses many when you describe, a tuple when you build."""

    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


class StageCode:
    """What of a stage's code is in its key, as of the moment of asking."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def identity(self) -> CodeIdentity:
        """The code identity; taken afresh."""
        return identify(self._recipe.builder, own_defaults=self._recipe.own_defaults)

    def report(self) -> str:
        """What is in the key and what is not, for people."""
        recipe = self._recipe
        if recipe.version is not None:
            return f"{recipe.name}: the version {recipe.version!r} stands for the code; no code is followed"
        if recipe.code == "ignore":
            return f'{recipe.name}: the code is not in the key (code="ignore")'
        return self.identity().report() + self._surroundings()

    def _surroundings(self) -> str:
        recipe = self._recipe
        env = f"\ninstalled versions in the key: {', '.join(recipe.env)}" if recipe.env else ""
        names = recipe.conditions.variables
        return f"{env}\nenvironment variables in the key: {', '.join(names)}" if names else env


class Stage(Generic[P, R_co]):
    """A function under `@stage`. Calling it gives a `Derivation`; `stage.function` is the function itself."""

    def __init__(
        self, function: Callable[..., Any], recipe: Recipe, parameters: Sequence[Parameter], matcher: Matcher
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.matcher = matcher
        self._recipe = recipe
        given = [p for p in parameters if not p.is_build]
        self._params = [(p.name, p.default) for p in given if p.promise is None]
        self._required = [name for name, default in self._params if default is REQUIRED]
        self._positional = [p for p in given if p.positional]
        if recipe.code == "track" and recipe.version is None:
            import pylightnix.dsl.code.following  # noqa: F401  (realizing will need it; commands that do not, have no stage)

    @property
    def name(self) -> str:
        """The name that its derivations have."""
        return self._recipe.name

    @property
    def code(self) -> StageCode:
        """What of its code is in the key."""
        return StageCode(self._recipe)

    @property
    def __pylightnix_builder__(self) -> Callable[..., object]:
        return self.function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Derivation[R_co]:
        given: dict[str, Any] = cast(dict[str, Any], kwargs)
        if args:
            self._take_positional(args, given)
        params = {name: given.pop(name, default) for name, default in self._params}
        missing = [name for name in self._required if params[name] is REQUIRED] if self._required else None
        if given or missing:
            self._refuse(given, missing or [])
        return Derivation.described(self._recipe, params, self.matcher)

    def _take_positional(self, args: Sequence[Any], given: dict[str, Any]) -> None:
        if len(args) > len(self._positional):
            raise ArgumentError(
                f"{len(args)} arguments by position, {len(self._positional)} can be",
                where=self.name,
                hint=self._known(),
            )
        for parameter, value in zip(self._positional, args, strict=False):
            if parameter.name in given:
                raise ArgumentError(f"the argument {parameter.name!r} is given twice", where=self.name)
            given[parameter.name] = value

    def _refuse(self, surplus: dict[str, Any], missing: list[str]) -> None:
        if surplus:
            name = next(iter(surplus))
            if name in self._recipe.promises:
                raise ArgumentError(
                    f"{name!r} is a promise, and promises are not given",
                    where=self.name,
                    hint="the builder gets its Path",
                    name=name,
                )
            close = difflib.get_close_matches(name, [known for known, _ in self._params], n=1)
            meant = f"did you mean {close[0]!r}? " if close else ""
            raise ArgumentError(
                f"there is no argument {name!r}", where=self.name, hint=meant + self._known(), name=name
            )
        raise ArgumentError(
            f"missing: {', '.join(missing)}",
            where=self.name,
            hint=hint_for_missing(missing, "parameters without a default are given when the stage is called"),
            name=missing[0],
        )

    def _known(self) -> str:
        return f"its arguments: {', '.join(name for name, _ in self._params) or 'none'}"

    def __get__(self, instance: object, owner: type | None = None) -> Stage[P, R_co]:
        return self

    def __truediv__(self, relative: str) -> Any:
        return cast(Any, self)() / relative

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("function", "matcher"):
            raise AttributeError(name)
        return getattr(cast(Any, self)(), name)

    def __repr__(self) -> str:
        return f"<stage {self.name}>"


class StageMaker(Protocol):
    """What `stage` with keywords gives: the decorator."""

    @overload
    def __call__(self, function: Callable[Concatenate[Build, P], R], /) -> Stage[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Stage[P, R]: ...


@overload
def stage(function: Callable[Concatenate[Build, P], R], /) -> Stage[P, R]: ...
@overload
def stage(function: Callable[P, R], /) -> Stage[P, R]: ...
@overload
def stage(
    *,
    name: str | None = None,
    matcher: Matcher | None = None,
    version: str | None = None,
    code: Literal["track", "ignore"] = "track",
    env: Sequence[str] = (),
    **conditions: Unpack[ConditionsAsked],
) -> StageMaker: ...
def stage(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    matcher: Matcher | None = None,
    version: str | None = None,
    code: Literal["track", "ignore"] = "track",
    env: Sequence[str] = (),
    **conditions: Unpack[ConditionsAsked],
) -> Any:
    """Make a stage of a function.

    Args:
        function: the builder. A parameter whose default is `promise(…)` is a promised output; the first one, if
            annotated `Build`, gets the build; all others are parameters of the configuration.
        name: of its derivations; default the function's.
        matcher: which realizations count; default `match.latest()`.
        version: stands for the code in the identity, instead of following it.
        code: "track" (default) follows the code; "ignore" leaves it out of the identity.
        env: distributions whose installed versions are in the identity.
        conditions: how runs are carried out: resources, timeout, retries, isolation, network, variables,
            pass_variables, reads; see `ConditionsAsked`.

    Raises:
        ConfigError: the signature or a keyword cannot be used.
        BadNameError: the name cannot be taken.
    """
    if function is None:
        return functools.partial(
            _make, name=name, matcher=matcher, version=version, code=code, env=env, conditions=conditions
        )
    return _make(function, name=name, matcher=matcher, version=version, code=code, env=env, conditions=conditions)


def _make(
    function: Callable[..., Any],
    *,
    name: str | None,
    matcher: Matcher | None,
    version: str | None,
    code: object,
    env: object,
    conditions: ConditionsAsked,
) -> Stage[..., Any]:
    if not callable(function) or isinstance(function, (type, Stage)):
        raise ConfigError(f"@stage stands on a function, not on {function!r}")
    chosen = check_name(name if name is not None else getattr(function, "__name__", None))
    check_runs(chosen, function)
    parameters = read_parameters(function)
    promises = {p.name: p.promise for p in parameters if p.promise is not None}
    wants_build = bool(parameters) and parameters[0].is_build
    recipe = Recipe(
        chosen,
        function,
        promises,
        wants_build,
        check_code(chosen, code),
        check_version(chosen, version),
        check_env(chosen, env),
        conditions=read_conditions(chosen, conditions),
    )
    return Stage(function, recipe, parameters, check_matcher(chosen, matcher) if matcher is not None else latest())
