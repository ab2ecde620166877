"""`gc` and `remove`: take from a store what nobody needs, or what somebody names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from click.core import ParameterSource

from pylightnix.cli.amounts import count
from pylightnix.cli.options import json_option, references_argument, store_option
from pylightnix.cli.output import out, out_exact, out_json, out_table, remark, table
from pylightnix.cli.values import brief
from pylightnix.errors import CollectionError, StoreError, UnknownReferenceError
from pylightnix.model.amounts import size
from pylightnix.model.closure import unslotted
from pylightnix.model.params import Params
from pylightnix.model.records import Record
from pylightnix.names import printable
from pylightnix.session.location import as_store
from pylightnix.store.collection.collecting import Collected, Needed
from pylightnix.store.collection.gate import Gate
from pylightnix.store.collection.holds import held_now
from pylightnix.store.collection.policy import Policy, Victim, Wanted
from pylightnix.store.collection.reach import reach
from pylightnix.store.collection.trash import Trash, Trashed
from pylightnix.store.store import Store

NO_SCOPE = 2
PARAMS_COLUMNS = 60

_scopes = [
    click.option("--unreachable", is_flag=True, help="All that no root reaches."),
    click.option("--older-than", metavar="AGE", help="What was neither made nor used for so long, such as 30d."),
    click.option("--keep-latest", type=click.IntRange(min=0), metavar="N", help="All but the N latest."),
    click.option(
        "--keep-best", type=(click.IntRange(min=0), str), metavar="N METRIC",
        help="All but the N best by a metric; min:METRIC: the least is the best.",
    ),
    click.option("--max-size", metavar="SIZE", help="Until what is left fits, least recently used first."),
    click.option("--forget", is_flag=True, help="The records too: value, runs, log."),
    click.option("--keep-small", metavar="SIZE", help="Keep promised files up to this size."),
    click.option("--trash", metavar="AGE", default="7d", show_default=True, help="How long it can be restored."),
    click.option("--now", is_flag=True, help="No trash: free the space at once, and all that is in the trash."),
    click.option("--failed", metavar="AGE", default="30d", show_default=True, help="How long failed runs are kept."),
]  # fmt: skip


def _with_scopes(command: Any) -> Any:
    for option in reversed(_scopes):
        command = option(command)
    return command


@click.command("gc")
@_with_scopes
@click.option("--dry-run", is_flag=True, help="Change nothing, only list what would be collected.")
@click.option("--restore", metavar="REF", help="Put back from the trash what was collected, and do nothing else.")
@click.option("--list-trash", is_flag=True, help="List what can be restored, and do nothing else.")
@store_option
@json_option
def gc_command(
    dry_run: bool, restore: str | None, list_trash: bool, store: str | None, as_json: bool, **given: Any
) -> int:
    """Collect what no root reaches, no process uses, and all scopes that are given agree to.

    Scopes: --unreachable, --older-than, --keep-latest, --keep-best (both of each derivation), --max-size. Without any
    nothing is collected or swept, what each would free is shown, and the exit code is 2.

    What is collected loses its artifacts and keeps its record, so it still counts, and is made again where it is
    chosen. It beside is swept what killed processes have left. AGE: 30d, 12h, 2w; SIZE: 50G, 500M, 1Gi.
    """
    where = as_store(store)
    if restore is not None or list_trash:
        _see_alone("restore" if restore is not None else "list_trash")
    if restore is not None:
        return _restore(where, restore, as_json=as_json)
    if list_trash:
        return _list_trash(where, as_json=as_json)
    wanted = _wanted(given)
    if not Policy.parse(wanted).has_scope:
        return _show_scopes(where, _in_vain(), as_json=as_json)
    collected = where.gc(dry_run=dry_run, **wanted)
    if as_json:
        out_json({"store": str(where.path), **_document(collected, where)})
        return 0
    for line in _lines(collected.victims, where):
        out(line)
    for line in _remarks(collected, wanted):
        remark(line)
    return 0


def _see_alone(name: str) -> None:
    """See that nothing else was given, which would be passed over.

    Raises:
        click.UsageError: something was.
    """
    context = click.get_current_context()
    for param in context.command.params:
        given = context.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
        if given and param.name not in (name, "store", "as_json"):
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} does nothing else, so it cannot be given with {param.opts[0]}.")


def _wanted(given: dict[str, Any]) -> Wanted:
    if given.pop("now"):
        given["trash"] = "0d"
    wanted: Wanted = {**given}  # type: ignore[typeddict-item]
    return wanted


def _lines(victims: Iterable[Victim], store: Store) -> list[str]:
    rows = [
        (
            victim.record.ref.short,
            victim.record.ref.name,
            size(victim.record.size) if victim.standing.present else "record",
            _params(victim, store),
            victim.why,
        )
        for victim in victims
    ]
    return table([("ref", "stage", "size", "parameters", "why"), *rows], right=(2,)) if rows else []


def _parameters(victim: Victim, store: Store) -> dict[str, Any] | None:
    """The parameters in which no input stands; None if they are not known any more."""
    try:
        derivation = victim.derivation or store.keeper.origin(victim.record).derivation
        given, _ = unslotted(store.keeper.derivation(derivation)["params"])
    except StoreError:
        return None
    return dict(Params.of_trees(given).shown_trees())


def _params(victim: Victim, store: Store) -> str:
    known = _parameters(victim, store)
    return "?" if known is None else brief(known, PARAMS_COLUMNS) if known else ""


def _remarks(collected: Collected, wanted: Wanted) -> list[str]:
    would = "would be " if collected.dry else ""
    told = [
        f"{count(len(collected.victims), 'realization')} of {size(collected.size)} {would}collected, "
        f"{size(collected.left)} left"
    ]
    if collected.victims and collected.trashed and not collected.dry:
        told.append(
            f"the trash keeps it for {wanted['trash']}; until then: pylightnix gc --restore REF; at once: --now"
        )
    if collected.in_use:
        told.append(f"{count(len(collected.in_use), 'realization')} more: some process uses it at this moment")
    if collected.refused:
        told.append(f"{count(len(collected.refused), 'realization')} more: they belong to somebody else")
    if collected.unkept:
        told.append(
            f"{count(len(collected.unkept), 'realization')} more: the disk is full, so --keep-small could keep nothing "
            "of them; --now frees space, and keeps it in its place"
        )
    emptied = len(collected.swept.trash)
    if emptied:
        told.append(f"{count(emptied, 'thing')} {would}removed from the trash for good")
    if collected.swept.things > emptied:
        swept = count(collected.swept.things - emptied, "thing")
        told.append(f"{swept} {would}swept that belonged to nobody any more")
    if collected.swept.refused:
        refused = count(len(collected.swept.refused), "thing")
        first = printable(collected.swept.refused[0])
        told.append(f"{refused} could not be swept, since somebody else made it (was it sudo?), such as {first}")
    if collected.roots:
        told.append(f"roots whose links or files have vanished: {', '.join(collected.roots)}")
    return told


def _document(collected: Collected, store: Store) -> dict[str, Any]:
    def victim(one: Victim) -> dict[str, Any]:
        record = one.record
        return {
            "ref": str(record.ref), "name": record.ref.name, "params": _parameters(one, store),
            "size": one.standing.size, "value": record.value, "why": one.why,
        }  # fmt: skip

    return {
        "dry_run": collected.dry,
        "collected": [victim(one) for one in collected.victims],
        "in_use": [victim(one) for one in collected.in_use],
        "refused": [victim(one) for one in collected.refused],
        "unkept": [victim(one) for one in collected.unkept],
        "size": collected.size,
        "left": collected.left,
        "swept": collected.swept._asdict(),
        "roots": list(collected.roots),
    }


def _in_vain() -> list[str]:
    """The options that were given and say how to collect, and not what."""
    context = click.get_current_context()
    names = ("forget", "keep_small", "trash", "now", "failed")
    given = [one for one in names if context.get_parameter_source(one) is ParameterSource.COMMANDLINE]
    return [f"--{name.replace('_', '-')}" for name in given]


def _show_scopes(store: Store, in_vain: Sequence[str], *, as_json: bool) -> int:
    """What each scope would free; `in_vain`: options that were given without one."""
    told: list[tuple[str, Collected]] = []
    scopes: Sequence[tuple[str, Wanted]] = (
        ("--unreachable", {"unreachable": True}),
        ("--older-than 30d", {"older_than": "30d"}),
        ("--keep-latest 1", {"keep_latest": 1}),
        *((f"--keep-best 1 {name}", Wanted(keep_best=(1, name))) for name in _metrics(store)),
    )
    for option, wanted in scopes:
        told.append((option, store.gc(dry_run=True, **wanted)))
    total = told[0][1].size + told[0][1].left
    told.append((f"--max-size {_half(total)}", store.gc(dry_run=True, max_size=_half(total))))
    if as_json:
        found = [{"scope": option, "count": len(one.victims), "size": one.size} for option, one in told]
        out_json({"store": str(store.path), "size": total, "scopes": found})
        return NO_SCOPE
    rows = [(option, f"{len(one.victims):,}", size(one.size)) for option, one in told]
    out_table(table([("scope", "realizations", "frees"), *rows], right=(1, 2)))
    remark(f"nothing was collected: give a scope, and --dry-run to see first; {size(total)} in {store.path}")
    if in_vain:
        how = f"{', '.join(in_vain)} did nothing: beside a scope it says how to collect and sweep"
        remark(f"{how}; --max-size 1P with it takes nothing, and sweeps")
    return NO_SCOPE


def _half(total: int) -> str:
    return f"{total // 2}"


def _metrics(store: Store) -> list[str]:
    """Keys of values that are numbers in the most realizations, three at most."""
    times: dict[str, int] = {}
    for record in store.keeper.records():
        for name, value in record.value.items() if isinstance(record.value, dict) else ():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                times[name] = times.get(name, 0) + 1
    return sorted(times, key=lambda name: (-times[name], name))[:3]


def _restore(store: Store, ref: str, *, as_json: bool) -> int:
    realization = store.restore(ref)
    if as_json:
        out_json({"ref": str(realization.ref), "path": str(realization.path)})
    else:
        out_exact(str(realization.ref), str(realization.path))
    return 0


def _list_trash(store: Store, *, as_json: bool) -> int:
    found = [(one, _moment(one.due), _size(one, store)) for one in Trash(store.keeper.layout).all()]
    if as_json:
        out_json({
            "trash": [{"ref": str(one.ref), "what": one.what, "until": due, "size": big} for one, due, big in found]
        })  # fmt: skip
        return 0
    rows = [
        (one.ref.short, one.ref.name, one.what, "" if big is None else size(big), due.replace("T", " "))
        for one, due, big in found
    ]
    out_table(table([("ref", "stage", "what", "size", "until"), *rows], right=(3,)) if rows else ())
    if not rows:
        remark("the trash is empty")
    return 0


def _moment(due: str) -> str:
    """A moment as the trash writes it, in ISO 8601; as it is if there is none such."""
    try:
        return datetime.strptime(due, "%Y%m%dT%H%M%S").replace(tzinfo=UTC).isoformat()
    except ValueError:
        return due


def _size(one: Trashed, store: Store) -> int | None:
    """Bytes of artifacts in the trash; None if their record is not in the store any more, and for records."""
    if one.what != "artifacts":
        return None
    try:
        return store.record(one.ref).size
    except (StoreError, UnknownReferenceError):
        return None


@click.command("remove")
@references_argument
@click.option("--force", is_flag=True, help="Also what a root keeps alive.")
@click.option("--trash", metavar="AGE", default="7d", show_default=True, help="How long it can be restored.")
@click.option("--now", is_flag=True, help="No trash: free the space at once.")
@store_option
@json_option
def remove_command(
    references: tuple[str, ...], force: bool, trash: str, now: bool, store: str | None, as_json: bool
) -> None:
    """Remove realizations, artifacts and record, as if they had never been made.

    If one of them is refused, none is removed. Run indices, and so seeds, are not used again.
    `pylightnix gc --restore REF` brings them back.
    """
    where = as_store(store)
    if not references:
        raise click.UsageError("Missing argument 'REF…'.")
    records = list({record.ref: record for record in map(where.record, references)}.values())
    if len(records) > 1:
        records.sort(key=_is_refused(where, force=force), reverse=True)  # so nothing is gone if one is refused
    for record in records:
        where.remove(record.ref, force=force, trash="0d" if now else trash)
        remark(f"removed {printable(record.ref)}")
    if force:
        _see_roots(where)
    if as_json:
        out_json({"removed": [str(record.ref) for record in records]})


def _is_refused(store: Store, *, force: bool) -> Callable[[Record], bool]:
    """Tells whether a realization would not be removed at this moment, since it is needed.

    Raises:
        CollectionError: that is in doubt.
    """
    layout = store.keeper.layout
    gate = Gate(layout.locks)
    needed = None if force else Needed(store.keeper, gate)
    with gate.closed():
        held = held_now(layout).refs
    return lambda record: record.ref in held or (needed is not None and needed.reaches(record.ref))


def _see_roots(store: Store) -> None:
    """Say so if roots cannot be followed: what they need may have been removed just now."""
    try:
        reach(store.keeper, [root for root in store.roots() if root.stands])
    except CollectionError as error:
        remark(f"from now on no collection is made:\n{error}", "yellow")
