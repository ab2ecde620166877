"""Find a short tour through cities by luck, several times; keep the shortest, and look at how the luck is spread.

Standard library only. Two matchers stand on one stage: `match.best(mode="min")` picks one run, `match.all` gives all.
"""

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

from pylightnix import Build, Dep, Deps, match, promise, realize, stage

City = Sequence[float]


@stage
def cities(count: int = 40, seed: int = 1, places: Path = promise("cities.json")) -> None:
    """Places in the unit square; their seed is a parameter, so they are the same for everybody."""
    rng = random.Random(seed)
    places.write_text(json.dumps([[rng.random(), rng.random()] for _ in range(count)]))


def length(tour: Sequence[City]) -> float:
    """The way round and back to the start."""
    return sum(math.dist(a, b) for a, b in zip(tour, [*tour[1:], tour[0]], strict=True))


@stage(matcher=match.best("length", of=8, mode="min"))
def tour(build: Build, places: Dep = cities(), steps: int = 20_000, route: Path = promise("route.json")) -> object:
    """Simulated annealing: turn a random stretch round, and accept what is worse ever more rarely."""
    rng = random.Random(build.seed)
    best: list[City] = json.loads(Path(places.places).read_text())
    now = length(best)
    for step in range(steps):
        heat = 0.5 * (1 - step / steps) ** 3 + 1e-9
        i, j = sorted(rng.sample(range(len(best) + 1), 2))
        turned = best[:i] + best[i:j][::-1] + best[j:]
        then = length(turned)
        if then < now or rng.random() < math.exp((now - then) / heat):
            best, now = turned, then
        if step % 1000 == 0:
            build.progress(step, steps)
    route.write_text(json.dumps(best))
    return {"length": now}


@stage
def spread(tours: Deps, table: Path = promise("lengths.txt")) -> dict[str, float]:
    """How far the runs are apart."""
    lengths = sorted(one.value["length"] for one in tours)
    table.write_text("".join(f"{found:.3f}\n" for found in lengths))
    return {"best": lengths[0], "worst": lengths[-1]}


every_tour = tour().with_matcher(match.all(of=8))
"""The same derivation: what was run for the shortest is all there is to run."""


if __name__ == "__main__":
    shortest = realize(tour())
    print(f"shortest of eight: {shortest.value}, seed {shortest.runs[0].seed}, in {shortest.route}")
    print(f"spread: {realize(spread(every_tour)).value}")
