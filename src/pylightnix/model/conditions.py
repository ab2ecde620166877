"""How a run is to be carried out: what it needs, how long it may take, what it may see. Never in an identity.

The one exception is `variables`: what a declared environment variable says is an input, so it stands in the
derivation; see `pylightnix.dsl.closure`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, TypedDict, get_args

from pylightnix.errors import ArgumentError, ConfigError
from pylightnix.model.amounts import parse_seconds, parse_size

Isolation = Literal["none", "process", "sandbox"]

MOST_RETRIES = 100

UNLUCKY = ("killed", "timeout", "transport")
"""Causes of failure that another attempt may not meet again: what a plain number of retries is for."""

CAUSES = (*UNLUCKY, "exit", "promise")
"""Kinds of failure that may be retried, beside exceptions by their names."""


class ConditionsAsked(TypedDict, total=False):
    """The keywords of `@stage` and `Derivation` that say how their runs are carried out.

    Attributes:
        resources: what a run takes, such as {"cpus": 2, "gpus": 1, "memory": "4G"}; any name may stand here that the
            machine was said to have. Default: nothing but one of the runs that there may be at a time.
        timeout: seconds that one attempt may take, or a text such as "2h"; default: no limit.
        retries: how many more attempts there are after a failure by chance (the process was killed, took too long, or
            could not be reached); or numbers by cause, a cause being "killed", "timeout", "transport", "exit",
            "promise", or the name of an exception. Default: none.
        isolation: "none", "process" or "sandbox"; default: as the call of `realize` says.
        network: whether the builder may use the network; default no.
        variables: names of environment variables that the builder reads; what they say is in the identity.
        pass_variables: names of environment variables that it may read, and that do not count for the identity.
        secrets: as `pass_variables`; and what they say is kept out of the store. A `Secret` among the parameters names
            one, too.
        reads: absolute paths of files and directories outside the store that it may read, and that do not count for
            the identity.
    """

    resources: Mapping[str, float | str]
    timeout: float | str | None
    retries: int | Mapping[str, int]
    isolation: Isolation | None
    network: bool
    variables: Sequence[str]
    pass_variables: Sequence[str]
    secrets: Sequence[str]
    reads: Sequence[str]


@dataclass(frozen=True, slots=True)
class Conditions:
    """`ConditionsAsked`, checked.

    Attributes:
        resources: amounts by name, memory in bytes; what is not named is not taken.
        timeout: seconds of one attempt, None for no limit.
        retries: further attempts by cause.
        isolation: None where the call decides.
        network: whether the network may be used.
        variables: declared environment variables that are in the identity.
        pass_variables: declared ones that are not.
        secrets: those of them that say what nobody may see.
        reads: declared paths outside the store.
        strict: whether something that was not declared makes a run fail.
    """

    resources: Mapping[str, float] = field(default_factory=dict)
    timeout: float | None = None
    retries: Mapping[str, int] = field(default_factory=dict)
    isolation: Isolation | None = None
    network: bool = False
    variables: tuple[str, ...] = ()
    pass_variables: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    strict: bool = False


PLAIN = Conditions()
"""What holds where nothing was said."""


class Call(NamedTuple):
    """What one realize says of all its runs.

    Attributes:
        isolation: wins over that of a stage; None leaves it to the stages.
        default: for stages that say nothing.
        strict: see `Conditions`.
    """

    isolation: Isolation | None = None
    default: Isolation = "none"
    strict: bool = False

    def conditions(self, own: Conditions) -> Conditions:
        """The conditions of a run of a stage with these: its isolation is decided then."""
        isolation = self.isolation or own.isolation or self.default
        return replace(own, isolation=isolation, strict=self.strict or own.strict)


def read_conditions(where: str, asked: ConditionsAsked) -> Conditions:
    """The conditions that some keywords give.

    Args:
        where: the stage, for errors.
        asked: the keywords.

    Raises:
        ArgumentError: there is no such keyword.
        ConfigError: one says something that it cannot.
    """
    if not asked:
        return PLAIN
    unknown = sorted(set(asked) - set(ConditionsAsked.__annotations__))
    if unknown:
        known = ", ".join(ConditionsAsked.__annotations__)
        raise ArgumentError(f"there is no keyword {unknown[0]!r}", where=where, hint=f"those for runs: {known}")
    found = Conditions(
        resources=read_resources(where, asked.get("resources", {})),
        timeout=_timeout(where, asked.get("timeout")),
        retries=_retries(where, asked.get("retries", 0)),
        isolation=check_isolation(where, asked.get("isolation")),
        network=_flag(where, "network", asked.get("network", False)),
        reads=_reads(where, asked.get("reads", ())),
        variables=check_names(where, "variables", asked.get("variables", ())),
        pass_variables=check_names(where, "pass_variables", asked.get("pass_variables", ())),
    )
    return with_secrets(where, found, check_names(where, "secrets", asked.get("secrets", ())))


def with_secrets(where: str, conditions: Conditions, names: Sequence[str]) -> Conditions:
    """The conditions of a builder that reads these secrets, too; ConfigError for one that is to be in the identity."""
    both = sorted(set(names).intersection(conditions.variables))
    if both:
        raise ConfigError(
            f"{both[0]} is a secret, and what it says is to be in the identity", where=where,
            hint="leave it out of variables",
        )  # fmt: skip
    return replace(
        conditions, secrets=tuple(sorted({*conditions.secrets, *names})),
        pass_variables=tuple(sorted({*conditions.pass_variables, *names})),
    ) if names else conditions  # fmt: skip


def read_resources(where: str, given: object) -> Mapping[str, float]:
    """Amounts by name, memory in bytes."""
    hint = 'such as resources={"cpus": 2, "gpus": 1, "memory": "4G"}'
    if not isinstance(given, Mapping):
        raise ConfigError(f"resources={given!r} are no amounts by name", where=where, hint=hint)
    found: dict[str, float] = {}
    for name, amount in given.items():
        if not (isinstance(name, str) and name.isidentifier()):
            raise ConfigError(f"no resource can be named {name!r}", where=where, hint=hint)
        if name == "memory" and isinstance(amount, str):
            try:
                found[name] = parse_size(amount)
            except ArgumentError as error:
                raise ConfigError(f"memory: {error.what}", where=where, hint=error.hint) from None
            continue
        if not _is_amount(amount):
            raise ConfigError(f"{name}={amount!r} is no amount", where=where, hint=hint)
        found[name] = amount
    return found


def _is_amount(given: object) -> bool:
    return type(given) in (int, float) and math.isfinite(given) and given >= 0  # type: ignore[arg-type,operator]


def check_isolation(where: str, isolation: object) -> Isolation | None:
    """The isolation, if it is one."""
    if isolation is None or isolation in get_args(Isolation):
        return isolation  # type: ignore[return-value]
    raise ConfigError(
        f"isolation={isolation!r} is unknown", where=where, hint=" or ".join(f'"{one}"' for one in get_args(Isolation))
    )


def _timeout(where: str, given: object) -> float | None:
    if given is None:
        return None
    if isinstance(given, str):
        try:
            given = parse_seconds(given)
        except ArgumentError as error:
            raise ConfigError(f"timeout: {error.what}", where=where, hint=error.hint) from None
    if not _is_amount(given) or not given:
        raise ConfigError(f"timeout={given!r} is no time", where=where, hint='seconds, or a text such as "2h"')
    return float(given)  # type: ignore[arg-type]


def _retries(where: str, given: object) -> Mapping[str, int]:
    if type(given) is int:
        given = dict.fromkeys(UNLUCKY, given) if given else {}
    good = isinstance(given, Mapping) and all(
        isinstance(cause, str) and (cause in CAUSES or cause.replace(".", "").isidentifier()) for cause in given
    )
    if not good or not all(type(number) is int and 0 <= number <= MOST_RETRIES for number in given.values()):  # type: ignore[attr-defined]
        causes = ", ".join(CAUSES)
        raise ConfigError(
            f"retries={given!r} is neither a number nor numbers by cause", where=where,
            hint=f'such as retries=2 or retries={{"killed": 2, "OSError": 1}}; causes: {causes}, names of exceptions',
        )  # fmt: skip
    return dict(given)  # type: ignore[call-overload, no-any-return]


def check_names(where: str, keyword: str, given: object) -> tuple[str, ...]:
    """Names of environment variables, sorted, each once."""
    good = not isinstance(given, str) and isinstance(given, Sequence)
    if not good or not all(isinstance(name, str) and name and "=" not in name and "\0" not in name for name in given):  # type: ignore[attr-defined]
        raise ConfigError(
            f"{keyword}={given!r} is no list of names", where=where, hint=f'such as {keyword}=["LANG", "HOME"]'
        )
    return tuple(sorted(set(given)))  # type: ignore[call-overload]


def _flag(where: str, keyword: str, given: object) -> bool:
    if isinstance(given, bool):
        return given
    raise ConfigError(f"{keyword}={given!r} is unknown", where=where, hint="True or False")


def _reads(where: str, given: object) -> tuple[str, ...]:
    good = not isinstance(given, str) and isinstance(given, Sequence)
    paths = [str(path) for path in given] if good else []  # type: ignore[attr-defined]
    if not good or not all(path.startswith("/") or path[1:3] in (":\\", ":/") for path in paths):
        raise ConfigError(
            f"reads={given!r} is no list of absolute paths", where=where, hint='such as reads=["/data/imagenet"]'
        )
    return tuple(sorted(set(paths)))
