"""What must hold of every store, whatever happened to it; and what a store says, so that two can be compared.

Unaware of faults.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from faults.neighbours import OTHER, half_made, said, unfinished
from pylightnix import PylightnixError, Realization, Store
from pylightnix.hashing import DIGITS
from pylightnix.model.records import Record
from pylightnix.store.files import DamageWarning
from pylightnix.store.verification.verifying import verify

State = dict[str, Any]


STAYING = ("key.lock", "collect.lock", "roots.lock")
"""Files of locks that stay when nobody holds them."""


_SUBJECT = re.compile(rf"(?:{OTHER}/)?(?:store/|records/[^/]+/)?([0-9a-f]{{{DIGITS}}})")


_OF_A_PLACE = re.compile(r"^(link|lock)-.*")
"""The name of a root that tells where the store stands, which differs from one disturbance to the next."""


class Problem(NamedTuple):
    """Something that is wrong with a store: where, and what."""

    where: str
    what: str

    @property
    def subject(self) -> str:
        """The digits of the realization that it is about; else where it is."""
        form = _SUBJECT.match(self.where)
        return form[1] if form is not None else self.where


def told(found: Iterable[Problem]) -> str:
    """Problems in a line."""
    return "; ".join(sorted(f"{where}: {what}" for where, what in found))


def problems(path: Path, thin: Sequence[str] = ()) -> set[Problem]:
    """All that is wrong with a store, and what stands beside it: what verify finds, what is half-made, every warning.

    Args:
        path: of the store.
        thin: stages of which the artifacts may be collected.
    """
    other = _in_store(path.parent / OTHER, thin)
    return {
        *_in_store(path, thin),
        *(problem._replace(where=f"{OTHER}/{problem.where}") for problem in other),
        *(Problem(where, what) for where, what in half_made(path.parent)),
    }


def _in_store(path: Path, thin: Sequence[str]) -> set[Problem]:
    if not os.path.lexists(path):
        return set()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            store = Store(path)
            found = [Problem(finding.file, finding.what) for finding in verify(store.keeper, workers=1).findings]
            for record in store.keeper.records():
                found += [Problem(record.ref, what) for what in _lacks(store, record)]
                if not store.keeper.present(record) and record.ref.name not in thin:
                    found.append(Problem(record.ref, "its artifacts are not there"))
        except (PylightnixError, OSError) as error:
            found = [Problem("the store", f"{type(error).__name__}: {error}")]
    for warning in heard:
        where, _, what = str(warning.message).removeprefix(f"{path}/").partition(": ")
        found.append(Problem(where, what))
    return set(found)


def _lacks(store: Store, record: Record) -> Iterator[str]:
    """What the record of a visible realization lacks; its artifacts are verify's business."""
    keeper = store.keeper
    runs = keeper.runs(record)
    if not runs:
        yield "it has no run"
    elif keeper.origin(record).hash != record.made_in:
        yield "it has no origin"
    for run in runs:
        if run.log is not None and not os.path.lexists(f"{keeper.place(record)}/{run.log}"):
            yield f"the log of run {run.index} is not there"
        if run.index and not os.path.lexists(f"{keeper.layout.records}/{record.home}/{run.index}.run"):
            yield f"run {run.index} was never reserved"
        keeper.derivation(run.context.derivation)
    keeper.files(record)


def state(path: Path, *, differs: bool = False) -> State:
    """What a store and its neighbours say, as far as it does not depend on when and how often they were interrupted.

    Args:
        path: of the store.
        differs: whether results differ with the index of their run, so that only their number can be compared.
    """
    other = _of_store(path.parent / OTHER, differs=differs)
    beside = [f"{OTHER}: {part}: {one}" for part, found in other.items() for one in found]
    return {**_of_store(path, differs=differs), "beside": beside + said(path.parent)}


def _of_store(path: Path, *, differs: bool) -> State:
    if not os.path.lexists(path):
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        store = Store(path)
        said = [_said(store, record) for record in store.keeper.records()]
    return {
        "derivations": [str(ref) for ref in store.derivations()],
        "environments": sorted(_names(f"{path}/environments")),
        "roots": sorted({_OF_A_PLACE.sub(r"\1", name) for name in _names(f"{path}/roots")}),
        "realizations": sorted(one["name"] for one in said) if differs else [one["is"] for one in said],
        "contexts": [] if differs else [one["contexts"] for one in said],
        "runs": sorted((one["name"] if differs else one["ref"], one["runs"]) for one in said),
    }


def _said(store: Store, record: Record) -> State:
    keeper = store.keeper
    payload = keeper.payload(record)
    artifacts = [_artifact(payload, inner) for inner in sorted([payload, *payload.rglob("*")])]
    said = [record.ref, record.home, record.value, record.made_in, artifacts]
    contexts = sorted(context.hash for context in keeper.contexts(record))
    return {
        "ref": record.ref, "name": record.ref.name, "runs": len(keeper.runs(record)), "is": said,
        "contexts": [record.ref, contexts],
    }  # fmt: skip


def _artifact(top: Path, path: Path) -> list[str]:
    if not os.path.lexists(path):
        return []
    content = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else ""
    return [str(path.relative_to(top)), oct(path.lstat().st_mode), content]


def debris(path: Path) -> list[str]:
    """What nobody needs and nobody sees: in `tmp/`, but for checkpoints given up; slots; artifacts without a record.

    And what was being written beside documents; all this of what stands beside the store, too.
    """
    other = [f"{OTHER}/{name}" for name in _debris(path.parent / OTHER)]
    return _debris(path) + other + unfinished(path.parent)


def _debris(path: Path) -> list[str]:
    found = [f"tmp/{name}" for name in _names(f"{path}/tmp") if name != "checkpoints"]
    found += [f"tmp/checkpoints/{name}" for name in _names(f"{path}/tmp/checkpoints") if "-left-" not in name]
    for shard in _names(f"{path}/locks"):
        below = _names(f"{path}/locks/{shard}") if os.path.isdir(f"{path}/locks/{shard}") else [shard]
        found += [f"locks/{shard}/{name}" for name in below if name not in STAYING]
    known = {f"{place.name}-{place.parent.name[DIGITS + 1 :]}" for place in path.glob("records/*/*") if place.is_dir()}
    found += [str(hidden.relative_to(path)) for hidden in path.glob("cache/**/.*")]
    return found + [f"store/{name}" for name in _names(f"{path}/store") if name not in known]


def gone(realization: Realization[Any], *, alone: bool = False) -> list[str]:
    """Of a realization, and all that it was made from: the references of those that have no artifacts any more.

    Args:
        realization: of which.
        alone: whether to look at nothing that it was made from.
    """
    found = [] if realization.path.exists() else [str(realization.ref)]
    for one in () if alone else realization.deps.values():
        found += gone(one)
    return found


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
