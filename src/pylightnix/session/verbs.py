"""The public verbs: plan, instantiate, realize, realize_many. Each takes what was asked for and a store."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypedDict, TypeVar, Unpack, overload

from pylightnix.dsl.closure import pin
from pylightnix.dsl.derivation import Derivation
from pylightnix.dsl.stage import Stage
from pylightnix.engine.events import Listener, Silent
from pylightnix.engine.planning import plan_steps
from pylightnix.engine.realize import Realizer
from pylightnix.errors import ArgumentError, TargetError
from pylightnix.executors.making import making
from pylightnix.executors.watching import Unwatched
from pylightnix.model.build import Executor
from pylightnix.model.closure import Closure
from pylightnix.model.conditions import Call, Isolation
from pylightnix.model.plan import Step, Steps
from pylightnix.model.realization import Realization
from pylightnix.names import DerivationRef, RealizationRef
from pylightnix.session.executing import ExecutorLike, Jobs, call_for, executor_for
from pylightnix.session.facts import Facts
from pylightnix.session.location import StoreLike, as_store
from pylightnix.session.rooting import keep_under, see_root
from pylightnix.session.sending import Results, sending
from pylightnix.session.substituting import supply_for
from pylightnix.session.targets import Targets
from pylightnix.session.telling import PlainTelling
from pylightnix.store.store import Store

T = TypeVar("T")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)

Asked = Any


class Options(TypedDict, total=False):
    """The keywords of `realize`."""

    store: StoreLike
    rebuild: Iterable[object]
    jobs: Jobs
    executor: ExecutorLike
    limits: Mapping[str, float | str] | None
    isolation: Isolation | None
    strict: bool
    keep_going: bool
    listener: Listener | None
    quiet: bool
    root: str | None
    remotes: Iterable[object] | None
    push_to: object
    through: object


class Plan(Steps, Generic[T_co]):
    """What would happen to each derivation of a closure, and why. Print it; iterate over its steps; realize it.

    Attributes:
        steps: inputs before what uses them.
        store: the store that it was held against.
        work: whether there is anything to do.
    """

    def __init__(self, targets: Targets, closure: Closure, store: Store, steps: Sequence[Step]) -> None:
        super().__init__(steps)
        self.targets = targets
        self.closure = closure
        self.store = store

    def __repr__(self) -> str:
        return f"<plan: {self.summary()}>"


def _read(asked: Asked, store: StoreLike) -> tuple[Targets, Store]:
    if isinstance(asked, Plan):
        return asked.targets, as_store(store) if store is not None else asked.store
    return Targets(asked), as_store(store)


def _rebuilds(rebuild: Iterable[object], closure: Closure) -> list[DerivationRef]:
    """The derivations of which one more run is wanted."""
    if isinstance(rebuild, (Derivation, Stage, Realization, str)):
        rebuild = [rebuild]
    listed = list(rebuild)
    refs = [ref for text in listed if isinstance(text, str) for ref in _named(text, closure)]
    asked = Targets([item for item in listed if not isinstance(item, str)]).derivations
    refs += pin(asked).targets if asked else ()
    for ref in refs:
        if ref not in closure.by_ref:
            names = ", ".join(sorted({pinned.name for pinned in closure.order}))
            raise TargetError(
                f"{ref.name} {ref.short} is to be rebuilt and is not in the closure",
                where="rebuild",
                hint=f"give it with the arguments it has in the closure; there are: {names}",
            )
    return refs


def _named(text: str, closure: Closure) -> list[DerivationRef]:
    """The derivations of a closure of which this is the name of the stage, or the beginning of the reference."""
    found = [pinned.ref for pinned in closure.order if text and (pinned.name == text or pinned.ref.startswith(text))]
    if not found:
        names = ", ".join(sorted({pinned.name for pinned in closure.order}))
        raise TargetError(
            f"nothing in the closure is named {text!r}", where="rebuild", hint=f"there are: {names}", name=text
        )
    return found


@overload
def plan(
    asked: Derivation[R] | Stage[[], R], *, store: StoreLike = None, rebuild: Iterable[object] = (),
    remotes: Iterable[object] | None = None,
) -> Plan[Realization[R]]: ...  # fmt: skip
@overload
def plan(
    asked: Asked, *, store: StoreLike = None, rebuild: Iterable[object] = (), remotes: Iterable[object] | None = None
) -> Plan[Any]: ...
def plan(
    asked: Asked, *, store: StoreLike = None, rebuild: Iterable[object] = (), remotes: Iterable[object] | None = None
) -> Plan[Any]:
    """What `realize` would do, and why; reads only.

    Args:
        asked: a derivation or stage, or lists, tuples and dicts of them.
        store: a `Store` or the path of one; default: see `Store` location in the documentation.
        rebuild: as for `realize`.
        remotes: as for `realize`.

    Raises:
        PylightnixError: what was asked for cannot be planned.
    """
    targets, found = _read(asked, store)
    closure = pin(targets.derivations)
    rebuilds = _rebuilds(rebuild, closure)
    with supply_for(remotes, found, look=True) as supply:
        return Plan(targets, closure, found, plan_steps(closure, found.keeper, rebuilds, supply))


@overload
def instantiate(asked: Derivation[R] | Stage[[], R], *, store: StoreLike = None) -> Plan[Realization[R]]: ...
@overload
def instantiate(asked: Asked, *, store: StoreLike = None) -> Plan[Any]: ...
def instantiate(asked: Asked, *, store: StoreLike = None) -> Plan[Any]:
    """Write the derivations of a closure to the store and return the plan; no builder runs.

    Also where one was lost, or has other bytes by now: a realize writes only those of what it builds.

    Args:
        asked: a derivation or stage, or lists, tuples and dicts of them.
        store: a `Store` or the path of one.

    Raises:
        StoreError: the store cannot be written.
    """
    made = plan(asked, store=store, remotes=())
    for pinned in made.closure.order:
        made.store.keeper.renew_derivation(pinned.ref, pinned.document)
    made.store.keeper.settle()
    return made


@overload
def realize(asked: Derivation[R] | Stage[[], R], **options: Unpack[Options]) -> Realization[R]: ...
@overload
def realize(asked: Plan[T], **options: Unpack[Options]) -> T: ...
@overload
def realize(asked: Mapping[str, Derivation[R]], **options: Unpack[Options]) -> dict[str, Realization[R]]: ...
@overload
def realize(asked: list[Derivation[R]], **options: Unpack[Options]) -> list[Realization[R]]: ...
@overload
def realize(asked: Asked, **options: Unpack[Options]) -> Any: ...
def realize(  # noqa: PLR0913  (what people type at a prompt is completed from here)
    asked: Asked,
    *,
    store: StoreLike = None,
    rebuild: Iterable[object] = (),
    jobs: Jobs = 1,
    executor: ExecutorLike = None,
    limits: Mapping[str, float | str] | None = None,
    isolation: Isolation | None = None,
    strict: bool = False,
    keep_going: bool = False,
    listener: Listener | None = None,
    quiet: bool = False,
    root: str | None = None,
    remotes: Iterable[object] | None = None,
    push_to: object = None,
    through: object = None,
) -> Any:
    """Bring derivations into being: reuse what counts, build what is missing, and tell on standard error what was done.

    Args:
        asked: a derivation or stage, lists, tuples and dicts of them (which keep their shape), or a plan.
        store: a `Store` or the path of one; default: `$PYLIGHTNIX_STORE`, else a `.pylightnix` directory at or above
            the working directory, else the user data directory.
        rebuild: derivations of the closure that get one more run where their matcher is satisfied; a str is the name
            of a stage, or the beginning of a derivation's reference, and means all in the closure that it fits.
        jobs: how many builders run at a time; 1 runs them in this process, more in processes of their own; "auto": as
            many as there are processors.
        executor: "inline", "process", "slurm", "dask:ADDRESS", an `Executor`, or an engine that you have: any
            `concurrent.futures.Executor` whose workers see the store, or a Dask `Client`; default by `jobs`.
        limits: what runs may take together on this machine, such as {"gpus": 2, "memory": "16G"}; default: what it
            has, and `$PYLIGHTNIX_LIMITS`.
        isolation: "none", "process" or "sandbox" for all stages; default: what each says, else
            `$PYLIGHTNIX_ISOLATION`, else "none".
        strict: whether a builder fails that uses what its stage did not declare.
        keep_going: whether all that does not depend on a failure is finished before it is raised.
        listener: is told what happens, instead of standard error.
        quiet: tell nothing.
        root: a name that keeps alive what is returned, with all that it was made from; see `Store.root`.
        remotes: `Remote`s, or addresses of some, that are asked before anything is built; default: those in
            `$PYLIGHTNIX_REMOTES` and of the store. What is had from there must be signed by somebody you trust.
        push_to: a `Remote`, or the address of one: what is returned and what was made is pushed there, in the end.
        through: a `Remote`, or the address of one, for workers that do not see the store: what they are given and what
            they make goes through it.

    Returns:
        A `Realization` for each derivation asked for.

    Raises:
        BuildError: a builder failed; the message carries stage, parameters, seed, exception, log, the kept directory.
        TargetError: a matcher chooses many (see `realize_many`), or something asked for is no derivation.
        PylightnixError: all else that can go wrong.
    """
    targets, found = _read(asked, store)
    for position, derivation in enumerate(targets.derivations):
        if derivation.matcher.many:
            raise TargetError(
                f"{derivation.matcher!r} chooses many",
                where=f"{derivation.name} (target {position})",
                hint="use realize_many, or a matcher that chooses one",
                derivation=derivation.name,
            )
    given: Options = {
        "rebuild": rebuild, "jobs": jobs, "executor": executor, "limits": limits, "isolation": isolation,
        "strict": strict, "keep_going": keep_going, "listener": listener, "quiet": quiet, "root": root,
        "remotes": remotes, "push_to": push_to, "through": through,
    }  # fmt: skip
    results = _realize(targets, found, given)
    return targets.fill(lambda index: results[index][0])


def realize_many(asked: Asked, **options: Unpack[Options]) -> Any:
    """As `realize`, with a tuple of realizations for each derivation, whatever its matcher."""
    unknown = [name for name in options if name not in Options.__annotations__]
    if unknown:
        known = ", ".join(Options.__annotations__)
        raise ArgumentError(f"there is no keyword {unknown[0]!r}", where="realize_many", hint=f"there are: {known}")
    targets, found = _read(asked, options.get("store"))
    results = _realize(targets, found, options)
    return targets.fill(lambda index: results[index])


def _realize(targets: Targets, store: Store, given: Options) -> Results:
    root = given.get("root")
    see_root(root)
    call = call_for(given.get("isolation"), strict=given.get("strict", False))
    with sending(given.get("push_to"), store) as send:
        with (
            executor_for(given.get("executor"), given.get("jobs", 1), given.get("limits")) as engine,
            _apart(engine, given.get("through"), store) as runner,
        ):
            listener = _listener(given.get("listener"), quiet=given.get("quiet", False))
            results, made = _run(targets, store, given, runner, listener, call)
        keep_under(root, store, results)  # also where nothing can be sent
        send(results, made)
    return results


def _run(
    targets: Targets, store: Store, given: Options, executor: Executor, listener: Listener, call: Call
) -> tuple[Results, Iterable[RealizationRef]]:
    closure = pin(targets.derivations)
    rebuilds = _rebuilds(given.get("rebuild", ()), closure)
    keep_going = given.get("keep_going", False)
    in_hand = store.keeper.holding()
    try:
        with Unwatched(), Facts(store) as facts, supply_for(given.get("remotes"), store) as supply:
            # asked for by a builder, what we do is not its doing
            realizer = Realizer(
                closure, store.keeper, executor, listener, facts, rebuilds, making(), call, keep_going=keep_going,
                supply=supply,
            )  # fmt: skip
            realizer.run()
        hand = _Hand()
        weakref.finalize(hand, in_hand.release)
    except BaseException:
        in_hand.release()
        raise
    return [realizer.decider.realization(ref, hand) for ref in closure.targets], realizer.made


class _Hand:
    """Whoever has what a realize returned has this: until it is gone, nothing of that is collected."""


@contextmanager
def _apart(executor: Executor, through: Any, store: Store) -> Iterator[Executor]:
    """The executor, or one that gives its pool what the workers need through a remote."""
    if through is None:
        yield executor
        return
    from pylightnix.executors.futures import FuturesExecutor
    from pylightnix.remotes.remote import opened
    from pylightnix.session.apart import ApartExecutor

    if type(executor) is not FuturesExecutor:
        raise ArgumentError(
            f"the executor {executor.name!r} sees the store", where="realize: through",
            hint="through= is for a Dask cluster, or a pool of workers elsewhere, given with executor=",
        )  # fmt: skip
    with opened(through) as remote, ApartExecutor(executor, remote, store) as apart:
        yield apart


def _listener(listener: Listener | None, *, quiet: bool) -> Listener:
    return listener if listener is not None else Silent() if quiet else PlainTelling()
