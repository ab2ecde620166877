"""Roots: files below `roots/` that keep selections alive, by name. Unaware of what they lead to.

A root is `<name>@<hash>.json`, and its hash is that of its bytes. So two stores that are merged keep what either kept.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shlex
import stat
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, get_args

from pylightnix.clock import iso
from pylightnix.errors import BadNameError, CollectionError, DamageError
from pylightnix.hashing import DIGITS, canonical, digest_bytes, kind_tag
from pylightnix.model.records import make_context
from pylightnix.model.selection import Kept, Selection
from pylightnix.names import DerivationRef, RealizationRef, printable
from pylightnix.store import changes
from pylightnix.store.awaiting import Awaited
from pylightnix.store.collection.gate import Gate
from pylightnix.store.documents import parse_choice, parse_choices
from pylightnix.store.files import has_bytes, is_directory, parse_document, read_small, write_once
from pylightnix.store.layout import Layout, writing
from pylightnix.store.locks import UNSUPPORTED, take

RootKind = Literal["named", "auto", "link", "lock"]
"""Who made it: a person; the command line, for what it realized; a person, for as long as a link, or a file that names
a selection, stands."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,119}")
_FILE = re.compile(rf"(?P<name>{_NAME.pattern})@(?P<digits>[0-9a-f]{{{DIGITS}}})\.json")
_VANISHED = (errno.ENOENT, errno.ENOTDIR, errno.EINVAL)
_WRONG = (KeyError, TypeError, ValueError, AttributeError, BadNameError)


class Root(NamedTuple):
    """A name that keeps a selection alive.

    Attributes:
        name: of the root.
        kind: who made it.
        selection: what it keeps.
        link: path of the link or file that it needs; empty if it stands by itself.
        since: when it was last set: UTC, ISO 8601.
    """

    name: str
    kind: RootKind
    selection: Selection
    link: str = ""
    since: str = ""

    @property
    def refs(self) -> tuple[RealizationRef, ...]:
        """The realizations that it names; it keeps what they were made from, too."""
        return tuple(dict.fromkeys(ref for kept in self.selection.kept for ref in kept.choice.chosen))

    def to_bytes(self) -> bytes:
        """Its file."""
        return canonical({
            **selection_document(self.selection),
            "kind": self.kind, "link": self.link, "name": self.name, "pylightnix": kind_tag("root"),
        })  # fmt: skip

    @property
    def stands(self) -> bool:
        """Whether it keeps anything: the file that it needs is there, or the link, and leads to what it names.

        Raises:
            CollectionError: that cannot be told.
        """
        if not self.link:
            return True
        try:
            if self.kind == "lock":
                return stat.S_ISREG(os.stat(self.link).st_mode)
            return os.path.basename(os.readlink(self.link).rstrip("/")) in self.refs
        except OSError as error:
            if error.errno in _VANISHED:
                return False
            raise CollectionError(
                f"whether what a root needs still stands cannot be told: {error.strerror}", where=printable(self.link),
                hint=f"see to it, or take the root away: pylightnix root --remove {self.name}", root=self.name,
            ) from error  # fmt: skip


def selection_document(selection: Selection) -> dict[str, Any]:
    """The fields of a document that names a selection."""
    contexts = [parse_document("", context.to_bytes(), kind_tag("context")) for context in selection.contexts]
    kept = [
        {"derivation": kept.derivation, **kept.choice._asdict(), "chosen": list(kept.choice.chosen)}
        for kept in selection.kept
    ]
    return {"contexts": contexts, "kept": kept}


def parse_selection(document: dict[str, Any]) -> Selection:
    """The selection that a document names; one of several errors if it names none."""
    kept = tuple(Kept(DerivationRef.parse(one["derivation"]), parse_choice(one)) for one in document["kept"])
    return Selection(kept, tuple(make_context(*parse_choices(one)) for one in document["contexts"]))


def lock_bytes(selection: Selection) -> bytes:
    """The file that names a selection, to be kept beside code: indented, so that people can read what has changed."""
    document = {**selection_document(selection), "pylightnix": kind_tag("lock")}
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def parse_lock(path: str, data: bytes) -> Selection:
    """The selection in such a file.

    Raises:
        DamageError: it is none.
    """
    document = parse_document(path, data.rstrip(), kind_tag("lock"))
    try:
        return parse_selection(document)
    except _WRONG as error:
        raise DamageError(f"not a selection: {error!r}", where=path) from error


def check_root_name(name: object) -> str:
    """The name, if a root can have it.

    Raises:
        BadNameError: it cannot.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadNameError(
            f"{name!r} is not a name for a root",
            hint="use 1 to 120 of the characters A-Z a-z 0-9 _ . + -, starting with a letter, digit or _",
            name=str(name),
        )
    return name


class Roots:
    """The roots of a store.

    Args:
        layout: of the store.
        lasting: whether what is set outlasts a loss of power from then on.
    """

    def __init__(self, layout: Layout, *, lasting: bool = True) -> None:
        self._layout = layout
        self._lasting = lasting
        self._gate = Gate(layout.locks)
        self._needs: dict[str, str] = {}

    def names(self) -> list[str]:
        """The names of the files; if they are the same ones, nothing has changed in them.

        Raises:
            CollectionError: they cannot be listed.
        """
        try:
            return sorted(name for name in os.listdir(self._layout.roots) if not name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(self._layout.roots, error.strerror or str(error), "") from error

    def stamp(self) -> list[str]:
        """The names, each with the state of what it needs; if they are the same, the roots keep what they kept.

        Raises:
            CollectionError: they cannot be listed.
        """
        return [f"{name} {self._state(name)}" for name in self.names()]

    def _state(self, name: str) -> str:
        """Of the link or file that a root needs; empty if it stands by itself, or cannot be read."""
        link = self._needs.get(name)
        if link is None:
            try:
                root = self._parse(name)
            except (OSError, DamageError):
                return ""
            link = self._needs[name] = root.link
        return _state(link) if link else ""

    def all(self) -> list[Root]:
        """All roots, by name, also those whose links or files have vanished.

        Raises:
            CollectionError: one cannot be read, or is of another version.
        """
        return [root for root in map(self.read, self.names()) if root is not None]

    def legible(self) -> tuple[list[Root], list[CollectionError]]:
        """Those that can be read, and what is wrong with each of the others; to show them, not to collect by.

        Raises:
            CollectionError: they cannot be listed.
        """
        roots: list[Root] = []
        wrong: list[CollectionError] = []
        for name in self.names():
            try:
                root = self.read(name)
            except CollectionError as error:
                wrong.append(error)
            else:
                roots += [root] if root is not None else []
        return roots, wrong

    def read(self, name: str) -> Root | None:
        """The root in a file, by the name of the file; None if it is not there any more; else as `all`."""
        path = f"{self._layout.roots}/{name}"
        form = _FILE.fullmatch(name)
        if form is None:
            raise _unreadable(path, "this is no root that this version knows", "" if os.path.isdir(path) else name)
        try:
            root = self._parse(name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error), form["name"]) from error
        except DamageError as error:
            raise _unreadable(path, error.what, form["name"]) from error
        return self._locked(root) if root.kind == "lock" and root.stands else root

    def _parse(self, name: str) -> Root:
        """What its file says. OSError as it comes; DamageError if it is none."""
        path = f"{self._layout.roots}/{name}"
        form = _FILE.fullmatch(name)
        if form is None:
            raise DamageError("this is no root that this version knows", where=path)
        data = read_small(path)
        if digest_bytes(data)[:DIGITS] != form["digits"]:
            raise DamageError("its bytes are not those of its name", where=path)
        since = iso(os.lstat(path).st_mtime)
        return _parse(path, data, form["name"], since)

    def _locked(self, root: Root) -> Root:
        """The root with what its file names now, as far as this store has that: it may be of another one."""
        try:
            selection = parse_lock(root.link, read_small(os.path.realpath(root.link)))
        except (OSError, DamageError) as error:
            what = error.what if isinstance(error, DamageError) else error.strerror or str(error)
            raise _unreadable(root.link, what, root.name) from error
        choices = [self._here(kept) for kept in selection.kept]
        return root._replace(
            selection=Selection(tuple(one for one in choices if one.choice.chosen), selection.contexts)
        )

    def _here(self, kept: Kept) -> Kept:
        home = f"{self._layout.records}/{kept.choice.key}"
        chosen = tuple(ref for ref in kept.choice.chosen if os.path.lexists(f"{home}/{ref.digits}"))
        return kept._replace(choice=kept.choice._replace(chosen=chosen))

    def set(self, root: Root, see: Callable[[], object] = lambda: None) -> None:
        """Let the name keep this, and nothing that it kept before.

        Args:
            root: what is to be kept.
            see: is called when nothing can be collected any more, to see that all is there.

        Raises:
            StoreError: the store cannot be written.
        """
        data = root.to_bytes()
        name = f"{check_root_name(root.name)}@{digest_bytes(data)[:DIGITS]}.json"
        path = f"{self._layout.roots}/{name}"
        self._layout.ensure()
        with writing(path), self._alone():
            entered = self._gate.enter()
            try:
                there = has_bytes(path, data)
                if entered is not None:
                    with contextlib.suppress(*[PermissionError] if there and not root.link else []):
                        self._gate.turn()
                see()
                if there:
                    with contextlib.suppress(PermissionError):
                        changes.touch(path)
                else:
                    write_once(self._layout.tmp, path, data, lasting=self._lasting)
            finally:
                if entered is not None:
                    entered.release()
            self._remove(root.name, but=name)

    @contextlib.contextmanager
    def _alone(self) -> Any:
        """One process sets roots at a time: else two that set the same could each take the other's away."""
        try:
            path = f"{self._layout.locks}/roots.lock"
            lock = take(path, waiting=Awaited(path, self._layout.locks))
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            lock = None
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def remove(self, name: str) -> bool:
        """Take a root away, or a file of exactly this name that is none; whether there was one.

        Raises:
            CollectionError: a directory is there.
            StoreError: the store cannot be written.
        """
        with writing(self._layout.roots):
            strange = [file for file in self.names() if file == name and not _FILE.fullmatch(file)]
            for file in strange:
                self._remove_file(file)
            return self._remove(name, but="") or bool(strange)

    def _remove(self, name: str, but: str) -> bool:
        mine = [file for file in self.names() if file.startswith(f"{name}@") and file != but]
        for file in mine:
            self._remove_file(file)
        return bool(mine)

    def _remove_file(self, file: str) -> None:
        path = f"{self._layout.roots}/{file}"
        if is_directory(path):
            raise CollectionError(
                "this is a directory, and no root", where=printable(path), hint="see what is in it, and move it away"
            )
        with contextlib.suppress(FileNotFoundError):
            changes.remove_file(path)

    def sweep(self, roots: Iterable[Root]) -> list[str]:
        """Take those of these away whose links or files have vanished, and have not come back; their names."""
        gone = [root.name for root in roots if not root.stands]
        swept = []
        with contextlib.suppress(OSError), self._alone() if gone else contextlib.nullcontext():
            for file in self.names():
                name = file.partition("@")[0]
                if name in gone and self._sweep(file):
                    swept.append(name)
        return swept

    def _sweep(self, file: str) -> bool:
        """Whoever sets it again makes the link first, and waits: so what does not stand now is set after this."""
        try:
            if self._parse(file).stands:
                return False
            changes.remove_file(f"{self._layout.roots}/{file}")
        except (OSError, DamageError, CollectionError):
            return False
        return True


def _state(link: str) -> str:
    """What stands there now: another state, if it was replaced, or written to, or taken away and put back."""
    try:
        here, there = os.lstat(link), None
        if stat.S_ISLNK(here.st_mode):
            there = os.readlink(link)
            with contextlib.suppress(OSError):
                after = os.stat(link)
                there += f" {after.st_ino} {after.st_mtime_ns} {after.st_size}"
    except OSError as error:
        return f"error {error.errno}"
    return f"{here.st_ino} {here.st_mtime_ns} {here.st_size} {there}"


def _parse(path: str, data: bytes, name: str, since: str) -> Root:
    document = parse_document(path, data, kind_tag("root"))
    try:
        kind, link = document["kind"], document["link"]
        if kind not in get_args(RootKind) or type(link) is not str or document["name"] != name:
            raise ValueError("kind, link or name is not what it must be")
        return Root(name, kind, parse_selection(document), link, since)
    except _WRONG as error:
        raise DamageError(f"not a root: {error!r}", where=path) from error


def _unreadable(where: str, what: str, name: str) -> CollectionError:
    away = f", or take it away: pylightnix root --remove {shlex.quote(printable(name))}" if name else ""
    return CollectionError(
        f"a root cannot be read: {printable(what)}", where=printable(where),
        hint=f"proceeding would make all that it keeps look dead; see to it{away}", root=name,
    )  # fmt: skip
