"""After realize every target is what a from-scratch run would give, closures are self-consistent, nothing ran idly.

For random worlds of stages, and whatever happens to them.
"""

from __future__ import annotations

import os

from hypothesis import example, given, settings

from pylightnix.executors import ProcessExecutor
from pylightnix.testing.worlds.edits import Chapter, History, LoseArtifacts, RemoveRealization, SetInputs
from pylightnix.testing.worlds.strategies import histories
from pylightnix.testing.worlds.upkeep import try_out
from pylightnix.testing.worlds.world import Function, Given, Node, Picks, Use, World

PROFILE = settings.get_profile(f"property-{os.environ.get('PYLIGHTNIX_PROPERTY', 'ci')}")


def using(*nodes: int) -> Given:
    return Given("list", tuple(Use(node) for node in nodes))


def twins(luck: int, picks: Picks) -> World:
    """Two stages that see the same, because what they use differs in code and not in result."""
    functions = (Function(modulus=1), Function(modulus=1, const=1), Function(luck=luck))
    users = (Node(2, given=using(0), picks=picks), Node(2, given=using(1), picks=picks))
    return World(functions, nodes=(Node(0), Node(1), *users, Node(2, x=1, given=using(2, 3))))


def one_promise(name: str) -> Given:
    return Given("one", (Use(0, name),))


@PROFILE
@given(histories)
@example(History(twins(luck=1, picks=Picks()), (Chapter(),)))
@example(History(twins(luck=1000, picks=Picks()), (Chapter(),)))
@example(History(twins(luck=1000, picks=Picks("best", of=3)), (Chapter(rebuild=(2,)), Chapter())))
@example(
    History(
        World((Function(modulus=1), Function()), nodes=(Node(0), Node(1, given=one_promise("side")))),
        (Chapter((SetInputs(1, one_promise("out")),)),),
    )
)
def test_realize_keeps_up(history: History) -> None:
    try_out(history)


def test_realize_keeps_up_in_parallel() -> None:
    """The same where builders run two at a time, in processes of their own."""
    ladder = World(
        functions=(Function(luck=1000), Function(luck=2, modulus=2), Function()),
        nodes=(
            Node(0, picks=Picks("best", of=3)),
            Node(1, given=using(0), picks=Picks("all", of=3)),
            Node(2, given=using(0)),
            Node(2, x=1, given=using(1, 2)),
        ),
    )
    chapters = (
        Chapter((LoseArtifacts(0), LoseArtifacts(1), LoseArtifacts(2))),
        Chapter((RemoveRealization(0),), rebuild=(1,)),
        Chapter(broken=2, rebuild=(0, 3)),
        Chapter(),
    )
    executor = ProcessExecutor(slots=2)
    try:
        try_out(History(ladder, chapters), executor)
        try_out(History(twins(luck=1000, picks=Picks("best", of=2)), (Chapter(),)), executor)
    finally:
        executor.stop()
