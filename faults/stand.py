"""One operation made ready to be disturbed: the store it begins with, and what undisturbed comes of it.

Unaware of the kinds of faults.
"""

from __future__ import annotations

import gc
import itertools
import os
import re
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

from faults.children import in_child
from faults.neighbours import clear_up, other_of
from faults.operation import Act, Operation
from faults.points import Watch
from faults.soundness import Problem, State, debris, gone, problems, state, told
from pylightnix import Realization, Store
from pylightnix.store.collection import debris as debris_
from pylightnix.store.files import DamageWarning
from pylightnix.store.pending import Durability
from pylightnix.store.removal import remove_tree

HELD = "locks/held/"
"""Where a process notes what it uses, until it ends; nothing here is locked then."""

SPARE = re.compile(r"(?:other/)?(?:derivations/|environments/|records/[^/]+/[^/]+/context-)")
"""Documents that are named by their hash; those that the runs of a realization need are looked at with these."""


class Stand:
    """An operation, its stores, and a place for more of them.

    Args:
        operation: what will be disturbed.
        place: an empty directory.
        foreign: whether changes by builders and executors count too, not only those of the store.
        durability: of the store while it is done.

    Attributes:
        calls: changes that the undisturbed operation makes.
    """

    def __init__(
        self, operation: Operation, place: Path, *, foreign: bool = False, durability: Durability = "batch"
    ) -> None:
        self.operation = operation
        self.durability = durability
        self._place = place
        self._numbers = itertools.count()
        self._template = place / "template" / "store"
        self._template.parent.mkdir(parents=True)
        self._before: set[Problem] = set()
        if prepared := in_child(lambda: self.do(self._template, operation.prepare)).problem:
            raise RuntimeError(f"{operation.name} cannot begin: {prepared}")
        self._before = problems(self._template, operation.thin)
        undisturbed = self.fresh()
        watch = Watch(undisturbed.parent, foreign=foreign)
        ended = in_child(lambda: watch.count(lambda: self.do(undisturbed)))
        if ended.problem:
            raise RuntimeError(f"{operation.name} fails undisturbed: {ended.problem}")
        self.calls = int(ended.told)
        self._expected = state(undisturbed, differs=operation.differs)
        wrong = self.judge(undisturbed)
        left = [name for name in debris(undisturbed) if HELD not in name]
        if wrong or left:
            raise RuntimeError(f"{operation.name} undisturbed: {wrong}; left: {left}")
        self.discard(undisturbed)

    def fresh(self) -> Path:
        """A new copy of the store that the operation begins with."""
        return self.copy(self._template)

    def copy(self, path: Path) -> Path:
        """A copy of a store, as `cp -a` would make it, with what stands beside it."""
        new = self._place / str(next(self._numbers)) / "store"
        shutil.copytree(path.parent, new.parent, symlinks=True)
        return new

    def empty(self) -> Path:
        """A place for a store, without one."""
        new = self._place / str(next(self._numbers)) / "store"
        new.parent.mkdir()
        return new

    def do(self, path: Path, act: Act | None = None, *, after_a_collection: bool = False) -> None:
        """The operation itself, or another act, in this process. A warning that nobody expects is an error.

        Args:
            path: of the store.
            act: the other act.
            after_a_collection: whether only that must be there which was asked for, and not what it was made from.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if self._before:
                warnings.simplefilter("ignore", DamageWarning)
            in_hand = (act or self.operation.act)(Store(path, durability=self.durability))
            if isinstance(in_hand, Realization) and (missing := gone(in_hand, alone=after_a_collection)):
                raise AssertionError(f"in hand, and not there: {missing}")
            del in_hand
        gc.collect()  # what a program has no more in hand, it holds no more

    def visible(self, path: Path, *, cut_off: bool = False, thin: Sequence[str] | None = None) -> str:
        """What can be seen half-made in a store that was disturbed and not seen to yet; empty if nothing can be.

        Args:
            path: of the store.
            cut_off: whether documents that no run needs may be cut off: they count as not there.
            thin: stages of which the artifacts may be gone, other than those of the operation.
        """
        known = {problem.subject for problem in self._before}
        allowed = self.operation.thin if thin is None else thin
        found = [problem for problem in problems(path, allowed) if problem.subject not in known]
        return told(problem for problem in found if not (cut_off and SPARE.match(problem.where)))

    def recover(self, path: Path) -> str:
        """Do it again, undisturbed; what is wrong afterwards, empty if nothing is."""
        ended = in_child(lambda: self.do(path))
        return f"done again, it fails: {ended.problem}" if ended.problem or ended.killed else self.judge(path)

    def swept(self, path: Path) -> str:
        """Collect all that can be collected; what is left nevertheless of what nobody needs, empty if nothing is."""
        if not os.path.lexists(path):
            return ""
        ended = in_child(lambda: self._sweep(path))
        left = sorted(debris(path))
        return ended.problem or (f"a collection leaves {left}" if left else "")

    def _sweep(self, path: Path) -> None:
        """Nobody else works with the store: a process that has the number of a dead one by chance is no excuse."""
        debris_.ABANDONED = -1.0
        self.do(path, collect)
        clear_up(path.parent)

    def judge(self, path: Path) -> str:
        """What is wrong with a store in which the operation was brought to its end; empty if nothing is."""
        if wrong := problems(path, self.operation.thin):
            return f"in the end: {told(wrong)}"
        if other := self._difference(state(path, differs=self.operation.differs)):
            return f"in the end it is another store: {other}"
        try:
            self.operation.holds(Store(path))
        except AssertionError as error:
            return f"in the end: {error}"
        return ""

    def _difference(self, found: State) -> str:
        """The first part in which a store says something else than the undisturbed one; empty if none."""
        for part, wanted in self._expected.items():
            there = found.get(part, [])
            if part == "runs" and self.operation.spare and self._has_enough(dict(there), dict(wanted)):
                continue
            if there != wanted:
                more, less = ([one for one in a if one not in b] for a, b in ((there, wanted), (wanted, there)))
                return f"{part}: {more} and not {less}"
        return ""

    def _has_enough(self, there: dict[str, int], wanted: dict[str, int]) -> bool:
        return there.keys() == wanted.keys() and all(
            0 <= count - there[ref] <= self.operation.spare for ref, count in wanted.items()
        )

    def lasting(self, path: Path) -> str:
        """What is not there of what the operation returned; empty if all is."""
        there = state(path, differs=self.operation.differs)
        found = there.get("realizations", [])
        lost = [one for one in self._expected["realizations"] if one not in found]
        lost += [one for one in self._expected["beside"] if one not in there["beside"]]
        return f"lost after it returned: {lost}" if lost and self.operation.lasts else ""

    def discard(self, path: Path) -> None:
        """Remove a store that is not needed any more."""
        remove_tree(path.parent)


def collect(store: Store) -> None:
    """Collect all that no root reaches and nobody holds, in another store beside it too."""
    store.gc(unreachable=True, trash="0d", failed="0d")
    other = other_of(store)
    if os.path.lexists(other.path):
        other.gc(unreachable=True, trash="0d", failed="0d")


def spread(count: int, most: int | None) -> list[int]:
    """All points, or so many of them, evenly, with the first and the last."""
    if most is None or count <= most:
        return list(range(count))
    return sorted({index * (count - 1) // max(most - 1, 1) for index in range(most)})


def quick_place() -> str | None:
    """Where stores of a campaign are made: in memory where that can be had, so that no disk sets the pace."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
