"""What the property stands on: worlds that are what they print, and source whose edits mean what they say."""

from __future__ import annotations

import ast
from dataclasses import replace

from hypothesis import given, settings

from pylightnix.testing.worlds import edits, world
from pylightnix.testing.worlds.arithmetic import Outcome
from pylightnix.testing.worlds.edits import History
from pylightnix.testing.worlds.ledger import Execution, Ledger
from pylightnix.testing.worlds.source import text_of
from pylightnix.testing.worlds.strategies import histories, worlds
from pylightnix.testing.worlds.world import Function, Picks, World

PROFILE = settings(settings.get_profile("property-ci"), max_examples=50)


@PROFILE
@given(histories)
def test_a_history_prints_as_what_makes_it(history: History) -> None:
    again = eval(repr(history), {**vars(world), **vars(edits)})
    assert (again, repr(again)) == (history, repr(history))


@PROFILE
@given(worlds())
def test_a_tidy_world_is_one(world: World) -> None:
    assert world.tidy() == world
    assert set(world.targets) <= set(world.closure())
    assert all(use.node < index for index, node in enumerate(world) for use in node.given.uses)


def test_edits_without_meaning_change_the_text_and_nothing_else() -> None:
    one = World(functions=(Function(const=4), Function(modulus=2, luck=3)), helpers=(5, 6), shift=7)
    texts = {text_of(replace(one, comment=comment)) for comment in range(6)}
    assert len(texts) == 6
    assert len({_constants(text) for text in texts}) == 1
    assert _constants(text_of(replace(one, shift=8))) != _constants(text_of(one))


def _constants(text: str) -> str:
    """All constants of a module, but for docstrings."""
    found = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
    return repr(sorted(repr(value) for value in found if "docstring" not in str(value)))


def test_the_ledger_chooses_as_documented() -> None:
    ledger = Ledger()
    for run, (score, ref) in enumerate([(2, "b"), (3, "a"), (2, "b"), (3, "c")]):
        execution = Execution("seen", run, seed=run)
        ledger.use_up(execution)
        ledger.add(execution, Outcome({"file": ref}, {"score": score}))
    for kept in ledger:
        kept.ref = kept.outcome.files["file"]

    def chosen(picks: Picks, before: int = 4) -> str:
        return "".join(kept.ref for kept in ledger.chosen("seen", picks, before))

    assert chosen(Picks("latest", n=5)) == "cba"
    assert chosen(Picks("first", n=5)) == "bac"
    assert chosen(Picks("best", n=5)) == "acb"
    assert chosen(Picks("worst")) == "b"
    assert chosen(Picks("some", n=2)) == "ab"
    assert chosen(Picks("all", of=4)) == "abc"
    assert chosen(Picks("all", of=4), before=2) == "ab"
    assert [ledger.missing("seen", Picks("all", of=5)), ledger.missing("seen", Picks("best", of=4))] == [1, 0]
    assert ledger.missing("other", Picks("latest", n=2)) == 2
    ledger.remove(next(iter(ledger)))
    assert (chosen(Picks("latest", n=5)), ledger.count("seen")) == ("ca", 4)
