"""What realizing needs of a store: the seam between those who make and those who keep. Pure: a contract."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pylightnix.model.claiming import Slot
from pylightnix.model.hidden import Hidden
from pylightnix.model.holding import Holding
from pylightnix.model.records import Context, Record, Run
from pylightnix.model.remembered import Memory
from pylightnix.model.sharing import Shares
from pylightnix.model.shelf import Shelf
from pylightnix.names import DerivationRef, KeyRef, RealizationRef


class Workspace(NamedTuple):
    """Where one run is made, below the store and seen by nobody; absolute paths, as texts.

    Attributes:
        notes: a directory for what is written about the run; it becomes the record.
        out: a directory for the artifacts.
        scratch, checkpoint: directories for the builder, made when it asks for them.
        log: the file for what the builder writes.
        has_out: whether the builder is told of the three directories above; else none of them is there.
    """

    notes: str
    out: str
    scratch: str
    checkpoint: str
    log: str
    has_out: bool


class Sealed(NamedTuple):
    """Artifacts that are finished and read-only but not registered: nobody sees them yet."""

    workspace: Workspace
    ref: RealizationRef
    record: Record


class Lost(NamedTuple):
    """A realization of which the record was damaged: all that is known is that this run of its key made it."""

    ref: RealizationRef
    home: KeyRef
    run: int


class Past(Protocol):
    """Runs that were made before, for estimates: some of the newest, in order. What cannot be read is left out."""

    def of_key(self, home: KeyRef, most: int) -> Sequence[Run]:
        """Runs of a key, the newest last; at most so many are read."""
        ...

    def of_stage(self, name: str, most: int) -> Sequence[Run]:
        """Runs of stages of this name, under whatever keys, the newest last; at most so many are read."""
        ...


class Change(Protocol):
    """An input that is not what its record says any more.

    Attributes:
        ref: which realization.
        what: which file of it, and what became of that.
    """

    @property
    def ref(self) -> RealizationRef: ...
    @property
    def what(self) -> str: ...


class Watch(Protocol):
    """Watches what a builder was given."""

    def changes(self, looks: int) -> Sequence[Change]:
        """What was changed since the run began, as far as that can be told.

        Args:
            looks: how many files may be looked at, besides what is promised.
        """
        ...


class Blot(Protocol):
    """Leaves no secret in a workspace: the log without it, and no file that has one; can be pickled."""

    def __call__(self, workspace: Workspace, hidden: Sequence[Hidden]) -> str:
        """What of the artifacts had one, in words; empty if nothing had."""
        ...


class Keeper(Shelf, Protocol):
    """Keeps derivations and realizations. Every method that writes is safe to be killed in, and to be run again."""

    root: str
    """The absolute path of the store."""

    @property
    def memory(self) -> Memory:
        """Its memory of what was chosen before."""
        ...

    def candidates(self, home: KeyRef, key: str) -> list[Record]:
        """The records under a key, ordered by reference; damaged ones are left out with a warning."""
        ...

    def damaged(self, home: KeyRef) -> Sequence[Lost]:
        """Which runs the last look at the candidates under a key saw to be lost, and nobody has made again since."""
        ...

    def payload_text(self, record: Record) -> str:
        """As `payload`, as a text: paths are slow to make, and most builders do not look at all inputs."""
        ...

    def trashed(self) -> Mapping[RealizationRef, str]:
        """Of which realizations artifacts are in the trash at this moment, and where."""
        ...

    def bring_back(self, record: Record, place: str) -> bool:
        """Put artifacts back from where they are in the trash; whether that could be done."""
        ...

    def history(self, name: str) -> Sequence[Mapping[str, Any]]:
        """The documents of the derivations of this name, oldest first; for explanations only."""
        ...

    def past(self) -> Past:
        """What was run before this moment, looked up as it is asked for."""
        ...

    def write_derivation(self, ref: DerivationRef, document: bytes) -> None:
        """Write a derivation's file, if it is not there."""
        ...

    def add_context(self, record: Record, context: Context, document: bytes) -> None:
        """Note that a realization is used in a context; a store that cannot be written is left as it is."""
        ...

    def holding(self) -> Holding:
        """For one realize: what it chooses or makes is kept from being collected until it gives that back."""
        ...

    def claim(self, home: KeyRef) -> Slot:
        """Take a slot of a key, before a run of it begins; see `model.claiming` for what it means."""
        ...

    def shares(self, scope: str, making: Collection[str]) -> Shares:
        """For one realize: what runs of all calls take of a part of a machine, see `model.sharing`.

        Args:
            scope: which part; a word (0-9, a-z).
            making: keys of runs that this process is part of.
        """
        ...

    def together(self) -> AbstractContextManager[None]:
        """What is registered within may wait, for a moment, to be made visible and lasting with what else is."""
        ...

    def settle(self) -> None:
        """Make everything that was registered visible to others, and lasting; before that, only we may see it.

        Raises:
            StoreError: the store cannot be written; what could not be made visible is gone.
        """
        ...

    def when_settled(self, act: Callable[[], None]) -> None:
        """Call this, in whatever thread, once everything registered so far is visible to others; perhaps now."""
        ...

    def reserve(self, home: KeyRef, *, first: bool = False) -> int:
        """A run index of this key that nobody had before; `first` if the slot that we hold is the first of the key."""
        ...

    def workspace(self, home: KeyRef, run: int, *, has_out: bool = True, apart: bool = False) -> Workspace:
        """A new place to build in, with a directory for artifacts or without one.

        `apart`: the run neither takes nor leaves a checkpoint that others can get.
        """
        ...

    def watch(self, workspace: Workspace, records: Iterable[Record]) -> Watch:
        """Watch the artifacts that a run was given; its workspace was just made."""
        ...

    def forget_killed(self, home: KeyRef) -> None:
        """Remove what runs of this key that were killed were writing: nobody has looked for secrets in it."""
        ...

    @property
    def blot(self) -> Blot:
        """Leaves no secret in a workspace."""
        ...

    def seal(self, workspace: Workspace, home: KeyRef, key: str, value: Any, promises: Mapping[str, str]) -> Sealed:
        """Make the artifacts read-only and find out what they are; `promises` are paths by name.

        Raises:
            ArtifactError: something in the output directory cannot be kept.
        """
        ...

    def register(self, sealed: Sealed, run: Run, *, logged: bool | None = None) -> Record:
        """Publish: artifacts first, the record last. An equal realization that is there gets the run.

        We see it from now on; others when it is settled, which is at once but for what is done `together`. `logged`
        tells whether there is a log; None if that is to be looked at.
        """
        ...

    def tail(self, workspace: Workspace) -> str:
        """The end of what the run in a workspace wrote."""
        ...

    def lose(self, record: Record | Lost) -> None:
        """Note that a realization without artifacts cannot be made again: it is no candidate any more."""
        ...

    def keep_failed(self, workspace: Workspace, name: str, facts: Mapping[str, Any]) -> Path:
        """Keep what a failed run left, with the facts of the failure; returns the directory."""
        ...

    def discard(self, workspace: Workspace) -> None:
        """Remove a workspace and all in it."""
        ...

    def list_files(self, path: Path) -> tuple[str, ...]:
        """The relative names of all files and links of a directory; a function that can be pickled."""
        ...

    def environment(self, facts: Mapping[str, Any]) -> str:
        """Store a description of an environment once; returns its hash."""
        ...
