"""What roots reach: from choice to context to choice, until nothing is new. Refuses where it cannot follow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pylightnix.errors import CollectionError, DamageError, StoreError
from pylightnix.hashing import DIGITS
from pylightnix.model.records import Context, InputChoice
from pylightnix.names import RealizationRef, printable
from pylightnix.store.collection.roots import Root, Roots
from pylightnix.store.documents import parse_context, parse_run
from pylightnix.store.files import read_small
from pylightnix.store.reading import Reader


class Way(NamedTuple):
    """How a realization is reached: by which root, through which realization (None: the root names it)."""

    root: str
    through: RealizationRef | None


class Reached(NamedTuple):
    """What roots reach.

    Attributes:
        ways: the first way to each realization, by reference.
        by_root: the realizations that each root reaches, by its name.
    """

    ways: dict[RealizationRef, Way]
    by_root: dict[str, set[RealizationRef]]

    def chain(self, ref: RealizationRef) -> list[str]:
        """The name of a root, then the realizations from it to this one; empty if none reaches it."""
        found: list[str] = []
        way = self.ways.get(ref)
        while way is not None:
            found.append(ref)
            if way.through is None:
                return [way.root, *reversed(found)]
            ref, way = way.through, self.ways.get(way.through)
        return found


def reach(reader: Reader, roots: Iterable[Root]) -> Reached:
    """Follow all roots.

    Raises:
        CollectionError: something that a root needs is damaged, or not there, so what it was made from is not known.
    """
    reached = Reached({}, {})
    known: dict[str, Context] = {}
    for root in roots:
        walk = _Walk(reader, root, known)
        for ref, through in walk.steps():
            reached.by_root.setdefault(root.name, set()).add(ref)
            reached.ways.setdefault(ref, Way(root.name, through))
    return reached


def chains(reader: Reader, ref: RealizationRef) -> list[list[str]]:
    """For each root that reaches a realization: its name, then the references from it to this one.

    Raises:
        CollectionError: a root cannot be followed.
    """
    standing = [root for root in Roots(reader.layout).all() if root.stands]
    found = (reach(reader, [root]).chain(ref) for root in standing)
    return [chain for chain in found if chain]


class _Walk:
    """One root's way down. Contexts that another root had read are not read again."""

    def __init__(self, reader: Reader, root: Root, known: dict[str, Context]) -> None:
        self._reader = reader
        self._root = root
        self._known = known
        self._known.update((context.hash, context) for context in root.selection.contexts)
        self._own = {context.hash for context in root.selection.contexts} if root.kind == "lock" else set()

    def steps(self) -> Iterator[tuple[RealizationRef, RealizationRef | None]]:
        """Each realization with the one that it is reached through; one that stands in several contexts comes again."""
        seen: set[tuple[tuple[RealizationRef, ...], str, bool]] = set()
        in_lock = self._root.kind == "lock"
        waiting: list[tuple[InputChoice, RealizationRef | None, bool]] = [
            (kept.choice, None, in_lock) for kept in self._root.selection.kept
        ]
        while waiting:
            choice, through, foreign = waiting.pop()
            if (choice.chosen, choice.context, foreign) in seen:
                continue
            seen.add((choice.chosen, choice.context, foreign))
            for ref in choice.chosen:
                yield ref, through
            context = self._context(choice, foreign)
            if context is not None:
                below = choice.chosen[0] if choice.chosen else through
                waiting += [(inner, below, choice.context in self._own) for inner in context.inputs.values()]

    def _context(self, choice: InputChoice, foreign: bool) -> Context | None:
        """The context of a choice; None if nothing was chosen and nobody noted with what.

        Args:
            choice: that was made.
            foreign: whether a lock file says so, which may be of another store: None if this one does not have it.
        """
        found = self._known.get(choice.context)
        if found is None and choice.chosen:
            try:
                found = self._known[choice.context] = self._read(choice)
            except CollectionError:
                if not (foreign and self._is_elsewhere(choice)):
                    raise
        return found

    def _is_elsewhere(self, choice: InputChoice) -> bool:
        """Whether no record of this store has the context; a damaged one might have had it."""
        for ref in choice.chosen:
            place = f"{self._reader.layout.records}/{choice.key}/{ref.digits}"
            try:
                runs = [name for name in os.listdir(place) if name.startswith("run-") and name.endswith(".json")]
                contexts = [parse_run(f"{place}/{name}", read_small(f"{place}/{name}")).context for name in runs]
                here = os.path.lexists(f"{place}/context-{choice.context[:DIGITS]}.json")
            except FileNotFoundError:
                continue
            except (OSError, DamageError):
                return False
            if here or not runs or any(context.hash == choice.context for context in contexts):
                return False
        return True

    def _read(self, choice: InputChoice) -> Context:
        problem: Exception | None = None
        for ref in choice.chosen:
            try:
                found = find_context(f"{self._reader.layout.records}/{choice.key}/{ref.digits}", choice.context)
            except (OSError, StoreError) as error:
                problem = error
            else:
                if found is not None:
                    return found
        raise self._lost(choice, problem)

    def _lost(self, choice: InputChoice, problem: Exception | None) -> CollectionError:
        ref = choice.chosen[0]
        if isinstance(problem, FileNotFoundError):
            what = "it is not in this store"
        elif isinstance(problem, OSError):
            what = problem.strerror or str(problem)
        else:
            what = problem.what if isinstance(problem, DamageError) else "the context is not there, or damaged"
        return CollectionError(
            f"what {ref.name} {ref.short} was made from is not known: {printable(what)}",
            where=f"root {self._root.name}",
            hint="proceeding would make all of that look dead; pylightnix verify --repair, then realize its stage "
            f"again; or take the root away: pylightnix root --remove {self._root.name}",
            root=self._root.name, ref=ref,
        )  # fmt: skip


def find_context(place: str, digest: str) -> Context | None:
    """The context with this hash in the directory of a record; None if it is not there, or what has it is damaged.

    Raises:
        OSError: the directory cannot be listed.
    """
    names = os.listdir(place)
    name = f"context-{digest[:DIGITS]}.json"
    if name in names:
        return parse_context(f"{place}/{name}", read_small(f"{place}/{name}"))
    for name in names:
        if name.startswith("run-") and name.endswith(".json"):
            try:
                data = read_small(f"{place}/{name}")
                context = parse_run(f"{place}/{name}", data).context
            except (DamageError, FileNotFoundError):
                continue
            if context.hash == digest:
                return context
    return None
