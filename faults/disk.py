"""A file system that forgets what nobody made last: what a directory may look like after a loss of power.

Everything is seen by looking at the real directory before each change, so it does not matter who changes what. What
was synced is kept: the content of a file by fsync, names by fsync of their directory, all by syncfs. Of the rest any
part may be there: each file empty, as it was last synced, or as it is; each rename, new name or mode as a whole or not
at all, in the order in which they were made, as file systems with a journal keep it, or in any. Unaware of stores.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

Name = tuple[int, str]
"""A name in a directory."""

_SYNC = ("fsync", "fdatasync")
_SYNC_ALL = ("syncfs", "sync")
SYNCING = _SYNC + _SYNC_ALL
"""Changes after which something is kept."""


class Node(NamedTuple):
    """A file, directory or link, without its names."""

    kind: int
    mode: int
    data: bytes = b""


class Step(NamedTuple):
    """What changes together: where each name leads to, None for nowhere; the mode of each inode."""

    names: Mapping[Name, int | None]
    modes: Mapping[int, int] = MappingProxyType({})


class Moment(NamedTuple):
    """All that matters of a directory at one moment.

    Attributes:
        nodes, kept: what each inode is, and what is kept of it for sure.
        names: where each name leads to, for sure.
        modes: the mode of each inode, for sure.
        steps: changes of names and modes that may be lost.
    """

    nodes: Mapping[int, Node]
    kept: Mapping[int, Node]
    names: Mapping[Name, int]
    modes: Mapping[int, int]
    steps: tuple[Step, ...]


class Disk:
    """Watches a directory; `store.changes` tells it before each change.

    Args:
        top: the directory; what is in it now is kept.
        forgetful: whether it does as if syncing did nothing.
    """

    def __init__(self, top: Path, *, forgetful: bool = False) -> None:
        self._top = os.fspath(top)
        self._forgetful = forgetful
        self._cache: dict[tuple[int, ...], bytes] = {}
        self.root = os.lstat(top).st_ino
        self._nodes, self._names = self._look()
        self._kept, self._sure, self._modes = dict(self._nodes), dict(self._names), _modes(self._nodes)
        self._steps: list[Step] = []
        self._made = ("", -1)

    def before(self, name: str, about: tuple[object, ...]) -> Moment:
        """A change is about to be made: what was there until now."""
        self._catch_up()
        self._made = (name, _inode(about) if name in _SYNC else -1)
        return Moment(dict(self._nodes), dict(self._kept), dict(self._sure), dict(self._modes), tuple(self._steps))

    def _catch_up(self) -> None:
        nodes, names = self._look()
        new = {name: names.get(name) for name in names.keys() | self._names.keys()}
        new = {name: inode for name, inode in new.items() if self._names.get(name) != inode}
        made, synced = self._made
        modes = {}
        for inode, node in nodes.items():
            before = self._nodes.get(inode)
            if before is None:
                self._modes[inode] = node.mode
            elif before.mode != node.mode:
                modes[inode] = node.mode
        if modes:
            self._steps.append(Step({}, modes))
        if new:
            self._steps += [Step(new)] if made == "rename" else [Step({name: inode}) for name, inode in new.items()]
        self._nodes, self._names = nodes, names
        if self._forgetful:
            return
        if made in _SYNC_ALL:
            self._kept, self._sure, self._modes, self._steps = dict(nodes), dict(names), _modes(nodes), []
        elif synced in nodes:
            self._kept[synced] = nodes[synced]
            self._modes[synced] = nodes[synced].mode
            self._keep_names(synced)

    def _keep_names(self, directory: int) -> None:
        """All that happened to the names in a directory is sure now; with a rename, also its other half."""
        sure = [step for step in self._steps if any(name[0] == directory for name in step.names)]
        for step in sure:
            _apply(self._sure, step)
        decided = {name for step in sure for name in step.names}
        rest = [
            Step({n: i for n, i in s.names.items() if n not in decided}, s.modes) for s in self._steps if s not in sure
        ]
        self._steps = [step for step in rest if step.names or step.modes]

    def _look(self) -> tuple[dict[int, Node], dict[Name, int]]:
        status = os.lstat(self._top)
        nodes = {status.st_ino: Node(stat.S_IFDIR, stat.S_IMODE(status.st_mode))}
        names: dict[Name, int] = {}
        waiting = [(self._top, status.st_ino)]
        while waiting:
            folder, inode = waiting.pop()
            with os.scandir(folder) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    names[inode, entry.name] = found.st_ino
                    nodes[found.st_ino] = self._node(entry.path, found)
                    if stat.S_ISDIR(found.st_mode):
                        waiting.append((entry.path, found.st_ino))
        return nodes, names

    def _node(self, path: str, status: os.stat_result) -> Node:
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            return Node(kind, stat.S_IMODE(status.st_mode))
        known = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if known not in self._cache:
            self._cache[known] = os.fsencode(os.readlink(path)) if kind == stat.S_IFLNK else _content(path)
        return Node(kind, stat.S_IMODE(status.st_mode), self._cache[known])


def _modes(nodes: Mapping[int, Node]) -> dict[int, int]:
    return {inode: node.mode for inode, node in nodes.items()}


def _inode(about: tuple[object, ...]) -> int:
    what = about[0]
    return os.stat(what).st_ino if isinstance(what, (int, str, bytes, os.PathLike)) else -1


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _apply(names: dict[Name, int], step: Step) -> None:
    for name, inode in step.names.items():
        if inode is None:
            names.pop(name, None)
        else:
            names[name] = inode


class Outcome(NamedTuple):
    """What a loss of power left: names, and what they lead to."""

    names: Mapping[Name, int]
    nodes: Mapping[int, Node]


def outcomes(moment: Moment, seed: int, some: int, *, ordered: bool = True) -> Iterator[Outcome]:
    """What may be left: all that is unsure lost; names kept and contents lost; all kept; and some more by chance.

    Args:
        moment: at which power is lost.
        seed: decides what chance does.
        some: how many by chance.
        ordered: whether a name is kept only with all that were changed before it.
    """
    chance = random.Random(seed)
    steps = moment.steps
    yield _outcome(moment, (), lambda: False)
    if not _is_unsure(moment):
        return
    yield _outcome(moment, steps, lambda: False)
    yield _outcome(moment, steps, lambda: True)
    for _ in range(some):
        first = steps[: chance.randint(0, len(steps))]
        taken = first if ordered else tuple(step for step in steps if chance.random() < 0.5)
        share = chance.choice((0.0, 0.5, 1.0))
        yield _outcome(moment, taken, lambda share=share: chance.random() < share)  # type: ignore[misc]


def _is_unsure(moment: Moment) -> bool:
    return bool(moment.steps) or any(moment.kept.get(inode) != node for inode, node in moment.nodes.items())


def _outcome(moment: Moment, steps: tuple[Step, ...], is_kept: Callable[[], bool]) -> Outcome:
    names, modes = dict(moment.names), dict(moment.modes)
    for step in steps:
        modes.update(step.modes)
        for inode in {inode for inode in step.names.values() if inode is not None}:
            if moment.nodes.get(inode, Node(0, 0)).kind == stat.S_IFDIR:  # a directory has one name
                for name in [name for name, other in names.items() if other == inode]:
                    del names[name]
        _apply(names, step)
    left = {inode: _left(moment, inode, is_kept) for inode in set(names.values())}
    return Outcome(names, {inode: node._replace(mode=modes.get(inode, node.mode)) for inode, node in left.items()})


def _left(moment: Moment, inode: int, is_kept: Callable[[], bool]) -> Node:
    """What is left of a file, but for its mode."""
    now, kept = moment.nodes.get(inode), moment.kept.get(inode)
    if now is None:  # it is removed, and that may be lost
        return kept or Node(stat.S_IFREG, 0o444)
    if now.kind == stat.S_IFREG and now != kept and not is_kept():
        return now._replace(data=kept.data if kept is not None else b"")
    return now


def lay_out(outcome: Outcome, root: int, top: Path) -> None:
    """Make what was left, in an empty directory."""
    inside: dict[int, list[tuple[str, int]]] = {}
    for (directory, name), inode in outcome.names.items():
        inside.setdefault(directory, []).append((name, inode))
    made: dict[int, str] = {}
    modes: list[tuple[str, int]] = []
    waiting = [(os.fspath(top), root)]
    while waiting:
        folder, directory = waiting.pop()
        for name, inode in inside.get(directory, ()):
            path, node = f"{folder}/{name}", outcome.nodes[inode]
            if node.kind == stat.S_IFDIR:
                os.mkdir(path)
                waiting.append((path, inode))
                modes.append((path, node.mode))
            elif inode in made:
                os.link(made[inode], path)
            else:
                _make_file(path, node)
                made[inode] = path
    for path, mode in reversed(modes):
        os.chmod(path, mode)


def _make_file(path: str, node: Node) -> None:
    if node.kind == stat.S_IFLNK:
        os.symlink(node.data, path)
        return
    with open(path, "wb") as file:
        file.write(node.data)
    os.chmod(path, node.mode)
