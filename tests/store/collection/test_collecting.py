"""What a collection takes and what it leaves: roots, holds, scopes, records, the trash; and when it refuses."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import time
import weakref
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix.errors import ArgumentError, CollectionError, StoreError, UnknownReferenceError
from pylightnix.store import changes
from pylightnix.store.collection.collecting import Collector
from pylightnix.store.collection.debris import Sweeper
from pylightnix.store.collection.holds import Holds
from pylightnix.store.collection.policy import Policy, choose
from pylightnix.store.collection.surveying import survey
from pylightnix.store.locks import take
from pylightnix.store.removal import remove_tree
from pylightnix.store.store import Store
from pylightnix.store.trees import hash_tree


@pylightnix.stage
def text(content: str) -> str:
    """What it is given."""
    return content


def names(collected: Any) -> list[str]:
    return sorted(victim.record.ref.name for victim in collected.victims)


def age(plant: Any, made: Any, days: float) -> None:
    """Let a realization be as old as that."""
    (run,) = Path(plant.store.keeper.place(made[0])).glob("run-*.json")
    started = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")
    text = run.read_text().replace("2026-03-01T12:00:00.000000+00:00", started)
    run.chmod(0o644)
    run.write_text(text)


def test_without_a_scope_nothing_is_collected(plant: Any) -> None:
    plant.chain("a", "b")
    collected = plant.store.gc()
    assert collected.victims == ()
    assert collected.dry
    assert plant.present() == {"a", "b"}


def test_what_a_root_reaches_stays_with_all_that_it_was_made_from(plant: Any) -> None:
    chain = plant.chain("a", "b", "c", "d")
    other = plant.chain("x", "y")
    plant.root("paper", chain[2])
    assert names(plant.store.gc(unreachable=True)) == ["d", "x", "y"]
    assert plant.present() == {"a", "b", "c"}
    assert plant.recorded() == {"a", "b", "c", "d", "x", "y"}
    assert plant.store.verify().sound
    assert not plant.store.keeper.present(other[0][0])


def test_a_root_follows_the_context_in_which_a_realization_is_used(plant: Any) -> None:
    """Equal bytes upstream, made by another stage: what the root chose stays, not what the first run had."""
    first = plant.one("a", content="same", n=1)
    second = plant.one("a", content="same", n=2)
    top = plant.one("b", of=first)
    used = plant.one("b", of=second)
    assert top[0].ref == used[0].ref
    for one, kept, gone in ((used, second, first), (top, first, second)):
        plant.root("paper", one)
        plant.store.gc(unreachable=True)
        assert plant.store.keeper.present(kept[0])
        assert not plant.store.keeper.present(gone[0])
        first, second = plant.one("a", content="same", n=1), plant.one("a", content="same", n=2)


def test_a_root_weighs_what_a_collection_leaves_for_it(plant: Any) -> None:
    first = plant.one("a", content="same", n=1)
    plant.one("b", of=first)
    used = plant.one("b", of=plant.one("a", content="same", n=2))
    plant.root("paper", used)
    weights = plant.store.du()
    collected = plant.store.gc(unreachable=True)
    assert [(one.name, one.realizations, one.closure) for one in weights.roots] == [
        ("paper", 2, collected.left), ("", len(collected.victims), collected.size),
    ]  # fmt: skip
    assert len(collected.victims) == 1


def test_roots_that_cannot_be_followed_are_weighed(plant: Any) -> None:
    chain = plant.chain("a", "b")
    plant.root("paper", chain[1])
    remove_tree(plant.store.keeper.place(chain[1][0]))
    assert [(one.name, one.realizations) for one in plant.store.du().roots] == [("paper", 0), ("", 1)]


def test_what_was_unrooted_is_collected(plant: Any) -> None:
    chain = plant.chain("a", "b")
    plant.root("paper", chain[1])
    plant.store.unroot("paper")
    assert plant.store.roots() == []
    assert names(plant.store.gc(unreachable=True)) == ["a", "b"]
    with pytest.raises(UnknownReferenceError, match="no root is named 'paper'"):
        plant.store.unroot("paper")


def test_setting_a_root_again_lets_go_of_what_it_kept(plant: Any) -> None:
    one, two = plant.one("a"), plant.one("b")
    plant.root("paper", one)
    plant.root("paper", two)
    (root,) = plant.store.roots()
    assert root.refs == (two[0].ref,)
    assert names(plant.store.gc(unreachable=True)) == ["a"]


def test_merged_stores_keep_what_either_kept(plant: Any, tmp_path: Path, plant_in: Any) -> None:
    other = plant_in(tmp_path / "other")
    plant.root("paper", plant.one("a"))
    other.root("paper", other.one("b"))
    (other.store.path / "format.json").unlink()  # nobody but root writes over what may only be read
    (other.store.path / "locks" / "collect.lock").unlink()
    shutil.copytree(other.store.path, plant.store.path, dirs_exist_ok=True, symlinks=True)
    assert [root.name for root in plant.store.roots()] == ["paper", "paper"]
    assert names(plant.store.gc(unreachable=True)) == []
    assert plant.present() == {"a", "b"}


def test_what_is_held_is_not_collected(plant: Any) -> None:
    made = plant.one("a")
    holding = plant.store.keeper.holding()
    with holding.looking():
        holding.add([made[0].ref])
    again = Store(plant.store.path)
    collected = again.gc(unreachable=True)
    assert collected.victims == ()
    assert [victim.record.ref for victim in collected.in_use] == [made[0].ref]
    assert names(again.gc(unreachable=True, dry_run=True)) == []
    holding.release()
    assert names(again.gc(unreachable=True)) == ["a"]
    assert list((plant.store.path / "locks" / "held").iterdir()) == []


def test_what_is_held_after_the_plan_was_made_is_not_collected(plant: Any) -> None:
    """The second look, behind the gate, sees what came after the first one."""
    made = plant.one("a"), plant.one("b")
    age(plant, made[0], 1000)  # so it is the first to be collected; then somebody chooses the other one
    holding = Store(plant.store.path).keeper.holding()

    def choose() -> None:
        with holding.looking():
            holding.add([made[1][0].ref])

    collected = _interrupted(plant.store, choose)
    holding.release()
    assert names(collected) == ["a"]
    assert [victim.record.ref for victim in collected.in_use] == [made[1][0].ref]


def test_what_a_process_holds_besides_is_not_collected(plant: Any) -> None:
    """It held something else before the plan was made."""
    made = plant.one("a"), plant.one("b"), plant.one("c")
    age(plant, made[0], 1000)
    holding = Store(plant.store.path).keeper.holding()

    def choose(number: int = 1) -> None:
        with holding.looking():
            holding.add([made[number][0].ref])

    choose(2)
    collected = _interrupted(plant.store, choose)
    holding.release()
    assert names(collected) == ["a"]


def _interrupted(store: Store, act: Any) -> Any:
    """A collection that lets somebody else act between two victims."""
    from pylightnix.store.collection.collecting import Collector

    take = Collector._take

    def taking(self: Any, record: Any, needed: Any) -> bool:
        taken = take(self, record, needed)
        act()
        return taken

    Collector._take = taking  # type: ignore[method-assign]
    try:
        return store.gc(older_than="0d")  # the least recently used first
    finally:
        Collector._take = take  # type: ignore[method-assign]


def test_what_is_rooted_after_the_plan_was_made_is_not_collected(plant: Any) -> None:
    chain, done = plant.chain("a", "b", "c"), plant.one("x")
    rooted: list[int] = []

    def root() -> None:
        if not rooted and plant.store.keeper.present(chain[2][0]) and plant.store.keeper.present(chain[0][0]):
            rooted.append(1)
            Store(plant.store.path).root("late", [plant.realization(chain[2])])

    age(plant, done, 1000)  # so it is the first to be collected
    collected = _interrupted(plant.store, root)
    assert rooted
    assert names(collected) == ["x"]
    assert plant.present() == {"a", "b", "c"}


def test_scopes_narrow_each_other(plant: Any) -> None:
    made = [plant.one("a", content=f"{n}", value={"n": n}) for n in range(4)]
    for one, days in zip(made, (50, 40, 20, 10), strict=True):
        age(plant, one, days)
    gone = lambda **scopes: [v.record.value["n"] for v in plant.store.gc(dry_run=True, **scopes).victims]  # noqa: E731
    by_reference = [one[0].value["n"] for one in sorted(made, key=lambda one: one[0].ref)]
    assert gone(unreachable=True) == by_reference, "it does not ask when"
    assert gone(unreachable=True, max_size=0) == [0, 1, 2, 3], "the least recently used first"
    assert gone(older_than="30d") == [0, 1]
    assert gone(keep_latest=1) == [0, 1, 2]
    assert gone(keep_best=(1, "n")) == [0, 1, 2]
    assert gone(keep_best=(1, "min:n")) == [1, 2, 3]
    assert gone(older_than="15d", keep_best=(1, "min:n")) == [1, 2]
    assert gone(older_than="30d", keep_latest=3) == [0]
    assert gone(keep_latest=1, keep_best=(1, "min:n")) == [1, 2]
    assert gone(max_size=2) == [0, 1]
    assert gone(max_size=2, older_than="45d") == [0]
    assert gone(max_size=4) == []
    assert gone(max_size=0, keep_latest=4) == []


def test_each_derivation_keeps_its_own(plant: Any) -> None:
    for n in (1, 2):
        for content in "xy":
            plant.one("a", n=n, content=content)
    plant.store.gc(keep_latest=1)
    kept = [record for record in plant.store.keeper.records() if plant.store.keeper.present(record)]
    assert len(kept) == len({record.home for record in kept}) == 2


def test_the_latest_is_that_of_the_highest_index_where_the_clock_was_set_back(plant: Any) -> None:
    made = [plant.one("a", content=content) for content in "xyz"]
    age(plant, made[0], -1)
    age(plant, made[1], 30)
    assert {victim.record.ref for victim in plant.store.gc(keep_latest=2, dry_run=True).victims} == {made[0][0].ref}
    plant.store.gc(keep_latest=1)
    assert [plant.store.keeper.present(record) for record, _ in made] == [False, False, True]


def test_of_a_derivation_that_cannot_be_told_everything_is_kept(plant: Any) -> None:
    made = plant.one("a")
    (run,) = Path(plant.store.keeper.place(made[0])).glob("run-*.json")
    run.chmod(0o644)
    run.write_text("{")
    assert names(plant.store.gc(keep_latest=0)) == []


def test_a_metric_that_nobody_has_is_refused(plant: Any) -> None:
    plant.one("a", content="1", value={"accuracy": 1})
    plant.one("a", content="2", value={"accuracy": 2})
    for metric in ("acuracy", "min:acuracy"):
        with pytest.raises(ArgumentError, match="no realization has the metric 'acuracy'") as caught:
            plant.store.gc(keep_best=(1, metric))
        assert "accuracy" in caught.value.hint
    assert plant.present() == {"a"}
    assert Store(plant.store.path / "none").gc(keep_best=(1, "acuracy")).victims == ()


def test_a_derivation_in_which_nothing_is_the_best_is_kept_whole(plant: Any) -> None:
    for content in "xy":
        plant.one("without", content=content, value={"other": 1})
        plant.one("undecided", content=content, value={"n": {"$float": "nan"}})
    assert names(plant.store.gc(keep_best=(1, "n"))) == []
    plant.one("with", content="x", value={"n": 1})
    plant.one("with", content="y", value={"n": 2})
    assert names(plant.store.gc(keep_best=(1, "n"), forget=True)) == ["with"]


def test_ints_are_compared_as_ints(plant: Any) -> None:
    for n, content in ((10**400, "x"), (10**400 + 1, "y"), (2**53, "z")):
        plant.one("a", content=content, value={"n": n})
    gone = [victim.record.value["n"] for victim in plant.store.gc(keep_best=(1, "n"), dry_run=True).victims]
    assert sorted(gone) == [2**53, 10**400]


def test_use_makes_young(plant: Any) -> None:
    one, two = plant.one("a"), plant.one("b")
    for made in (one, two):
        age(plant, made, 50)
    holding = plant.store.keeper.holding()
    with holding.looking():
        holding.add([one[0].ref])
    holding.release()
    assert names(plant.store.gc(older_than="30d")) == ["b"]
    (note,) = (plant.store.path / "cache" / "used").iterdir()
    os.utime(note, (1, 1))
    assert names(plant.store.gc(older_than="30d")) == ["a"]
    assert list((plant.store.path / "cache" / "used").iterdir()) == []


def test_the_record_stays_and_says_what_it_said(plant: Any) -> None:
    made = plant.one("a", value={"n": 7}, log="a line\n")
    plant.store.gc(unreachable=True)
    (realization,) = plant.store.realizations()
    assert realization.value == {"n": 7}
    assert realization.files == ("out.txt",)
    assert plant.store.keeper.log(realization.record, realization.runs[0]) == "a line\n"
    assert plant.store.keeper.candidates(made[0].home, made[0].key)
    assert plant.store.verify().sound


def test_what_is_to_be_forgotten_loses_its_record_and_not_its_index(plant: Any) -> None:
    made = plant.one("a")
    plant.store.gc(unreachable=True)
    assert names(plant.store.gc(unreachable=True)) == []
    assert names(plant.store.gc(unreachable=True, forget=True)) == ["a"]
    assert plant.recorded() == set()
    assert plant.store.keeper.reserve(made[0].home) == 1


def test_small_promises_are_kept_and_read(plant: Any) -> None:
    made = plant.one("a", content="0.5"), plant.one("a", content="0.75 and much more")
    plant.store.gc(unreachable=True, keep_small="4B", trash="0d")
    keeper = plant.store.keeper
    read = lambda one: keeper.artifact(keeper.payload(one[0]) / "out.txt")  # noqa: E731
    assert read(made[0]) == b"0.5"
    with pytest.raises(FileNotFoundError):
        read(made[1])
    plant.one("a", content="0.5")
    assert read(made[0]) == b"0.5"
    plant.store.gc(older_than="9000d")
    assert list((plant.store.path / "kept").iterdir()) == []
    plant.store.gc(unreachable=True, keep_small="4B", trash="0d")
    plant.store.gc(unreachable=True, forget=True)
    plant.store.gc(unreachable=True)
    assert list((plant.store.path / "kept").iterdir()) == []


def test_the_trash_gives_back(plant: Any) -> None:
    made = plant.one("a", value=1)
    tree = hash_tree(plant.store.keeper.payload(made[0])).digest
    plant.store.gc(unreachable=True)
    assert not plant.store.keeper.present(made[0])
    restored = plant.store.restore(made[0].ref[:8])
    assert hash_tree(restored.path).digest == tree
    assert plant.store.verify().sound
    assert list((plant.store.path / "trash").iterdir()) == []
    plant.store.gc(unreachable=True, forget=True)
    assert plant.recorded() == set()
    assert plant.store.restore(made[0].ref).value == 1
    assert plant.store.verify().sound
    with pytest.raises(UnknownReferenceError, match="not in the trash"):
        plant.store.restore(made[0].ref)


def test_the_trash_is_emptied_when_it_is_due(plant: Any) -> None:
    plant.one("a")
    plant.store.gc(unreachable=True, trash="3d")
    (one,) = (plant.store.path / "trash").iterdir()
    plant.store.gc(unreachable=True)
    assert one.exists()
    due = one.with_name("20200101T000000" + one.name[15:])
    one.rename(due)
    assert plant.store.gc(unreachable=True, dry_run=True).swept.trash == (f"trash/{due.name}",)
    plant.store.gc(unreachable=True)
    assert not due.exists()


def test_now_means_at_once_and_all_of_the_trash(plant: Any) -> None:
    plant.one("a")
    plant.store.gc(unreachable=True)
    plant.one("b")
    plant.store.gc(unreachable=True, trash="0d")
    assert list((plant.store.path / "trash").iterdir()) == []
    assert os.listdir(plant.store.path / "tmp") == []


def test_a_dry_run_changes_nothing(plant: Any) -> None:
    plant.one("a")
    plant.store.gc(unreachable=True, dry_run=True)
    before = {path: path.lstat().st_mtime_ns for path in plant.store.path.rglob("*") if path.parent.name != "locks"}
    told = plant.store.gc(unreachable=True, dry_run=True)
    after = {path: path.lstat().st_mtime_ns for path in plant.store.path.rglob("*") if path.parent.name != "locks"}
    assert names(told) == ["a"]
    assert told.size == 7
    assert before == after


# Doubt


def test_a_damaged_root_stops_it(plant: Any) -> None:
    plant.root("paper", plant.one("a"))
    plant.one("b")
    (file,) = (plant.store.path / "roots").iterdir()
    file.chmod(0o644)
    file.write_text("{")
    with pytest.raises(CollectionError, match="a root cannot be read") as caught:
        plant.store.gc(unreachable=True)
    assert "2 realizations of 14 bytes would have been in danger" in caught.value.__notes__[0]
    assert "root --remove paper" in caught.value.hint
    assert plant.present() == {"a", "b"}


@pytest.mark.parametrize("name", ["paper.json", "paper@12.json", f"p@{'0' * 40}.json", "new-kind-of-root"])
def test_a_root_that_is_not_understood_stops_it(plant: Any, name: str) -> None:
    plant.one("a")
    (plant.store.path / "roots" / name).write_text("{}")
    with pytest.raises(CollectionError):
        plant.store.gc(unreachable=True)


def test_a_root_directory_stops_it(plant: Any) -> None:
    plant.one("a")
    (plant.store.path / "roots" / f"paper@{'0' * 40}.json").mkdir()
    with pytest.raises(CollectionError, match="a root cannot be read"):
        plant.store.gc(unreachable=True)


def test_a_damaged_context_below_a_root_stops_it(plant: Any) -> None:
    chain = plant.chain("a", "b", "c")
    plant.root("paper", chain[2])
    (run,) = Path(plant.store.keeper.place(chain[1][0])).glob("run-*.json")
    run.chmod(0o644)
    run.write_text("{}")
    with pytest.raises(CollectionError, match=r"what b [0-9a-f]{8} was made from is not known") as caught:
        plant.store.gc(unreachable=True)
    assert caught.value.where == "root paper"
    assert plant.present() == {"a", "b", "c"}


def test_a_record_that_is_not_there_below_a_root_stops_it(plant: Any) -> None:
    chain = plant.chain("a", "b", "c")
    plant.root("paper", chain[2])
    remove_tree(plant.store.keeper.place(chain[1][0]))
    with pytest.raises(CollectionError, match="it is not in this store"):
        plant.store.gc(unreachable=True)
    plant.store.unroot("paper")
    plant.store.gc(unreachable=True)


def test_what_was_made_from_something_forgotten_is_kept_when_that_is_restored(plant: Any) -> None:
    chain = plant.chain("a", "b")
    plant.store.gc(unreachable=True, forget=True, trash="1d")
    plant.store.restore(chain[1][0].ref)
    with pytest.raises(
        CollectionError, match=r"root paper was not set: what a .* not in this store(.|\n)*--restore"
    ) as told:
        plant.root("paper", chain[1])
    assert "--remove" not in str(told.value)
    assert plant.store.roots() == []
    plant.store.restore(told.value.fields["ref"])
    plant.root("paper", chain[1])
    assert names(plant.store.gc(unreachable=True)) == []


def test_what_is_not_whole_cannot_be_rooted(plant: Any) -> None:
    chain = plant.chain("a", "b", "c")
    remove_tree(plant.store.keeper.payload(chain[2][0]))
    with pytest.raises(CollectionError, match="its artifacts are not here"):
        plant.root("paper", chain[2])
    remove_tree(plant.store.keeper.place(chain[0][0]))
    with pytest.raises(CollectionError, match="was made from is not known"):
        plant.root("paper", chain[1])
    assert plant.store.roots() == []


def test_without_locks_nothing_is_collected(plant: Any) -> None:
    plant.one("a")

    def refuse(name: str, paths: tuple[object, ...]) -> None:
        if name == "flock":
            raise OSError(95, "Operation not supported")

    with changes.observed(refuse), pytest.raises(CollectionError, match="locks do not work here"):
        plant.store.gc(unreachable=True)
    assert plant.present() == {"a"}


def test_locks_that_exclude_nobody_are_noticed(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plant.one("a")
    monkeypatch.setattr(changes, "lock", lambda handle, operation: None)
    with pytest.raises(CollectionError, match="given to another one too"):
        plant.store.gc(unreachable=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"older_than": "30"}, {"max_size": "much"}, {"max_size": "9" * 400 + "k"}, {"keep_latest": -1},
        {"keep_best": "n"}, {"keep_best": 1}, {"keep_best": (1, 5)}, {"keep_best": (1, "")}, {"keep_best": (-1, "n")},
        {"trash": "7"}, {"trash": None}, {"trash": timedelta(-1)}, {"trash": "8000y"}, {"trash": "99999999999y"},
        {"failed": None}, {"failed": "99999999999999y"}, {"failed": "9" * 400 + "y"}, {"older_than": timedelta(-1)},
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(plant: Any, wrong: Any) -> None:
    with pytest.raises(ArgumentError):
        plant.store.gc(**wrong)


def test_the_longest_duration_is_told(plant: Any) -> None:
    made = plant.one("a")
    with pytest.raises(ArgumentError, match="from 0 to 1000 years"):
        plant.store.remove(made[0].ref, trash="999999999999y")
    assert plant.recorded() == {"a"}
    plant.store.gc(unreachable=True, trash="1000y", failed="1000y")
    assert plant.store.restore(made[0].ref).path.exists()


def test_what_is_in_use_does_not_count_as_freed(plant: Any) -> None:
    made = [plant.one("a", content=f"{n}", value={"n": n}) for n in range(4)]
    for one, days in zip(made, (50, 40, 20, 10), strict=True):
        age(plant, one, days)
    standings, policy = survey(plant.store.keeper), Policy.parse({"max_size": 2})
    chosen = lambda **how: [v.record.value["n"] for v in choose(policy, standings, *given, **how)]  # noqa: E731
    given = (lambda _: False, time.time(), lambda record, name: None)
    assert chosen() == [0, 1]
    assert chosen(held=lambda ref: ref == made[0][0].ref) == [0, 1, 2]


def test_an_empty_store_is_collected_without_being_made(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").gc(unreachable=True).victims == ()
    assert not (tmp_path / "none").exists()


# Removal of one


def test_what_is_rooted_is_removed_by_force_alone(plant: Any) -> None:
    chain = plant.chain("a", "b")
    plant.root("paper", chain[1])
    with pytest.raises(CollectionError, match="it is kept alive by paper"):
        plant.store.remove(chain[0][0].ref)
    plant.store.remove(chain[0][0].ref, force=True)
    assert plant.recorded() == {"b"}


def test_a_removed_one_can_be_restored_if_that_was_wished(plant: Any) -> None:
    made = plant.one("a", value=5)
    plant.store.remove(made[0].ref, trash="1d")
    assert plant.recorded() == set()
    assert plant.store.restore(made[0].ref[:6]).value == 5
    plant.store.remove(made[0].ref)
    assert list((plant.store.path / "trash").iterdir()) == []


def test_a_root_that_is_set_while_it_is_removed_keeps_it(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plant.one("a")
    look = Collector._needed

    def then_root(self: Collector) -> Any:
        needed = look(self)
        plant.root("paper", made)
        return needed

    monkeypatch.setattr(Collector, "_needed", then_root)
    with pytest.raises(CollectionError, match="it is kept alive by paper"):
        Store(plant.store.path).remove(made[0].ref)
    assert plant.store.keeper.present(made[0])


# What goes wrong in between


def test_what_cannot_be_listed_is_not_taken_for_empty(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plant.one("a")
    plant.root("paper", made)
    strange = plant.store.path / "store" / f"{'0' * 40}-strange"
    strange.mkdir()  # is there a record of it?
    listdir, records = os.listdir, str(plant.store.path / "records")

    def refuse(path: Any) -> list[str]:
        if str(path) == records:
            raise OSError(errno.EIO, "Input/output error")
        return listdir(path)

    sweep = Sweeper.sweep

    def refused(self: Sweeper, *args: Any, **options: Any) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(os, "listdir", refuse)
            return sweep(self, *args, **options)

    monkeypatch.setattr(Sweeper, "sweep", refused)
    with pytest.raises(CollectionError, match="cannot be read"):
        plant.store.gc(older_than="9000d")
    assert plant.store.keeper.present(made[0])
    assert strange.is_dir()


@pytest.mark.parametrize("rooted", [True, False])
def test_what_somebody_was_moving_when_he_died_is_put_back(plant: Any, rooted: bool) -> None:
    made = plant.one("a")
    if rooted:
        plant.root("paper", made)
    place = plant.store.keeper.payload(made[0])
    place.rename(f"{place}@99999999-{'0' * 12}")
    plant.store.gc(unreachable=True, trash="1d")
    assert place.exists() == rooted
    assert len(list((plant.store.path / "trash").glob("*"))) == (not rooted)
    assert [path.name for path in (plant.store.path / "store").iterdir()] == ([made[0].ref] if rooted else [])
    assert plant.store.restore(made[0].ref).path.exists() if not rooted else plant.store.verify().sound


def test_what_somebody_was_moving_and_is_not_whole_is_swept(plant: Any) -> None:
    made = plant.one("a")
    place = plant.store.keeper.payload(made[0])
    place.chmod(0o755)
    (place / "more").write_text("")
    place.rename(f"{place}@99999999-{'0' * 12}")
    plant.store.gc(unreachable=True)
    assert list((plant.store.path / "store").iterdir()) == []


def test_what_cannot_be_moved_stays_where_it_is(plant: Any, tmp_path: Path) -> None:
    """As when it belongs to another user: a directory of his can be renamed, and not changed."""
    made = plant.one("a")

    def refuse(name: str, about: tuple[object, ...]) -> None:
        if name == "chmod" or (name == "rename" and f"{plant.store.path}/trash/" in str(about[1])):
            raise PermissionError(errno.EPERM, "Operation not permitted")

    with changes.observed(refuse):
        collected = plant.store.gc(unreachable=True)
    assert [victim.record.ref for victim in collected.refused] == [made[0].ref]
    assert collected.victims == ()
    assert plant.store.keeper.present(made[0])
    assert plant.store.verify().sound


@pytest.mark.parametrize("trash", ["0d", "1d"])
def test_what_somebody_else_made_keeps_its_record_too(plant: Any, trash: str) -> None:
    """A directory of his can be renamed where it stands, and not be moved."""
    made = plant.one("a")

    def refuse(name: str, about: tuple[object, ...]) -> None:
        source = str(about[0])
        moves = name == "rename" and os.path.dirname(source) != os.path.dirname(str(about[1]))
        if name == "chmod" or (moves and source.startswith(f"{plant.store.path}/store/")):
            raise PermissionError(errno.EPERM, "Operation not permitted")

    with changes.observed(refuse):
        collected = plant.store.gc(unreachable=True, forget=True, trash=trash)
        with pytest.raises(StoreError, match=r"and was not removed(.|\n)*sudo(.|\n)*chown -R"):
            plant.store.remove(made[0].ref, trash=trash)
    assert [victim.record.ref for victim in collected.refused] == [made[0].ref]
    assert plant.store.realization(made[0].ref).path.exists()
    assert plant.store.verify().leftovers == ()
    assert plant.store.verify().sound


def test_a_record_that_we_may_not_move_keeps_the_artifacts(plant: Any, ordinary: Any) -> None:
    made = plant.one("a")
    home = Path(plant.store.keeper.place(made[0])).parent
    home.chmod(0o555)
    done = ordinary(FORGET, plant.store.path, made[0].ref)
    assert done.stdout.splitlines() == ["0 1", "it belongs to somebody else, and was not removed"], done.stderr
    home.chmod(0o755)
    assert plant.store.keeper.present(made[0])
    assert plant.store.verify().sound


FORGET = """
import sys
from pylightnix import Store
from pylightnix.errors import StoreError

store = Store(sys.argv[1])
collected = store.gc(unreachable=True, forget=True, trash="0d")
print(len(collected.victims), len(collected.refused))
try:
    store.remove(sys.argv[2])
except StoreError as error:
    print(error.what)
"""


def test_artifacts_without_their_record_are_not_restored(plant: Any) -> None:
    made = plant.one("a")
    plant.store.gc(unreachable=True)
    plant.store.remove(made[0].ref)
    with pytest.raises(UnknownReferenceError, match="and its artifacts alone are no realization"):
        plant.store.restore(made[0].ref)
    assert len(list((plant.store.path / "trash").iterdir())) == 1
    assert list((plant.store.path / "store").iterdir()) == []


def test_small_promises_that_are_damaged_or_elsewhere_are_not_kept(plant: Any, tmp_path: Path) -> None:
    made = [plant.one("a"), plant.one("b")]
    place = plant.store.keeper.payload(made[0][0])
    (place / "out.txt").chmod(0o644)
    (place / "out.txt").write_text("changed")
    place = plant.store.keeper.payload(made[1][0])
    place.chmod(0o755)  # nobody but root moves what is sealed
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    plant.store.gc(unreachable=True, keep_small="1M")
    assert list((plant.store.path / "kept").iterdir()) == []


def test_what_cannot_be_noted_is_held_by_the_gate_until_the_end(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Holds, "note", lambda self, refs: False)
    made = plant.one("a")
    holding = plant.store.keeper.holding()
    monkeypatch.setattr(plant.store.keeper._holds, "why", OSError(errno.ENOSPC, "No space left on device"))
    with holding.looking():
        holding.add([made[0].ref])
    gate = str(plant.store.path / "locks" / "collect.lock")
    assert take(gate, wait=False) is None
    with pytest.raises(StoreError, match="No space left on device"):
        Store(plant.store.path).gc(unreachable=True)
    holding.release()
    lock = take(gate, wait=False)
    assert lock is not None
    lock.release()
    assert names(Store(plant.store.path).gc(unreachable=True)) == ["a"]


def test_the_reason_why_nothing_could_be_noted_keeps_nothing_in_hand(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")

    def refuse(name: str, about: tuple[object, ...]) -> None:
        if name == "mkdir" and str(about[0]).endswith("locks/held"):
            raise OSError(errno.EIO, "Input/output error")

    with changes.observed(refuse):
        done = pylightnix.realize(text("a"), store=store, quiet=True)
    assert done.value == "a"
    hand = weakref.ref(done)
    del done
    gc.collect()
    assert hand() is None
    assert store.keeper._holds._users == 0


def test_uses_that_cannot_be_read_stop_it(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plant.one("a")
    listdir, used = os.listdir, str(plant.store.path / "cache" / "used")

    def refuse(path: Any) -> list[str]:
        if str(path) == used:
            raise PermissionError(errno.EACCES, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(CollectionError, match="last used cannot be read: Permission denied"):
        plant.store.gc(older_than="0d")
    assert plant.store.keeper.present(made[0])


def test_what_somebody_else_has_put_into_the_trash_is_told(plant: Any) -> None:
    """As after a collection by root: the trash is his."""
    made = plant.one("a")
    plant.store.gc(unreachable=True)

    def refuse(name: str, about: tuple[object, ...]) -> None:
        if name in ("rename", "unlink", "chmod", "rmdir") and "trash/" in str(about[0]):
            raise PermissionError(errno.EACCES, "Permission denied")

    with changes.observed(refuse):
        with pytest.raises(StoreError, match=r"cannot be moved out of the trash(.|\n)*sudo(.|\n)*chown -R") as told:
            plant.store.restore(made[0].ref)
        collected = plant.store.gc(unreachable=True, trash="0d")
    assert told.value.fields["errno"] == errno.EACCES
    assert [path.partition("@artifacts@")[2] for path in collected.swept.refused] == [made[0].ref]
    assert collected.swept.trash == ()
