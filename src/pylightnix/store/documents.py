"""What stands in the documents of a store, there and back: records, runs, contexts, derivations. Opens no files.

Reading refuses whatever no version 1 would have written: a document is as it must be, or it is damaged.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from pylightnix.errors import ArtifactError, DamageError, StoreError
from pylightnix.hashing import DIGITS, canonical, digest_bytes, kind_tag
from pylightnix.model.closure import unslotted
from pylightnix.model.records import (
    Context,
    InputChoice,
    PromiseRecord,
    Record,
    Run,
    hash_realization,
    hash_value_text,
    make_context,
)
from pylightnix.names import DerivationRef, KeyRef, RealizationRef, check_inner_path
from pylightnix.store import files
from pylightnix.store.files import ID, decode_json, parse_document

LOG_NAME = re.compile(rf"run-(0|[1-9][0-9]{{0,8}})-{ID.pattern}\.log")
"""The name of a run's log; its document has the same one with `.json`."""

_AROUND = 1 << 20
"""Bytes of a record that are left for all but the value."""

_HASH = "[0-9a-f]{64}"
_INT = "0|[1-9][0-9]{0,17}"
_TEXT = r'"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*"'
_BEFORE = re.compile(rf'\{{"files":({_INT}),"key":"(.{{64}})","made_in":"(.{{64}})"')
_PROMISES = ',"promises":{'
_IDENTITY = f'}},"pylightnix":"{kind_tag("record")}","realization":"'
_AFTER = re.compile(rf'(.{{64}})","size":({_INT}),"tree":"(.{{64}})","value":(.*)\}}')
_KEPT = re.compile(rf'({_TEXT}):\{{"kind":"(file|directory|link)","path":({_TEXT}),"tree":"(.{{64}})"\}}(?:,(?=")|\Z)')
_FULL_HASH = re.compile(_HASH)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|\+00:00)")
_INDICES = range(10**9)
_SEEDS = range(1 << 63)

_WRONG = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


def record_bytes(record: Record, made_in: str) -> bytes:
    """`record.json`: canonical JSON put together by hand, since every stage that is built needs one."""
    kept = _promises_text(record.promises) if record.promises else "{}"
    value = "null" if record.value is None else canonical(record.value).decode()
    return (
        f'{{"files":{record.files},"key":"{record.key}","made_in":"{made_in}","promises":{kept},'
        f'"pylightnix":"{kind_tag("record")}","realization":"{record.identity}","size":{record.size},"tree":"{record.tree}",'
        f'"value":{value}}}'
    ).encode()


def _promises_text(promises: Mapping[str, PromiseRecord]) -> str:
    return canonical({name: kept._asdict() for name, kept in promises.items()}).decode()


def parse_record(path: str, data: bytes, digits: str, home: KeyRef) -> Record:
    """The record of the realization with these digits, under this key.

    Every warm stage needs one, so it is read by its form, which is exact: first the text around the promises, then
    each promise. The hash of key, tree and value tells whether they are those of this realization.

    Raises:
        DamageError: it is not.
    """
    try:
        text, _, rest = data.decode().partition(_PROMISES)
        kept, _, tail = rest.partition(_IDENTITY)
        before, after = _BEFORE.fullmatch(text), _AFTER.fullmatch(tail)
        if before is None or after is None:
            raise ValueError(f"it has not the form of {kind_tag('record')}")
        files, key, made_in = before.groups()
        full, size, tree, value = after.groups()
        promises, trees = _parse_promises(kept)
        if f"{key}{made_in}{full}{tree}{trees}".encode().translate(None, b"0123456789abcdef"):
            raise ValueError("a hash is no hash")
        value_hash = hash_value_text(value)
        if full[:DIGITS] != digits or hash_realization(key, tree, value_hash) != full:
            raise ValueError("key, tree and value are not those of this realization")
        return Record(
            RealizationRef(digits + home[DIGITS:]), home, key, tree, None if value == "null" else decode_json(value),
            promises, int(size), int(files), made_in, value_hash,
        )  # fmt: skip
    except (ValueError, RecursionError) as error:
        raise DamageError(f"not a record: {error}", where=path) from error


def _parse_promises(text: str) -> tuple[dict[str, PromiseRecord], str]:
    """The promises by name, and their hashes in one string."""
    promises: dict[str, PromiseRecord] = {}
    trees = ""
    at = 0
    while at < len(text):
        found = _KEPT.match(text, at)
        if found is None:
            raise ValueError("a promise has not its form")
        name, kind, path, tree = found.groups()
        promises[_unquoted(name)] = PromiseRecord(_unquoted_path(path), kind, tree)
        trees += tree
        at = found.end()
    return promises, trees


def _unquoted(quoted: str) -> str:
    text: str = decode_json(quoted) if "\\" in quoted else quoted[1:-1]
    return text


@functools.lru_cache(maxsize=1024)
def _unquoted_path(quoted: str) -> str:
    path = _unquoted(quoted)
    if check_inner_path(path) != path:
        raise ValueError(f"{path!r} is no normal path")
    return path


def value_text(home: KeyRef, value: Any) -> str:
    """The canonical JSON of an encoded value; ArtifactError if no record that has it could be read again."""
    if value is None:
        return "null"
    text, most = canonical(value), files.LARGEST - _AROUND
    if len(text) > most:
        raise ArtifactError(
            f"it has {len(text)} bytes as JSON, and {most} are the most that a record keeps",
            where=f"what {home.name} returned", size=len(text), limit=most,
            hint="write it to a promised file, and return what is short",
        )  # fmt: skip
    return text.decode()


def run_bytes(run: Run) -> bytes:
    """A run's document: canonical JSON put together by hand, as `record_bytes`."""
    facts = canonical(dict(run.facts)).decode()
    log = "null" if run.log is None else canonical(run.log).decode()
    return b'{"context":' + run.context.to_bytes() + (
        f',"duration":{run.duration!r},"facts":{facts},"index":{run.index},"log":{log},'
        f'"pylightnix":"{kind_tag("run")}","seed":{run.seed},"started":"{run.started}"}}'
    ).encode()  # fmt: skip


def check_times(run: Run) -> None:
    """StoreError if whoever executed a run gave times that could not be read again."""
    if not _are_times(run.started, run.duration):
        raise StoreError(
            f"a run cannot have started {run.started!r} and taken {run.duration!r} s",
            hint="an executor gives UTC in ISO 8601, and seconds",
        )


def parse_run(path: str, data: bytes) -> Run:
    """A run.

    Raises:
        DamageError: it is none, or its log is not the one beside it.
    """
    document = parse_document(path, data, kind_tag("run"))
    try:
        context = make_context(*parse_choices(document["context"]))
        index, seed, started, duration, log, facts = (
            document[name] for name in ("index", "seed", "started", "duration", "log", "facts")
        )
        _see(type(index) is int and index in _INDICES, "index")
        _see(type(seed) is int and seed in _SEEDS, "seed")
        _see(_are_times(started, duration), "started or duration")
        _see(log is None or (LOG_NAME.fullmatch(log) and path.endswith(f"/{log[:-4]}.json")), "log")
        _see(type(facts) is dict, "facts")
        return Run(index, seed, started, float(duration), context, log, facts)
    except (*_WRONG, OverflowError) as error:
        raise DamageError(f"not a run: {error!r}", where=path) from error


def _are_times(started: Any, duration: Any) -> bool:
    return _TIME.fullmatch(started) is not None and type(duration) in (int, float) and 0 <= duration < float("inf")


def _see(right: object, name: str) -> None:
    if not right:
        raise ValueError(f"{name} is not what it must be")


def parse_context(path: str, data: bytes) -> Context:
    """A context.

    Raises:
        DamageError: it is none, or its name is not that of its bytes.
    """
    document = parse_document(path, data, kind_tag("context"))
    digest = digest_bytes(data)
    try:
        _see(path.endswith(f"/context-{digest[:DIGITS]}.json"), "the name")
        return Context(digest, *parse_choices(document))
    except _WRONG as error:
        raise DamageError(f"not a context: {error!r}", where=path) from error


def parse_choices(document: Mapping[str, Any]) -> tuple[DerivationRef, dict[DerivationRef, InputChoice]]:
    """The derivation and the inputs of a context; one of several errors if it is none."""
    inputs = {DerivationRef.parse(ref): parse_choice(choice) for ref, choice in document["inputs"].items()}
    return DerivationRef.parse(document["derivation"]), inputs


def parse_choice(choice: Mapping[str, Any]) -> InputChoice:
    """One choice; one of several errors if it is none."""
    many, context, matcher = choice["many"], choice["context"], choice["matcher"]
    chosen = tuple([RealizationRef.parse(ref) for ref in choice["chosen"]])
    _see(many is True or (many is False and len(chosen) == 1), "many")
    _see(_FULL_HASH.fullmatch(context), "context")
    _see(type(matcher) is str, "matcher")
    return InputChoice(KeyRef.parse(choice["key"]), chosen, many, context, matcher)


def parse_derivation(path: str, data: bytes, ref: DerivationRef) -> Mapping[str, Any]:
    """The document of a derivation.

    Raises:
        DamageError: it is none, or its name is not that of its bytes.
    """
    if digest_bytes(data)[:DIGITS] != ref.digits:
        raise DamageError("the bytes of the derivation are not those of its name", where=path)
    document = parse_document(path, data, kind_tag("derivation"))
    try:
        _see(document["name"] == ref.name, "name")
        _see(type(document["code"]) is dict, "code")
        unslotted(document["params"])
        _see(all(check_inner_path(promise["path"]) for promise in document["promises"].values()), "promises")
    except _WRONG as error:
        raise DamageError(f"not a derivation: {error!r}", where=path) from error
    return document
