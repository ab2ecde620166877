"""Keeps the ledger in step with what builders tell, and sees that the store keeps exactly what the ledger does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pylightnix.testing.worlds.arithmetic import outcome
from pylightnix.testing.worlds.ledger import Execution, Kept, Ledger
from pylightnix.testing.worlds.observing import Stored
from pylightnix.testing.worlds.violation import Violation


class Pairing:
    """Two kinds of names for the same things: each name of one kind always stands for one of the other.

    Args:
        what: is named.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._ours: dict[str, str] = {}
        self._theirs: dict[str, str] = {}

    def see(self, ours: str, theirs: str) -> None:
        """Note that these two are the same.

        Raises:
            Violation: one of them stood for something else before.
        """
        known = self._ours.setdefault(ours, theirs), self._theirs.setdefault(theirs, ours)
        if known != (theirs, ours):
            raise Violation("identity", f"of {self._what}: {ours} is {theirs}, and before it was {known}")


class Bookkeeping:
    """The ledger, beside a store.

    Attributes:
        ledger: what must be in the store.
        seeds: of all runs that there ever were.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._seeds: dict[int, tuple[str, int]] = {}
        self._keys = Pairing("key")

    def absorb(self, executions: Iterable[Execution]) -> None:
        """Note runs, in the order of their indices.

        Raises:
            Violation: an index was skipped or used twice, or a seed was.
        """
        for execution in executions:
            known = self._seeds.setdefault(execution.seed, execution[:2])
            if known != execution[:2]:
                raise Violation("seed", f"{execution} has the seed of {known}")
            self._check_index(execution)
            self.ledger.use_up(execution)
            if not execution.failed:
                self.ledger.add(execution, outcome(execution.sight, execution.seed))

    def _check_index(self, execution: Execution) -> None:
        count = self.ledger.count(execution.sight)
        if execution.run > count:
            raise Violation("seed", f"{execution} skips an index, {count} were used")
        if execution.run == count:
            return
        seed = self.ledger.seed(execution.sight, execution.run)
        if seed is None:
            raise Violation("seed", f"{execution} has the index of a run that failed or was removed")
        if seed != execution.seed:
            raise Violation("idle", f"{execution} was made before, then with seed {seed}")

    def compare(self, stored: Iterable[Stored]) -> dict[str, Kept]:
        """See that the store has what it must have, and nothing else; returns it by reference.

        Raises:
            Violation: it is not so.
        """
        by_seed = {seed: kept for kept in self.ledger for seed in kept.seeds.values()}
        found: dict[str, Kept] = {}
        for each in stored:
            kept = next((by_seed[seed] for seed in each.seeds.values() if seed in by_seed), None)
            if kept is None:
                raise Violation("store", f"nobody made {each}")
            self._compare(kept, each)
            found[each.ref] = kept
        lost = [kept for kept in self.ledger if kept not in found.values()]
        if lost:
            raise Violation("store", f"was made and is not there: {lost}")
        return found

    def _compare(self, kept: Kept, stored: Stored) -> None:
        kept.ref = kept.ref or stored.ref
        if kept.ref != stored.ref:
            raise Violation("store", f"two realizations of one content: {kept.ref} and {stored.ref}")
        if _plain(kept.seeds) != _plain(stored.seeds):
            raise Violation("store", f"{stored.ref} has runs with seeds {stored.seeds}, not {kept.seeds}")
        if kept.present != (stored.files is not None):
            raise Violation("store", f"the artifacts of {stored.ref} are there: {not kept.present}")
        if stored.files not in (None, kept.outcome.files) or stored.value != kept.outcome.value:
            raise Violation("content", f"{stored.ref} is {stored.files}, {stored.value}, and should be {kept.outcome}")
        self._keys.see(kept.sight, stored.key)


def _plain(seeds: Mapping[int, int]) -> list[tuple[int, int]]:
    return sorted(seeds.items())
