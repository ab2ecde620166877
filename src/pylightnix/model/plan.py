"""A plan: a closure in order, held against a store, with what would be done for each derivation and why. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from pylightnix.names import DerivationRef, KeyRef, RealizationRef, printable

Action = Literal["reuse", "fetch", "build", "waiting"]


class Step(NamedTuple):
    """What happens to one derivation, and why.

    Attributes:
        derivation: which.
        action: "reuse", "fetch" (back from the trash), "build" or "waiting" (an input must be made first, so the key
            is not known).
        why: the reason that was acted on.
        because: what changed since an earlier realization of a stage of this name, if that is known.
        wanted: how many runs are wanted (build).
        key: what it is keyed by, if known.
        chosen: the realizations, if chosen.
    """

    derivation: DerivationRef
    action: Action
    why: str
    because: str = ""
    wanted: int = 0
    key: KeyRef | None = None
    chosen: tuple[RealizationRef, ...] = ()

    def line(self, width: int = 0) -> str:
        """One line for people."""
        times = f" ×{self.wanted}" if self.action == "build" and self.wanted > 1 else ""
        because = f"; {self.because}" if self.because else ""
        name = f"{self.derivation.name}{times}"
        return printable(f"{self.action:<8} {self.derivation.short}  {name:<{width}}  {self.why}{because}")


class Steps:
    """The steps of a plan or of a realize, inputs before what uses them."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def work(self) -> bool:
        """Whether there is anything to do."""
        return any(step.action != "reuse" for step in self.steps)

    def counts(self) -> dict[str, int]:
        """How many derivations there are for each action."""
        return dict(Counter(step.action for step in self.steps))

    def lines(self, limit: int = 200) -> Iterator[str]:
        """The plan for people: a line for each derivation; of very many, those of one kind are counted together."""
        if len(self.steps) <= limit:
            width = max((len(s.derivation.name) for s in self.steps), default=0) + 4
            for step in self.steps:
                yield step.line(width)
        else:
            yield from self._counted()

    def _counted(self) -> Iterator[str]:
        kinds = Counter((s.action, s.derivation.name, s.why, s.because) for s in self.steps)
        for (action, name, why, because), count in kinds.most_common(50):
            yield printable(f"{action:<8} {count} × {name}  {why}{f'; {because}' if because else ''}")
        if len(kinds) > 50:
            yield f"         … and {len(kinds) - 50} more kinds of steps"

    def summary(self) -> str:
        """One line: how many of which."""
        counts = self.counts()
        told = [f"{counts[a]} to {a}" if a != "waiting" else f"{counts[a]} waiting" for a in counts]
        total = len(self.steps)
        return f"{total} derivation{'s' if total != 1 else ''}: {', '.join(told) or 'nothing to do'}"

    def __str__(self) -> str:
        return "\n".join([*self.lines(), self.summary()])
