"""What the store writes about a realization: the record, its runs and contexts. Unaware of files."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pylightnix.hashing import canonical, digest_bytes, digest_document, kind_tag
from pylightnix.names import DerivationRef, KeyRef, RealizationRef


class PromiseRecord(NamedTuple):
    """A promise that was kept: where, what it turned out to be, and the hash of that artifact alone."""

    path: str
    kind: str
    tree: str


@dataclass(slots=True, eq=False)
class Record:
    """What a realization is. Its identity is `hash(key, tree, value)`; the rest follows from what was built.

    Attributes:
        key: the full hash of what the builder could see.
        tree: the hash of the artifacts.
        value: the encoded return value.
        promises: by name.
        size: bytes in all files.
        files: number of files.
        ref: names the realization.
        home: names the key; with `ref` it says where the record stands.
        made_in: the hash of the context of the run that first made it.
    """

    ref: RealizationRef
    home: KeyRef
    key: str
    tree: str
    value: Any
    promises: Mapping[str, PromiseRecord]
    size: int
    files: int
    made_in: str = ""
    _value_hash: str | None = None
    _identity: str | None = None

    @property
    def value_hash(self) -> str:
        """The hash of the encoded value."""
        if self._value_hash is None:
            self._value_hash = hash_value(self.value)
        return self._value_hash

    @property
    def identity(self) -> str:
        """The hash of key, tree and value in full; `ref` has the beginning of it."""
        if self._identity is None:
            self._identity = hash_realization(self.key, self.tree, self.value_hash)
        return self._identity


_NO_VALUE = digest_document("value", {"value": None})
_VALUE = kind_tag("value")
_REALIZATION = kind_tag("realization")
_SEED = kind_tag("seed")


def hash_value(value: Any) -> str:
    """The hash of an encoded value."""
    return _NO_VALUE if value is None else digest_document("value", {"value": value})


def hash_value_text(text: str) -> str:
    """The hash of an encoded value of which the canonical JSON is at hand."""
    return _NO_VALUE if text == "null" else digest_bytes(f'{{"pylightnix":"{_VALUE}","value":{text}}}'.encode())


def hash_realization(key: str, tree: str, value_hash: str) -> str:
    """The identity of a realization: its document is put together by hand, since every warm stage needs one."""
    text = f'{{"key":"{key}","pylightnix":"{_REALIZATION}","tree":"{tree}","value":"{value_hash}"}}'
    return digest_bytes(text.encode())


def seed_of(key: str, run: int) -> int:
    """The seed of a run: 63 bits that follow from the key and the index of the run, and from nothing else."""
    text = f'{{"key":"{key}","pylightnix":"{_SEED}","run":{run}}}'
    return int(digest_bytes(text.encode())[:16], 16) >> 1


class InputChoice(NamedTuple):
    """What was chosen for one input: the realizations, under which key, in which context of their own."""

    key: KeyRef
    chosen: tuple[RealizationRef, ...]
    many: bool
    context: str
    matcher: str

    def text(self) -> str:
        """Canonical JSON."""
        chosen = ",".join([f'"{ref}"' for ref in self.chosen])
        many = "true" if self.many else "false"
        return (
            f'{{"chosen":[{chosen}],"context":"{self.context}","key":"{self.key}","many":{many},'
            f'"matcher":{_quoted(self.matcher)}}}'
        )


@functools.lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    return canonical(text).decode()


NOT_KNOWN = "0" * 64
"""The hash of the context that a realization was first made in, where a repair found that nothing tells that."""


class Context(NamedTuple):
    """The choices that a realization was made or used with; those of its inputs are reached through their hashes."""

    hash: str
    derivation: DerivationRef
    inputs: Mapping[DerivationRef, InputChoice]

    def to_bytes(self) -> bytes:
        """Its file: canonical JSON, the hash of which names it."""
        return _context_bytes(self.derivation, self.inputs)


def _context_bytes(derivation: DerivationRef, inputs: Mapping[DerivationRef, InputChoice]) -> bytes:
    """Canonical JSON put together by hand, since every warm stage needs one: references need no escaping."""
    told = ",".join([f'"{ref}":{inputs[ref].text()}' for ref in sorted(inputs)])
    return f'{{"derivation":"{derivation}","inputs":{{{told}}},"pylightnix":"{_CONTEXT}"}}'.encode()


_CONTEXT = kind_tag("context")


def make_context(derivation: DerivationRef, inputs: Mapping[DerivationRef, InputChoice]) -> Context:
    """A context with its hash."""
    return Context(digest_bytes(_context_bytes(derivation, inputs)), derivation, inputs)


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a builder.

    Attributes:
        index: counts the runs of a key from 0; never used twice.
        seed: what `build.seed` was.
        started: UTC, ISO 8601 with microseconds.
        duration: seconds, by the monotonic clock.
        context: the choices it was built with.
        log: name of the log's file, None if nothing was written.
        facts: host, python, environment, git, peak memory and what else was noted; never part of an identity.
    """

    index: int
    seed: int
    started: str
    duration: float
    context: Context
    log: str | None
    facts: Mapping[str, Any]

    @property
    def derivation(self) -> DerivationRef:
        """The derivation that was built."""
        return self.context.derivation

    def order(self) -> tuple[int, str]:
        """Sorts runs by age; the clock only decides between runs of stores that were merged."""
        return (self.index, self.started)
