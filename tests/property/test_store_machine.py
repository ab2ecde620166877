"""Whatever is done to two stores, they keep what a plain model keeps; verify names damage, and repair mends it."""

from __future__ import annotations

import gc
import os
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pylightnix import Build, Dep, Realization, match, promise, realize, stage
from pylightnix.errors import CollectionError
from pylightnix.store.collection import collecting
from pylightnix.store.collection.collecting import Collector
from pylightnix.store.collection.reach import Reached
from pylightnix.store.files import DamageWarning
from pylightnix.store.reading import Reader
from pylightnix.store.removal import remove_tree
from pylightnix.store.store import Store
from pylightnix.store.verification import checking
from pylightnix.store.writing import Writer

PROFILE = settings(
    settings.get_profile(f"property-{os.environ.get('PYLIGHTNIX_PROPERTY', 'ci')}"), max_examples=30,
    stateful_step_count=18,
)  # fmt: skip

LONG = os.environ.get("PYLIGHTNIX_PROPERTY") == "long"
RARE = ("an index twice", "half a removal", "roots without what they were made from")
"""What is wrong there shows by chance after ten seconds and more: that is tried in a long search alone."""

WHICH = st.integers(0, 1)
NAMES = st.sampled_from(["one", "two"])


@stage(code="ignore", matcher=match.latest())
def number(build: Build, n: int, out: Path = promise("out.txt")) -> int:
    """One of two results, by its seed."""
    out.write_text(f"{n} {build.seed % 2}")
    return build.seed % 2


@stage(code="ignore", matcher=match.latest())
def twice(build: Build, source: Dep, out: Path = promise("out.txt")) -> int:
    """One of two results, for each of what it is made from."""
    out.write_text(f"{source.out.read_text()} {build.seed % 2}")
    return build.seed % 2


@dataclass
class Kept:
    """What the model knows of a realization."""

    key: str
    text: str
    source: str | None
    runs: set[int]
    present: bool = True
    damaged: str = ""


@dataclass
class Model:
    """A store as plain dictionaries.

    Attributes:
        kept: realizations, by reference.
        used: run indices, by what a builder can see.
        roots: what each name keeps: references, several times where stores were merged.
        trash: artifacts, and records, that can be had back, by reference.
    """

    kept: dict[str, Kept] = field(default_factory=dict)
    used: dict[str, set[int]] = field(default_factory=dict)
    roots: dict[str, set[frozenset[str]]] = field(default_factory=dict)
    artifacts: set[str] = field(default_factory=set)
    records: dict[str, Kept] = field(default_factory=dict)

    def see(self, found: Realization[Any], text: str, *, again: bool) -> None:
        """A realize gave this; it made a run of it if that was asked for, or if nothing was known under its key."""
        source = found.deps.source.ref if found.name == "twice" else None
        key = f"twice {source}" if source else f"number {found.params.n}"
        known = {ref for ref, kept in self.kept.items() if kept.key == key}
        assert again or not known or found.ref in known, "realize shows what is not there"
        kept = self.kept.setdefault(found.ref, Kept(key, text, source, set()))
        if again or not known:
            run = max(found.runs, key=lambda run: run.index).index
            assert run not in self.used.get(key, set()), "an index was used twice"
            self.used.setdefault(key, set()).add(run)
            kept.runs.add(run)
        if not kept.present:
            kept.present, kept.damaged = True, ""

    def closure(self, ref: str) -> frozenset[str]:
        source = self.kept[ref].source
        return frozenset([ref, source]) if source else frozenset([ref])

    def needed(self) -> set[str]:
        """What roots reach."""
        return {ref for several in self.roots.values() for refs in several for ref in refs}

    def merge(self, other: Model) -> None:
        """Another one is copied over this one."""
        for ref, kept in other.kept.items():
            mine = self.kept.setdefault(ref, Kept(kept.key, kept.text, kept.source, set(), present=False))
            mine.runs |= kept.runs
            mine.present |= kept.present
        for key, used in other.used.items():
            self.used.setdefault(key, set()).update(used)
        for name, several in other.roots.items():
            self.roots.setdefault(name, set()).update(several)
        self.artifacts |= other.artifacts
        self.records.update(other.records)

    @property
    def damaged(self) -> set[str]:
        """References of what was damaged."""
        return {ref for ref, kept in self.kept.items() if kept.damaged}


class Stores(RuleBasedStateMachine):
    """Two stores and their models."""

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        self.models = [Model(), Model()]

    def teardown(self) -> None:
        remove_tree(self.top)

    def store(self, which: int) -> Store:
        """A new object each time: nothing is known but what is in the files."""
        return Store(self.top / str(which), durability="none")

    def pick(self, which: int, index: int) -> str | None:
        """One of the realizations of a store."""
        there = list(self.models[which].kept)
        return there[index % len(there)] if there else None

    @rule(which=WHICH, n=st.integers(0, 1), further=st.booleans(), again=st.booleans())
    def realize(self, which: int, n: int, further: bool, again: bool) -> None:
        model = self.models[which]
        wanted: Any = twice(number(n)) if further else number(n)
        found = realize(wanted, store=self.store(which), rebuild=[wanted] if again else (), quiet=True)
        if further:
            source = found.deps.source
            model.see(source, f"{n} {source.value}", again=False)
            model.see(found, f"{n} {source.value} {found.value}", again=again)
        else:
            model.see(found, f"{n} {found.value}", again=again)

    @rule(which=WHICH, index=st.integers(0, 9), force=st.booleans())
    def remove(self, which: int, index: int, force: bool) -> None:
        model = self.models[which]
        ref = self.pick(which, index)
        if ref is None or (force and ref in model.needed()):
            return
        if ref in model.needed():
            with pytest.raises(CollectionError):
                self.store(which).remove(ref)
            return
        self.store(which).remove(ref, force=force)
        del model.kept[ref]

    @rule(which=WHICH, index=st.integers(0, 9), name=NAMES)
    def root(self, which: int, index: int, name: str) -> None:
        model, store = self.models[which], self.store(which)
        ref = self.pick(which, index)
        if ref is None:
            return
        if not model.kept[ref].present:
            with pytest.raises(CollectionError):
                store.root(name, store.realization(ref))
            return
        if model.closure(ref) <= model.kept.keys():
            store.root(name, store.realization(ref))
            model.roots[name] = {model.closure(ref)}

    @rule(which=WHICH, name=NAMES)
    def unroot(self, which: int, name: str) -> None:
        if self.models[which].roots.pop(name, None) is not None:
            self.store(which).unroot(name)

    @precondition(lambda self: not any(model.damaged for model in self.models))
    @rule(which=WHICH, forget=st.booleans(), trash=st.booleans(), dry=st.booleans())
    def collect(self, which: int, forget: bool, trash: bool, dry: bool) -> None:
        model = self.models[which]
        gc.collect()  # what nobody has in hand any more
        wanted = {ref for ref, kept in model.kept.items() if kept.present or forget} - model.needed()
        done = self.store(which).gc(unreachable=True, forget=forget, trash="1d" if trash else "0d", dry_run=dry)
        assert {victim.record.ref for victim in done.victims} == wanted
        if dry:
            return
        if not trash:
            model.artifacts.clear()
            model.records.clear()
        for ref in wanted:
            if trash and model.kept[ref].present:
                model.artifacts.add(ref)
            model.kept[ref].present = False
            if forget:
                kept = model.kept.pop(ref)
                if trash:
                    model.records[ref] = kept

    @rule(which=WHICH, index=st.integers(0, 9))
    def restore(self, which: int, index: int) -> None:
        model = self.models[which]
        there = sorted(ref for ref in model.artifacts if ref in model.kept or ref in model.records)
        there = [ref for ref in there if ref not in model.kept or not model.kept[ref].present]
        if not there:
            return
        ref = there[index % len(there)]
        self.store(which).restore(ref)
        if ref not in model.kept:
            model.kept[ref] = model.records.pop(ref)
        model.kept[ref].present = True
        model.artifacts.discard(ref)

    @rule(which=WHICH, index=st.integers(0, 9), how=st.sampled_from(["change", "add", "mode"]))
    def damage(self, which: int, index: int, how: str) -> None:
        ref = self.pick(which, index)
        if ref is None or not self.models[which].kept[ref].present:
            return
        kept = self.models[which].kept[ref]
        kept.damaged = how if kept.damaged in ("", "mode") else kept.damaged
        folder = self.top / str(which) / "store" / ref
        folder.chmod(0o755)
        (folder / "out.txt").chmod(0o644)
        if how == "change":
            (folder / "out.txt").write_text("x")
        elif how == "add":
            (folder / "more.txt").write_text("x")

    @precondition(lambda self: any(model.damaged for model in self.models))
    @rule(which=WHICH)
    def repair(self, which: int) -> None:
        report = self.store(which).verify(repair=True)
        assert report.left == ()
        for kept in self.models[which].kept.values():
            kept.present &= kept.damaged in ("", "mode")
            kept.damaged = ""

    @precondition(lambda self: not any(model.damaged for model in self.models))
    @rule(into=WHICH)
    def merge(self, into: int) -> None:
        source, target = self.top / str(1 - into), self.top / str(into)
        if source.exists():
            target.mkdir(exist_ok=True)
            subprocess.run(["cp", "-a", f"{source}/.", target], capture_output=True, check=False)
            self.models[into].merge(self.models[1 - into])

    @invariant()
    def keeps_what_the_model_keeps(self) -> None:
        for which, model in enumerate(self.models):
            store = self.store(which)
            found = {one.ref: {run.index for run in one.runs} for one in store.realizations()}
            assert found == {ref: kept.runs for ref, kept in model.kept.items()}
            for one in store.realizations():
                kept = model.kept[one.ref]
                assert one.path.exists() == kept.present
                if kept.present and not kept.damaged:
                    assert one.out.read_text() == kept.text
            assert {root.name for root in store.roots()} == model.roots.keys()

    @invariant()
    def names_what_is_damaged(self) -> None:
        for which, model in enumerate(self.models):
            report = self.store(which).verify()
            assert {finding.ref for finding in report.findings} == model.damaged
            assert report.leftovers == ()


def run(how: settings = PROFILE) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DamageWarning)
        run_state_machine_as_test(Stores, settings=how)


def test_stores_keep_what_the_model_keeps() -> None:
    run()


def index_of_the_present_runs(self: Writer, home: Any, *, first: bool = False) -> int:
    """Wrong: the index of a removed run is given again."""
    used = [run.index for record in self.records(home.name) if record.home == home for run in Reader.runs(self, record)]
    index = max(used, default=-1) + 1
    (Path(self.layout.records) / home).mkdir(parents=True, exist_ok=True)
    (Path(self.layout.records) / home / f"{index}.run").touch()
    return index


def remove_only_artifacts(self: Collector, record: Any, *, force: bool = False) -> None:
    """Wrong: the record stays."""
    remove_tree(self._reader.payload(record))


def see_no_artifacts(self: Any, record: Any) -> Iterator[Any]:
    """Wrong: verify does not look at artifacts."""
    return iter(())


def reach_no_inputs(reader: Any, roots: Any) -> Reached:
    """Wrong: a root keeps what it names, and not what that was made from."""
    named = {ref: root for root in roots for ref in root.refs}
    return Reached(dict.fromkeys(named), {root.name: set(root.refs) for root in named.values()})  # type: ignore[arg-type]


class Wrong(NamedTuple):
    """A store that does one thing wrong, and what shows it."""

    place: Any
    name: str
    wrong: Any
    shown_by: Callable[[Stores], Iterator[object]]

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(self.place, self.name, self.wrong)


def made_removed_made(stores: Stores) -> Iterator[object]:
    yield stores.realize(which=0, n=0, further=False, again=False)
    yield stores.remove(which=0, index=0, force=False)
    yield stores.realize(which=0, n=0, further=False, again=False)


def made_and_damaged(stores: Stores) -> Iterator[object]:
    yield stores.realize(which=0, n=0, further=False, again=False)
    yield stores.damage(which=0, index=0, how="change")


def rooted_and_collected(stores: Stores) -> Iterator[object]:
    yield stores.realize(which=0, n=0, further=True, again=False)
    yield stores.root(which=0, index=1, name="one")
    yield stores.collect(which=0, forget=False, trash=False, dry=False)


WRONG = {
    "an index twice": Wrong(Writer, "reserve", index_of_the_present_runs, made_removed_made),
    "half a removal": Wrong(Collector, "remove", remove_only_artifacts, made_removed_made),
    "a blind verify": Wrong(checking._Check, "_artifacts", see_no_artifacts, made_and_damaged),
    "roots without what they were made from": Wrong(collecting, "reach", reach_no_inputs, rooted_and_collected),
}


def try_out(shown_by: Callable[[Stores], Iterator[object]]) -> None:
    """Do these steps, and hold the stores against their models after each."""
    stores = Stores()
    try:
        for _ in shown_by(stores):
            stores.keeps_what_the_model_keeps()
            stores.names_what_is_damaged()
    finally:
        stores.teardown()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_store_is_caught(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    system = WRONG[name]
    try_out(system.shown_by)  # nothing is wrong with the steps themselves
    system.patch(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        try_out(system.shown_by)


@pytest.mark.parametrize("name", [name for name in WRONG if LONG or name not in RARE])
def test_a_wrong_store_is_caught_by_chance(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    WRONG[name].patch(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        run(settings(PROFILE, max_examples=200, phases=[Phase.generate], print_blob=False))
