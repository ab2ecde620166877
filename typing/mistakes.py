"""What the type checkers must refuse: each line marked so, and no other."""

from __future__ import annotations

from pathlib import Path

from pylightnix import Build, Dep, match, promise, realize, stage


@stage
def numbers(count: int, table: Path = promise("numbers.txt")) -> list[int]:
    return list(range(count))


@stage(matcher=match.latest())
def fit(build: Build, data: Dep, rate: float = 0.1) -> dict[str, float]:
    return {"loss": rate}


@stage
def nothing() -> None: ...


# misspelt
numbers(cuont=3)  # expect-error
fit(numbers(3), raet=0.5)  # expect-error

# missing
numbers()  # expect-error
fit(rate=0.5)  # expect-error

# ill-typed
numbers("three")  # expect-error
numbers(count=3.5)  # expect-error
fit(numbers(3), rate="fast")  # expect-error
fit(3)  # expect-error

# too many
numbers(3, Path("numbers.txt"), 4)  # expect-error
nothing(1)  # expect-error

# the build is passed by the executor, never by the caller
fit(build=None, data=numbers(3))  # expect-error

# values have the stage's type
text: str = realize(numbers(3)).value  # expect-error
realize(fit(numbers(3))).value.upper()  # expect-error
number: int = realize([numbers(3)])  # expect-error

# keywords of @stage
stage(nmae="other")  # expect-error
stage(matcher="latest")  # expect-error
match.best("loss", of="five")  # expect-error
promise("table.csv", kind="fiel")  # expect-error
