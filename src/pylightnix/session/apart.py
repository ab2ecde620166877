"""Runs for workers that do not see the store: inputs go to them, and results come back, through a remote.

A worker has a store of its own, in which inputs stay for the next run. The builder runs there in a process of its own,
in a directory whose path this side chooses, so that all paths in a request can be said before.
"""

from __future__ import annotations

import os
import pickle
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from pylightnix.clock import utc_now
from pylightnix.errors import ExecutorError, PylightnixError
from pylightnix.executors.desk import Desk
from pylightnix.executors.futures import FuturesExecutor, lean, packed
from pylightnix.executors.remote import carry
from pylightnix.executors.telling import host_facts
from pylightnix.model.build import BuildRequest, BuildResult, Failure
from pylightnix.model.conditions import Conditions
from pylightnix.model.visible import VisibleInput
from pylightnix.names import KeyRef, RealizationRef
from pylightnix.remotes.contents import Contents, blobs_of
from pylightnix.remotes.fetching import Fetcher
from pylightnix.remotes.finding import Finder
from pylightnix.remotes.format import Pieces
from pylightnix.remotes.making import make_files, write_file
from pylightnix.remotes.pieces import Blob
from pylightnix.remotes.pulling import pull_closure
from pylightnix.remotes.remote import Remote
from pylightnix.remotes.sending import Sender
from pylightnix.session.location import as_store
from pylightnix.session.remotes import push
from pylightnix.store.closures import Place
from pylightnix.store.store import Store
from pylightnix.store.trees import hash_tree

ABOVE = "/tmp"
"""Where workers make the directories of runs."""

_AT_ONCE = 32


class Task(NamedTuple):
    """A run, for a worker.

    Attributes:
        about, request, parcel: see `executors.remote.carry`.
        remote: the address.
        root: the directory of the run, which the worker makes.
        inputs: key and reference of each input that the builder is given.
        has_out: whether there is a directory for artifacts.
    """

    about: Mapping[str, Any]
    request: bytes
    parcel: bytes
    remote: str
    root: str
    inputs: tuple[tuple[str, str], ...]
    has_out: bool


class Sent(NamedTuple):
    """What a worker has left in the remote: the manifest of the artifacts, where they are, and the log."""

    manifest: tuple[Blob, ...]
    pieces: Pieces
    log: tuple[Blob, ...]


class ApartExecutor(FuturesExecutor):
    """Gives runs to a pool of workers that share no files with this process.

    Args:
        engine: knows the pool, and how to ask it.
        remote: what goes to workers and comes from them goes through this; workers must reach it by its address.
        store: where inputs are.

    To be entered, which makes the remote if it is not there.
    """

    def __init__(self, engine: FuturesExecutor, remote: Remote, store: Store) -> None:
        super().__init__(
            engine._pool, name=engine.name, slots=min(engine.slots, _AT_ONCE), capacity=engine.capacity,
            options=engine._options,
        )  # fmt: skip
        self._remote = remote
        self._store = store
        self._token = secrets.token_hex(8)
        self._threads = ThreadPoolExecutor(_AT_ONCE, "pylightnix-apart")
        self._sending = threading.Lock()
        self._there: set[str] = set()
        self._given: set[Future[Any]] = set()

    def accept(self, conditions: Conditions) -> None:
        """ExecutorError for a run that must be shut in: a worker has only just made what it would see."""
        if conditions.isolation == "sandbox":
            raise ExecutorError(
                "workers that share no files run nothing in a sandbox", executor=self.name,
                hint='isolation="process", or a store that the workers see',
            )  # fmt: skip

    def __enter__(self) -> Self:
        self._remote.identity(make=True)  # else what workers leave would be there before it
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def stop(self) -> None:
        """End what waits for workers; a builder that runs on one goes on there, and nothing comes of it."""
        for inner in list(self._given):
            inner.cancel()
        super().stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _parcel(self, request: BuildRequest) -> bytes:
        return packed(self._moved(request), self._modules)

    def _submit(
        self, request: BuildRequest, desk: Desk, parcel: bytes, options: Mapping[str, Any]
    ) -> Future[BuildResult]:
        task = Task(
            self._about(request, desk), pickle.dumps(lean(self._moved(request))), parcel, self._remote.address,
            self._root(request), (), request.has_out,
        )  # fmt: skip
        return self._threads.submit(self._carry, request, task, options)

    def _carry(self, request: BuildRequest, task: Task, options: Mapping[str, Any]) -> BuildResult:
        try:
            task = task._replace(inputs=self._send(request))
            inner = self._pool.submit(carry_apart, task, **options)
            self._given.add(inner)
            try:
                result, sent = inner.result()
            finally:
                self._given.discard(inner)
            if sent is not None:
                self._fetch(request, sent)
        except PylightnixError as error:
            return self._without_run(Failure("transport", str(error)))
        return result

    def _send(self, request: BuildRequest) -> tuple[tuple[str, str], ...]:
        """Have the inputs in the remote, each once; their keys and references."""
        refs = list(dict.fromkeys(map(self._ref, request.inputs)))
        with self._sending:
            new = [ref for ref in refs if ref not in self._there]
            if new:
                push(new, self._remote, store=self._store, incomplete=True, secrets=True)
                self._there.update(new)
            return tuple((self._store.record(ref).home, ref) for ref in refs)

    def _fetch(self, request: BuildRequest, sent: Sent) -> None:
        with closing(Fetcher(self._remote.backend)) as fetcher:
            manifest = b"".join(fetcher.stream(sent.manifest))
            if manifest:
                make_files(fetcher, manifest, sent.pieces, None, request.out)
            if sent.log:
                write_file(request.log, fetcher.stream(sent.log), 0o644)

    def _root(self, request: BuildRequest) -> str:
        return f"{ABOVE}/pylightnix-{self._token}-{os.path.basename(request.scratch).partition('.')[0]}"

    def _ref(self, path: str) -> str:
        return os.path.relpath(path, self._store.keeper.layout.store).partition("/")[0]

    def _moved(self, request: BuildRequest) -> BuildRequest:
        """The request with the paths that a worker has."""
        root = self._root(request)
        moved = _Moved(self._store.keeper.layout.store, f"{root}/inputs")
        return request._replace(
            arguments={name: moved.value(value) for name, value in request.arguments.items()},
            out=f"{root}/out", scratch=f"{root}/scratch", checkpoint=f"{root}/checkpoint", log=f"{root}/log",
            inputs=tuple(map(moved.path, request.inputs)), store=f"{root}/inputs",
        )  # fmt: skip


class _Moved:
    """What is said of paths in one directory, said of another."""

    def __init__(self, before: str, after: str) -> None:
        self._before = before
        self._after = after

    def path(self, path: str) -> str:
        return f"{self._after}{path[len(self._before) :]}" if path.startswith(f"{self._before}/") else path

    def value(self, value: Any) -> Any:
        """An argument; inputs stand in lists, tuples and dicts alone."""
        if isinstance(value, VisibleInput):
            return VisibleInput[Any](
                self.path(str(value.path)), value._promises, dict(value.params), value.value, value._list_files
            )
        if isinstance(value, Path):
            return Path(self.path(str(value)))
        if type(value) is dict:
            return {key: self.value(item) for key, item in value.items()}
        return type(value)(map(self.value, value)) if type(value) in (list, tuple) else value


def carry_apart(task: Task) -> tuple[BuildResult, Sent | None]:
    """What a worker does: have the inputs, carry the run, leave the result in the remote."""
    try:
        os.mkdir(task.root, 0o700)
        with Remote(task.remote) as remote, _given(task, remote):
            if task.has_out:
                os.mkdir(f"{task.root}/out")
            desk = Desk.make(task.root)
            result = carry({**task.about, "desk": desk.path}, task.request, task.parcel)
            return result, _sent(task, remote, whole=result.failure is None)
    except (PylightnixError, OSError) as error:
        host = host_facts()
        failure = Failure("transport", f"the worker on {host['host']} cannot carry the run: {error}")
        return BuildResult(failure, None, utc_now(), 0.0, {**host, "executor": str(task.about["name"])}), None
    finally:
        shutil.rmtree(task.root, ignore_errors=True)


@contextmanager
def _given(task: Task, remote: Remote) -> Iterator[None]:
    """The inputs are in the store of this worker, and stand where the request says, while inside.

    Their references came from who gives the run, and name their content: nobody else need vouch for it.
    """
    keeper = as_store(None).keeper
    places = {Place(KeyRef(home), RealizationRef(ref)) for home, ref in task.inputs}
    os.mkdir(f"{task.root}/inputs")
    holding = keeper.holding()
    try:
        if places:
            with closing(Fetcher(remote.backend, address=remote.address)) as fetcher:
                wanted = Finder(remote, keeper, fetcher, lambda *_: "").closure(places)
                pull_closure(keeper, fetcher, wanted, whole=lambda place: place in places)
            for place in places:
                os.symlink(f"{keeper.layout.store}/{place.ref}", f"{task.root}/inputs/{place.ref}")
        yield
    finally:
        holding.release()


def _sent(task: Task, remote: Remote, *, whole: bool) -> Sent:
    """Leave artifacts and log in the remote."""
    manifest, out, log = f"{task.root}/manifest", f"{task.root}/out", f"{task.root}/log"
    with closing(Sender(remote.backend)) as sender:
        contents = Contents(sender)
        pieces, listed = Pieces((), ()), blobs_of(())
        if whole and task.has_out:
            with open(manifest, "wb") as sink:
                tree = hash_tree(out, (), sink)
            pieces = contents.send(manifest, tree.digest, out).done()
            listed = blobs_of(contents.file(manifest))
        return Sent(listed, pieces, blobs_of(contents.file(log)) if os.path.exists(log) else ())
