"""Small breakages of the collector's own code, each of which the tests must notice. A list of what could go wrong."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import pylightnix.store.collection
import tests.store.collection.test_beside as beside  # as pytest imports it, so that its asserts count under -O
import tests.store.collection.test_collecting as collecting
import tests.store.collection.test_debris as debris
from pylightnix.errors import PylightnixError


class Mutant(NamedTuple):
    """A piece of a module, and what stands there instead; which test must fail."""

    module: str
    before: str
    after: str
    caught_by: Callable[..., object]


def schedules(plant: Any) -> None:
    _, wrong = beside.search(plant.store.path.parent / "schedules", 400, seconds=60)
    assert wrong is None, wrong


CAUGHT = (AssertionError, pytest.fail.Exception, PylightnixError, OSError)

MUTANTS = {
    "no gate": Mutant(
        "gate",
        "            yield lock.size()\n",
        "            lock.pause()\n            yield lock.size()\n",
        schedules,
    ),
    "nobody passes the gate": Mutant(
        "gate",
        "return take(self.path, exclusive=False, waiting=self.waiting)",
        "return None",
        schedules,
    ),
    "the gate is passed in any case": Mutant(
        "gate",
        "            if second is not None:",
        "            if False:",
        collecting.test_locks_that_exclude_nobody_are_noticed,
    ),
    "no second look": Mutant(
        "collecting",
        "others = self._look(turn)",
        "others = False",
        collecting.test_what_is_held_after_the_plan_was_made_is_not_collected,
    ),
    "the second look sees no roots": Mutant(
        "collecting",
        "return changed",
        "return False",
        collecting.test_what_is_rooted_after_the_plan_was_made_is_not_collected,
    ),
    "new holds are not looked at": Mutant(
        "collecting",
        "now = (turn, holders_now(self._reader.layout))",
        "now = (turn, frozenset())",
        collecting.test_what_is_held_after_the_plan_was_made_is_not_collected,
    ),
    "holds that grow are not looked at": Mutant(
        "holds",
        "found.append((name, os.lstat(path).st_size))",
        "found.append((name, 0))",
        collecting.test_what_a_process_holds_besides_is_not_collected,
    ),
    "no turn is noted for a root": Mutant(
        "roots",
        "                        self._gate.turn()\n",
        "                        pass\n",
        collecting.test_what_is_rooted_after_the_plan_was_made_is_not_collected,
    ),
    "ignores what is held": Mutant(
        "collecting",
        "return ref in self._held",
        "return False",
        collecting.test_what_is_held_is_not_collected,
    ),
    "holds nothing": Mutant(
        "holds",
        "        self._added.extend(refs)",
        "        pass",
        schedules,
    ),
    "holds of the living are taken for dead": Mutant(
        "holds",
        "if is_free(path):",
        "if True:",
        collecting.test_what_is_held_is_not_collected,
    ),
    "holds of the dead count": Mutant(
        "holds",
        "if is_free(path):",
        "if False:",
        debris.test_what_a_process_holds_is_held_until_it_is_killed,
    ),
    "ignores roots": Mutant(
        "collecting",
        "return ref in self._reached",
        "return False",
        collecting.test_what_a_root_reaches_stays_with_all_that_it_was_made_from,
    ),
    "follows nothing": Mutant(
        "reach",
        "waiting += [(inner, below, choice.context in self._own) for inner in context.inputs.values()]",
        "pass",
        collecting.test_what_a_root_reaches_stays_with_all_that_it_was_made_from,
    ),
    "follows direct inputs only": Mutant(
        "reach",
        "waiting += [(inner, below, choice.context in self._own) for inner in context.inputs.values()]",
        "waiting += [(inner, below, False) for inner in context.inputs.values() if not through]",
        collecting.test_what_a_root_reaches_stays_with_all_that_it_was_made_from,
    ),
    "follows any context": Mutant(
        "reach",
        "if context.hash == digest:",
        "if True:",
        collecting.test_a_root_follows_the_context_in_which_a_realization_is_used,
    ),
    "goes on without a context": Mutant(
        "reach",
        "        raise self._lost(choice, problem)",
        "        return Context(choice.context, self._root.selection.kept[0].derivation, {})",
        collecting.test_a_damaged_context_below_a_root_stops_it,
    ),
    "passes over roots that it cannot read": Mutant(
        "roots",
        'raise _unreadable(path, error.what, form["name"]) from error',
        "return None",
        collecting.test_a_damaged_root_stops_it,
    ),
    "passes over roots that it does not know": Mutant(
        "roots",
        'raise _unreadable(path, "this is no root that this version knows", "" if os.path.isdir(path) else name)',
        "return None",
        lambda plant: collecting.test_a_root_that_is_not_understood_stops_it(plant, "new-kind-of-root"),
    ),
    "the second root takes the first one's file": Mutant(
        "roots",
        '@{digest_bytes(data)[:DIGITS]}.json"',
        "@{'0' * DIGITS}.json\"",
        collecting.test_what_a_root_reaches_stays_with_all_that_it_was_made_from,
    ),
    "collects without a scope": Mutant(
        "policy",
        "    if not policy.has_scope:\n        return []\n",
        "",
        collecting.test_without_a_scope_nothing_is_collected,
    ),
    "scopes add to each other": Mutant(
        "policy",
        "or ref in spared or",
        "or",
        collecting.test_scopes_narrow_each_other,
    ),
    "never too old": Mutant(
        "policy",
        "age > policy.older_than",
        "age < policy.older_than",
        collecting.test_scopes_narrow_each_other,
    ),
    "use does not count": Mutant(
        "surveying",
        "used.get(record.ref, 0.0))",
        "0.0)",
        collecting.test_use_makes_young,
    ),
    "what is not known is old": Mutant(
        "policy",
        "spared: set[str] = {one.record.ref for one in standings if not one.derivations}",
        "spared: set[str] = set()",
        collecting.test_of_a_derivation_that_cannot_be_told_everything_is_kept,
    ),
    "the record goes too": Mutant(
        "collecting",
        "            if self._policy.forget:\n",
        "            if True:\n",
        collecting.test_what_a_root_reaches_stays_with_all_that_it_was_made_from,
    ),
    "a dry run collects": Mutant(
        "collecting",
        "if self._dry else self._take(",
        "if False else self._take(",
        collecting.test_a_dry_run_changes_nothing,
    ),
    "the trash is always due": Mutant(
        "trash",
        "everything or one.due <= moment",
        "True",
        collecting.test_the_trash_is_emptied_when_it_is_due,
    ),
    "the trash is never due": Mutant(
        "trash",
        "everything or one.due <= moment",
        "everything",
        collecting.test_the_trash_is_emptied_when_it_is_due,
    ),
    "artifacts about to get a record are swept": Mutant(
        "debris",
        "if ref in held_now(self._layout).refs or self._is_recorded(ref):",
        "if self._is_recorded(ref):",
        debris.test_artifacts_without_a_record_are_swept_unless_somebody_is_about_to_write_it,
    ),
    "artifacts that got a record are swept": Mutant(
        "debris",
        " or self._is_recorded(ref)",
        "",
        debris.test_a_record_that_comes_at_the_last_moment_keeps_its_artifacts,
    ),
    "what the living make is swept": Mutant(
        "debris",
        "if not is_alive(int(form[1])) or ",
        "if True or ",
        debris.test_what_is_not_ours_is_left,
    ),
    "what is new is old": Mutant(
        "debris",
        "<= now() - ABANDONED:",
        "<= now() + ABANDONED:",
        debris.test_what_is_old_is_swept_although_its_number_was_given_to_another_process,
    ),
    "removes what is rooted": Mutant(
        "collecting",
        "if needed is not None and needed.reaches(record.ref):",
        "if False:",
        collecting.test_what_is_rooted_is_removed_by_force_alone,
    ),
}


@contextlib.contextmanager
def replaced(name: str, before: str, after: str) -> Iterator[None]:
    """The package with a piece of one module replaced."""
    for file in Path(pylightnix.store.collection.__path__[0]).glob("*.py"):
        importlib.import_module(f"pylightnix.store.collection.{file.stem}")
    module = importlib.import_module(f"pylightnix.store.collection.{name}")
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert source.count(before) == 1 or before == after, "the piece is not there, or not once"
    kept = dict(module.__dict__)
    exec(compile(source.replace(before, after), str(module.__file__), "exec"), module.__dict__)
    new = {id(old): module.__dict__[name] for name, old in kept.items() if callable(old)}
    swapped = _swap({old: now for old, now in new.items() if old != id(now)})
    try:
        yield
    finally:
        module.__dict__.update(kept)
        for other, attribute, old in swapped:
            setattr(other, attribute, old)


def _swap(new: dict[int, Any]) -> list[tuple[ModuleType, str, Any]]:
    """Put the new functions and classes where others have imported the old ones."""
    ours = [m for name, m in sys.modules.items() if name.startswith("pylightnix.")]
    places = [(m, name, old) for m in [*ours, collecting, beside, debris] for name, old in vars(m).items()]
    found = [(module, name, old) for module, name, old in places if id(old) in new]
    for module, name, old in found:
        setattr(module, name, new[id(old)])
    return found


def check(mutant: Mutant, plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wants = "monkeypatch" in inspect.signature(mutant.caught_by).parameters
    mutant.caught_by(plant, **({"monkeypatch": monkeypatch} if wants else {}))


@pytest.mark.parametrize("name", list(MUTANTS))
def test_it_is_noticed(name: str, plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    with replaced(mutant.module, mutant.before, mutant.after), pytest.raises(CAUGHT):
        check(mutant, plant, monkeypatch)


@pytest.mark.parametrize("module", sorted({mutant.module for mutant in MUTANTS.values()}))
def test_replacing_alone_breaks_nothing(module: str, plant_in: Any, tmp_path: Path) -> None:
    mutants = {m.caught_by: m for m in MUTANTS.values() if m.module == module and m.caught_by is not schedules}
    for number, mutant in enumerate(mutants.values()):
        with replaced(module, mutant.before, mutant.before), pytest.MonkeyPatch.context() as monkeypatch:
            check(mutant, plant_in(tmp_path / f"{number}" / "store"), monkeypatch)
