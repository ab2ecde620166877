"""Resources: what fits now, and what never will."""

from __future__ import annotations

import pytest

from pylightnix.engine.room import NOTHING, Room
from pylightnix.errors import ResourceError
from pylightnix.model.conditions import PLAIN, Conditions

GPU = Conditions(resources={"gpus": 1})
BIG = Conditions(resources={"cpus": 64, "memory": 4e9})


def test_a_run_that_says_nothing_always_fits() -> None:
    room = Room({"cpus": 2})
    assert room.demand("m", PLAIN) == NOTHING
    assert room.fits(NOTHING)


def test_what_is_taken_is_not_there_until_it_is_given_back() -> None:
    room = Room({"gpus": 2})
    demand = room.demand("m", GPU)
    for _ in range(2):
        assert room.fits(demand)
        room.take(demand)
    assert not room.fits(demand)
    room.give(demand)
    assert room.fits(demand)


@pytest.mark.parametrize(("name", "there", "parts"), [("gpus", 1, 10), ("memory", 1e9 / 3, 6)])
def test_parts_add_up_to_the_whole(name: str, there: float, parts: int) -> None:
    room = Room({name: there})
    demand = room.demand("m", Conditions(resources={name: there / parts}))
    for _ in range(parts):
        assert room.fits(demand)
        room.take(demand)
    assert not room.fits(demand)


def test_of_cpus_a_run_gets_at_most_all() -> None:
    room = Room({"cpus": 2, "memory": 8e9})
    demand = room.demand("m", BIG)
    assert dict(demand) == {"cpus": 2, "memory": 4e9}
    room.take(demand)
    assert not room.fits(room.demand("m", Conditions(resources={"cpus": 1})))


@pytest.mark.parametrize(
    ("capacity", "conditions", "told"),
    [
        ({"cpus": 2, "gpus": 0}, GPU, "a run needs 1 gpus, and there is none"),
        ({"cpus": 2, "memory": 1e9}, BIG, "a run needs 4G of memory, and there is 1G of memory"),
        ({"cpus": 2}, Conditions(resources={"licences": 1}), "a run needs 1 licences, and there is none"),
    ],
)
def test_what_never_fits_is_an_error(capacity: dict[str, float], conditions: Conditions, told: str) -> None:
    with pytest.raises(ResourceError) as caught:
        Room(capacity).demand("model", conditions)
    assert caught.value.what == told
    assert caught.value.where == "model"
    assert "--limit" in caught.value.hint


def test_where_the_executor_sees_to_it_nothing_is_counted() -> None:
    assert Room(None).demand("m", GPU) == NOTHING


def test_the_machine_is_not_asked_for_runs_that_say_nothing() -> None:
    class Asked(dict[str, float]):
        """Fails when it is looked into, even for its length."""

        def __len__(self) -> int:
            raise AssertionError("the machine was asked")

        __getitem__ = get = __bool__ = __len__  # type: ignore[assignment]

    room = Room(Asked())
    demand = room.demand("m", PLAIN)
    assert room.fits(demand)
    room.take(demand)
    room.give(demand)
