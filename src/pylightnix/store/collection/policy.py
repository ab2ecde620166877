"""Which realizations a collection takes: those that nobody needs and that fit every scope that was given. Pure.

Scopes narrow: each that is given must agree. Without any nothing is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, Self, TypedDict

from pylightnix.errors import ArgumentError
from pylightnix.model.amounts import DAY, Size, parse_seconds, parse_size, span
from pylightnix.model.records import Record
from pylightnix.names import DerivationRef

LONGEST = 1000 * 365.0
"""Days of the longest duration: years of four digits stay such, which names in the trash need."""

Duration = str | timedelta


class Wanted(TypedDict, total=False):
    """The keywords of `Store.gc`.

    Attributes:
        unreachable: all that no root reaches.
        older_than: what was neither made nor used for so long.
        keep_latest: all but the latest so many of each derivation.
        keep_best: all but the best so many of each derivation by a metric, such as (1, "accuracy") or (3, "min:loss").
        max_size: so much that what is left has this size, least recently used first.
        forget: take the records too.
        keep_small: keep promised files of at most this size with the record.
        trash: how long to keep what is taken in the trash; "0d" removes it at once, and all that is in the trash.
        failed: how long failed runs, and checkpoints that nobody took, are kept.
    """

    unreachable: bool
    older_than: Duration | None
    keep_latest: int | None
    keep_best: tuple[int, str] | None
    max_size: Size | None
    forget: bool
    keep_small: Size | None
    trash: Duration
    failed: Duration


@dataclass(frozen=True)
class Policy:
    """What `Wanted` says, parsed: durations in days, sizes in bytes."""

    unreachable: bool = False
    older_than: float | None = None
    keep_latest: int | None = None
    keep_best: tuple[int, str] | None = None
    max_size: int | None = None
    forget: bool = False
    keep_small: int | None = None
    trash: float = 7.0
    failed: float = 30.0

    @classmethod
    def parse(cls, wanted: Wanted) -> Self:
        """The policy.

        Raises:
            ArgumentError: something is no duration, size or number.
        """
        given: dict[str, Any] = dict(wanted)
        for name in ("older_than", "trash", "failed"):
            if name in given and (given[name] is not None or name != "older_than"):
                given[name] = parse_days(given[name], name)
        for name in ("max_size", "keep_small"):
            if given.get(name) is not None:
                given[name] = parse_size(given[name], name)
        latest, best = given.get("keep_latest"), given.get("keep_best")
        if latest is not None and not _is_number(latest):
            raise ArgumentError(f"keep_latest={latest!r} is no number of realizations to keep", where="gc")
        if best is not None:
            given["keep_best"] = _parse_best(best)
        try:
            return cls(**given)
        except TypeError as error:
            raise ArgumentError(str(error).partition("() ")[2], where="gc") from None

    @property
    def has_scope(self) -> bool:
        """Whether it takes anything at all."""
        return self.unreachable or self.asks_when

    @property
    def asks_when(self) -> bool:
        """Whether it matters when things were made and used."""
        scopes = (self.older_than, self.keep_latest, self.keep_best, self.max_size)
        return any(scope is not None for scope in scopes)


def _is_number(given: object) -> bool:
    return type(given) is int and given >= 0


def _parse_best(given: object) -> tuple[int, str]:
    if isinstance(given, (tuple, list)) and len(given) == 2:
        number, metric = given
        if _is_number(number) and isinstance(metric, str) and metric:
            return number, metric
    raise ArgumentError(
        f"keep_best={given!r} is no number of realizations to keep, and a metric", where="gc",
        hint='such as (1, "accuracy") or (3, "min:loss")',
    )  # fmt: skip


def parse_days(text: Duration, where: str = "") -> float:
    """A duration in days: `30d`, `12h`, `2w`, or a timedelta; from 0 to 1000 years."""
    seconds = text.total_seconds() if isinstance(text, timedelta) else parse_seconds(text, where)
    if not 0 <= seconds / DAY <= LONGEST:
        raise ArgumentError(f"{text!s} is no duration from 0 to 1000 years", where=where, hint="such as 30d, 12h, 2w")
    return seconds / DAY


class Standing(NamedTuple):
    """A realization, as far as a policy looks at it.

    Attributes:
        record: what it is.
        present: whether its artifacts are there.
        moment: when it was last made or used, in seconds since 1970; infinite if that is not known, or not asked.
        made: when its latest run began, not counting that it was made again: UTC, ISO 8601; empty if not known.
        derivations: those that it realizes; empty if that is not known.
        last: the index of that run; -1 if not known, or not asked.
    """

    record: Record
    present: bool
    moment: float
    made: str
    derivations: frozenset[DerivationRef]
    last: int = -1

    @property
    def size(self) -> int:
        """Bytes that its artifacts take."""
        return self.record.size if self.present else 0


class Victim(NamedTuple):
    """A realization that is to be collected, and why.

    Attributes:
        standing: what it is, and how it stands.
        why: in words.
        derivation: what it was first made for, where its record went too and cannot say so any more.
    """

    standing: Standing
    why: str
    derivation: DerivationRef | None = None

    @property
    def record(self) -> Record:
        """What it is."""
        return self.standing.record


Measure = Callable[[Record, str], float | None]


def choose(
    policy: Policy,
    standings: Sequence[Standing],
    alive: Callable[[str], bool],
    now: float,
    measure: Measure,
    held: Callable[[str], bool] = lambda _: False,
) -> list[Victim]:
    """What is to be collected, the least recently used first, else by reference.

    Args:
        policy: which scopes there are.
        standings: everything in the store.
        alive: whether a realization, by its reference, is needed.
        now: seconds since 1970.
        measure: gives the metric of a realization, None if it has none.
        held: whether one, by its reference, cannot be taken since it is in use: it is chosen all the same, and
            `max_size` goes on until the rest of what is chosen suffices.

    Raises:
        ArgumentError: no realization has the metric that the best are told by.
    """
    if not policy.has_scope:
        return []
    spared = _spared(policy, standings, measure)
    found = []
    for one in standings:
        ref = one.record.ref
        if alive(ref) or ref in spared or not (one.present or policy.forget):
            continue
        age = (now - one.moment) / DAY
        if policy.older_than is None or age > policy.older_than:
            found.append(Victim(one, _why(policy, age)))
    found.sort(key=lambda victim: (victim.standing.moment, victim.record.ref))
    return found if policy.max_size is None else _beyond(policy.max_size, found, standings, held)


def _why(policy: Policy, age: float) -> str:
    told = ["no root reaches it"]
    if policy.older_than is not None:
        told.append(f"not used for {span(age * DAY)}")
    if policy.keep_latest is not None:
        told.append(f"not of the latest {policy.keep_latest}")
    if policy.keep_best is not None:
        told.append(f"not of the best {policy.keep_best[0]} by {policy.keep_best[1]}")
    if policy.max_size is not None:
        told.append("used before all that is left")
    return ", ".join(told)


def _beyond(
    limit: int, found: list[Victim], standings: Sequence[Standing], held: Callable[[str], bool]
) -> list[Victim]:
    """So many of these, from the first on, that the rest fits, with those that cannot be taken."""
    size = sum(one.size for one in standings)
    for count, victim in enumerate(found):
        if size <= limit:
            return found[:count]
        size -= 0 if held(victim.record.ref) else victim.standing.size
    return found


def _spared(policy: Policy, standings: Sequence[Standing], measure: Measure) -> frozenset[str]:
    """Those of each derivation that are to be kept; one of which that is not known is kept, too."""
    if policy.keep_latest is None and policy.keep_best is None:
        return frozenset()
    spared: set[str] = {one.record.ref for one in standings if not one.derivations}
    groups = _by_derivation(standings)
    if policy.keep_latest is not None:
        for group in groups.values():
            spared.update(one.record.ref for one in _latest_first(group)[: policy.keep_latest])
    if policy.keep_best is not None:
        spared |= _best(*policy.keep_best, groups, standings, measure)
    return frozenset(spared)


def _latest_first(group: Iterable[Standing]) -> list[Standing]:
    """By age; under one key the indices of the runs tell it, also where the clock was set back between two."""
    ages: dict[str, tuple[str, int]] = {}
    reached: dict[str, str] = {}
    for one in sorted(group, key=lambda one: (one.last, one.made, one.record.ref)):
        home = one.record.home
        reached[home] = max(one.made, reached.get(home, ""))
        ages[one.record.ref] = (reached[home], one.last)
    by_ref = sorted(group, key=lambda one: one.record.ref)
    return sorted(by_ref, key=lambda one: ages[one.record.ref], reverse=True)


def _by_derivation(standings: Iterable[Standing]) -> Mapping[DerivationRef, list[Standing]]:
    """What is there, by what it realizes."""
    groups: dict[DerivationRef, list[Standing]] = {}
    for one in standings:
        for ref in one.derivations if one.present else ():
            groups.setdefault(ref, []).append(one)
    return groups


def _best(
    number: int,
    wanted: str,
    groups: Mapping[DerivationRef, list[Standing]],
    standings: Sequence[Standing],
    measure: Measure,
) -> set[str]:
    """The best of each derivation, and all of those in which nothing can be told to be the best."""
    least, colon, name = wanted.partition(":")
    sign = 1 if colon and least == "min" else -1
    name = name if colon and least in ("min", "max") else wanted
    ranked = {ref: _ranked(group, name, sign, measure) for ref, group in groups.items()}
    if not any(ranked.values()) and standings and all(measure(one.record, name) is None for one in standings):
        raise _nobody_has(name, standings)
    found = {one.record.ref for ordered in ranked.values() for one in ordered[:number]}
    unranked = {ref for ref, ordered in ranked.items() if not ordered}
    return found.union(one.record.ref for one in standings if not unranked.isdisjoint(one.derivations))


def _ranked(group: Iterable[Standing], name: str, sign: int, measure: Measure) -> list[Standing]:
    """Those that have the metric, the best first; of equal ones the one made first."""
    measured = [(number, one) for one in group if (number := measure(one.record, name)) is not None]
    sound = [(number, one) for number, one in measured if not (isinstance(number, float) and math.isnan(number))]
    return [one for _, one in sorted(sound, key=lambda pair: (sign * pair[0], pair[1].made, pair[1].record.ref))]


def _nobody_has(name: str, standings: Iterable[Standing]) -> ArgumentError:
    keys, promises = set[str](), set[str]()
    for one in standings:
        keys.update(one.record.value if isinstance(one.record.value, dict) else ())
        promises.update(one.record.promises)
    return ArgumentError(
        f"no realization has the metric {name!r}", where="keep_best",
        hint=f"keys of values: {_listed(keys)}; promises: {_listed(promises)}", metric=name,
    )  # fmt: skip


def _listed(names: Iterable[str], most: int = 20) -> str:
    shown = sorted(names)
    return f"{', '.join(shown[:most])}{', …' if len(shown) > most else ''}" or "none"
