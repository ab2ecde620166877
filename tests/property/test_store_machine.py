"""Whatever is done to two stores, they keep what a plain model keeps, and verify names what was damaged."""

from __future__ import annotations

import os
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pylightnix import Build, Realization, match, promise, realize, stage
from pylightnix.store.collection.collecting import Collector
from pylightnix.store.files import DamageWarning
from pylightnix.store.reading import Reader
from pylightnix.store.store import Store
from pylightnix.store.trees import remove_tree
from pylightnix.store.verification import checking
from pylightnix.store.writing import Writer

PROFILE = settings(
    settings.get_profile(f"property-{os.environ.get('PYLIGHTNIX_PROPERTY', 'ci')}"), max_examples=25,
    stateful_step_count=14,
)  # fmt: skip


@stage(code="ignore")
def number(build: Build, n: int, out: Path = promise("out.txt")) -> int:
    """One of two results, by its seed."""
    out.write_text(f"{n} {build.seed % 2}")
    return build.seed % 2


@dataclass
class Kept:
    """What the model knows of a realization."""

    text: str
    runs: set[int]
    damaged: bool = False


@dataclass
class Model:
    """A store as a plain dictionary, by parameter and reference; and the run indices that are used."""

    kept: dict[int, dict[str, Kept]] = field(default_factory=dict)
    used: dict[int, set[int]] = field(default_factory=dict)

    def register(self, n: int, found: Realization[Any], run: int) -> None:
        """A run was made."""
        self.used.setdefault(n, set()).add(run)
        self.kept.setdefault(n, {}).setdefault(found.ref, Kept(f"{n} {found.value}", set())).runs.add(run)

    def merge(self, other: Model) -> None:
        """Another one is copied over this one."""
        for n, refs in other.kept.items():
            for ref, kept in refs.items():
                self.kept.setdefault(n, {}).setdefault(ref, Kept(kept.text, set())).runs.update(kept.runs)
            self.used.setdefault(n, set()).update(other.used[n])
        for n, used in other.used.items():
            self.used.setdefault(n, set()).update(used)

    @property
    def damaged(self) -> set[str]:
        """References of what was damaged."""
        return {ref for refs in self.kept.values() for ref, kept in refs.items() if kept.damaged}


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

    def pick(self, which: int, index: int) -> tuple[int, str, Kept]:
        """One of the realizations of a store."""
        there = [(n, ref, kept) for n, refs in self.models[which].kept.items() for ref, kept in refs.items()]
        return there[index % len(there)]

    def some(self, which: int) -> bool:
        return any(self.models[which].kept.values())

    @rule(which=st.integers(0, 1), n=st.integers(0, 1), again=st.booleans())
    def realize(self, which: int, n: int, again: bool) -> None:
        model, store = self.models[which], self.store(which)
        known = set(model.kept.get(n, {}))
        wanted = number(n).with_matcher(match.latest())
        found = realize(wanted, store=store, rebuild=[wanted] if again else (), quiet=True)
        if again or not known:
            run = max(found.runs, key=lambda run: run.index).index
            assert run not in model.used.get(n, set()), "an index was used twice"
            model.register(n, found, run)
        assert found.ref in model.kept[n], "realize shows what is not there"
        assert again or not known or found.ref in known

    @precondition(lambda self: self.some(0) or self.some(1))
    @rule(which=st.integers(0, 1), index=st.integers(0, 9))
    def remove(self, which: int, index: int) -> None:
        if self.some(which):
            n, ref, _ = self.pick(which, index)
            self.store(which).remove(ref)
            del self.models[which].kept[n][ref]

    @precondition(lambda self: self.some(0) or self.some(1))
    @rule(which=st.integers(0, 1), index=st.integers(0, 9), how=st.sampled_from(["change", "add", "mode"]))
    def damage(self, which: int, index: int, how: str) -> None:
        if self.some(which):
            _, ref, kept = self.pick(which, index)
            kept.damaged = True
            folder = self.top / str(which) / "store" / ref
            folder.chmod(0o755)
            (folder / "out.txt").chmod(0o644)
            if how == "change":
                (folder / "out.txt").write_text("x")
            elif how == "add":
                (folder / "more.txt").write_text("x")

    @precondition(lambda self: any(model.damaged for model in self.models))
    @rule(which=st.integers(0, 1))
    def remove_damaged(self, which: int) -> None:
        for refs in self.models[which].kept.values():
            for ref in [ref for ref, kept in refs.items() if kept.damaged]:
                self.store(which).remove(ref)
                del refs[ref]

    @precondition(lambda self: not any(model.damaged for model in self.models))
    @rule(into=st.integers(0, 1))
    def merge(self, into: int) -> None:
        source, target = self.top / str(1 - into), self.top / str(into)
        if source.exists():
            target.mkdir(exist_ok=True)
            subprocess.run(["cp", "-a", f"{source}/.", target], capture_output=True, check=False)
            self.models[into].merge(self.models[1 - into])

    @invariant()
    def keeps_what_the_model_keeps(self) -> None:
        for which, model in enumerate(self.models):
            found: dict[int, dict[str, set[int]]] = {}
            for realization in self.store(which).realizations():
                runs = {run.index for run in realization.runs}
                found.setdefault(realization.params["n"], {})[realization.ref] = runs
                kept = model.kept[realization.params["n"]][realization.ref]
                if not kept.damaged:
                    assert realization.out.read_text() == kept.text
            assert found == {n: {r: k.runs for r, k in refs.items()} for n, refs in model.kept.items() if refs}

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


def index_of_the_present_runs(self: Writer, home: Any) -> int:
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


@pytest.mark.parametrize(
    ("place", "name", "wrong"),
    [
        (Writer, "reserve", index_of_the_present_runs),
        (Collector, "remove", remove_only_artifacts),
        (checking._Check, "_artifacts", see_no_artifacts),
    ],
    ids=["an index twice", "half a removal", "a blind verify"],
)
def test_a_wrong_store_is_caught(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, wrong: Any) -> None:
    monkeypatch.setattr(place, name, wrong)
    with pytest.raises((AssertionError, KeyError)):
        run(settings(PROFILE, phases=[Phase.generate], print_blob=False))
