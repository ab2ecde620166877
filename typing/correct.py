"""How the language is typed: mypy and pyright accept every line of this."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

from pylightnix import (
    Build,
    Dep,
    Deps,
    Derivation,
    Plan,
    Realization,
    Stage,
    instantiate,
    match,
    plan,
    promise,
    realize,
    realize_many,
    stage,
)


@stage
def numbers(count: int, table: Path = promise("numbers.txt")) -> list[int]:
    table.write_text("\n".join(str(n) for n in range(count)))
    return list(range(count))


@stage(matcher=match.best("loss", of=3, mode="min"), version="1", env=["numpy"])
def fit(build: Build, data: Dep, rate: float = 0.1, *, layers: tuple[int, ...] = (1, 2)) -> dict[str, float]:
    text: str = (data / "numbers.txt").read_text()
    return {"loss": build.seed * rate * len(text)}


@stage(name="all-of-them")
def collect(models: Deps, notes: Dep | None = None) -> int:
    return len([one.value["loss"] for one in models])


@stage
def nothing() -> None: ...


# A stage keeps its parameters; what it gives is a derivation of what its function returns.
assert_type(numbers(3), Derivation[list[int]])
assert_type(numbers(count=3), Derivation[list[int]])
assert_type(fit(numbers(3)), Derivation[dict[str, float]])
assert_type(fit(data=numbers(3), rate=0.5, layers=(3,)), Derivation[dict[str, float]])
assert_type(fit(numbers(3)).with_matcher(match.all()), Derivation[dict[str, float]])
assert_type(collect(models=fit(numbers(3)).with_matcher(match.all(of=3))), Derivation[int])
assert_type(nothing(), Derivation[None])

# A promise of a derivation, a stage that was not called, and a realization stand for inputs too.
fit(numbers(3).table)
fit(nothing)
fit(realize(numbers(3)))
collect(fit(numbers(3)).with_matcher(match.some(2)), notes=nothing())

# Realizing gives the value its type, and containers keep their shape.
assert_type(realize(numbers(3)), Realization[list[int]])
assert_type(realize(numbers(3)).value, list[int])
assert_type(realize(nothing).value, None)
assert_type(realize(nothing).path, Path)
assert_type(realize([numbers(1), numbers(2)]), list[Realization[list[int]]])
assert_type(realize({"one": numbers(1)}), dict[str, Realization[list[int]]])
assert_type(realize(numbers(3), rebuild=[numbers(3)], jobs=2, executor="process").value, list[int])
some: tuple[Realization[dict[str, float]], ...] = realize_many(fit(numbers(3)))

# A plan knows what realizing it gives.
assert_type(plan(numbers(3)), Plan[Realization[list[int]]])
assert_type(realize(instantiate(numbers(3))), Realization[list[int]])


def report(rate: float) -> Derivation[int]:
    """Composition is plain Python."""
    return collect(fit(numbers(3), rate).with_matcher(match.all(of=2)))


def any_stage(made: Stage[..., Any]) -> str:
    return made.name + made.code.report()


any_stage(numbers)
any_stage(fit)
