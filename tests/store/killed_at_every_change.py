"""A program: kills a process at each of its changes of files, and looks whether a store is sound after each death.

    killed_at_every_change.py DIRECTORY SCENARIO [HOW MANY]

A scenario does something with a store. A child process does it and is killed by SIGKILL just before its n-th change of
the file system, for n = 0, 1, …, or for so many of them, spread evenly. Sound means: nothing half-made can be seen,
the same thing done again succeeds, and then the store says what an undisturbed one says. Prints a line for each
store that is not, and at the end how many deaths there were.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

sys.dont_write_bytecode = True

from pylightnix import Build, Dep, Store, match, promise, realize, stage  # noqa: E402
from pylightnix.session.facts import describe_environment  # noqa: E402
from pylightnix.store.trees import hash_tree, remove_tree  # noqa: E402

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.link", "os.symlink", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@stage(code="ignore")
def data(folder: Path = promise("table", kind="directory")) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "a.txt").write_text("a")
    (folder / "link").symlink_to("deep/a.txt")


@stage(matcher=match.best("score", of=2), code="ignore")
def model(build: Build, source: Dep = data(), out: Path = promise("out.txt")) -> dict[str, int]:
    print("a line for the log")
    (build.scratch / "x").write_text("x")
    (build.checkpoint / "x").write_text("x")
    out.write_text((source.folder / "link").read_text())
    return {"score": 1}


@stage(code="ignore")
def report(best: Dep = model(), out: Path = promise("out.txt")) -> int:
    out.write_text(f"{best.value} {best.out.read_text()}")
    return 7


@stage(code="ignore", version="other", name="data")
def same_data(folder: Path = promise("table", kind="directory")) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "a.txt").write_text("a")
    (folder / "link").symlink_to("deep/a.txt")


def nothing(_: Store) -> None:
    """Leave the store as it is."""


def build_all(store: Store) -> None:
    """From nothing to a report: derivations, two equal runs of one stage, logs, scratch and checkpoints."""
    realize(report(), store=store, quiet=True)


def build_twice(store: Store) -> None:
    """The same bytes by another stage: early cutoff, and contexts that are added."""
    realize(report(best=model(source=same_data())), store=store, quiet=True)


def damage_record(store: Store) -> None:
    """A store with a record that cannot be read."""
    build_all(store)
    (one,) = store.realizations(name="model")
    path = Path(store.keeper.place(one.record)) / "record.json"
    path.unlink()
    path.write_text("{")


def lose_record(store: Store) -> None:
    """A store with artifacts of which one has no record, and is not what it was."""
    build_all(store)
    (one,) = store.realizations(name="model")
    shutil.rmtree(store.keeper.place(one.record))
    (one.path / "out.txt").chmod(0o644)
    (one.path / "out.txt").write_text("half-made")


def remove_model(store: Store) -> None:
    """Remove a realization, and make it again."""
    for realization in store.realizations(name="model"):
        store.remove(realization)
    realize(report(), store=store, quiet=True)


SCENARIOS: dict[str, tuple[Callable[[Store], None], Callable[[Store], None]]] = {
    "build": (nothing, build_all),
    "reuse": (build_all, build_twice),
    "mend": (damage_record, build_all),
    "replace": (lose_record, build_all),
    "remove": (build_all, remove_model),
}
"""By name: what is there before, what is disturbed."""


class Killer:
    """An audit hook that counts changes, and does not survive one of them."""

    def __init__(self, last: int) -> None:
        self.count = 0
        self._last = last

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if event not in CHANGES and not opened:
            return
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1


def in_child(do: Callable[[Store], None], path: Path, last: int) -> tuple[int, int]:
    """Do it in a child that dies at its last change: how it ended, and how many changes it made."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what builders print
        try:
            killer = Killer(last)
            sys.addaudithook(killer)
            do(Store(path))
            os.write(writer, str(killer.count).encode())
            status = 0
        except BaseException:
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
        finally:
            os._exit(status)
    os.close(writer)
    told = os.read(reader, 100)
    os.close(reader)
    return os.waitpid(pid, 0)[1], int(told or -1)


def see_nothing_half_made(path: Path) -> None:
    """Raise if the store shows anything that is not whole."""
    store = Store(path)
    for record in store.keeper.records():
        payload = store.keeper.payload(record)
        if (tree := hash_tree(payload)).digest != record.tree:
            raise AssertionError(f"the artifacts of {record.ref} are not what its record says: {tree}")
        runs = store.keeper.runs(record)
        if not runs:
            raise AssertionError(f"{record.ref} has no run")
        if not any(context.hash == record.made_in for context in store.keeper.contexts(record)):
            raise AssertionError(f"{record.ref} has no origin")
        for run in runs:
            if run.log is not None and "a line" not in store.keeper.log(record, run):
                raise AssertionError(f"a log of {record.ref} is not there")
        store.keeper.files(record)
        store.keeper.derivation(store.keeper.origin(record).derivation)


def told(path: Path) -> list[object]:
    """What a store says, as far as it does not depend on when and how often it was interrupted."""
    found: list[object] = []
    for realization in Store(path).realizations():
        contents = [(name, (realization / name).read_bytes().decode()) for name in realization.files]
        modes = sorted(oct(p.lstat().st_mode) for p in [realization.path, *realization.path.rglob("*")])
        inner = realization.deps.best.deps.source.value if realization.name == "report" else None
        runs = len(realization.runs) >= (2 if realization.name == "model" else 1)
        found.append((realization.ref, realization.value, contents, modes, inner, runs))
    return found


def campaign(directory: Path, scenario: str, most: int | None) -> int:
    """How many stores were not sound."""
    prepare, do = SCENARIOS[scenario]
    warnings.simplefilter("ignore" if prepare is damage_record else "error")
    describe_environment()  # once, instead of in each child
    template = directory / "template"
    prepare(Store(template))
    quiet = directory / "undisturbed"
    if prepare is not nothing:
        shutil.copytree(template, quiet, symlinks=True)
    status, changes = in_child(do, quiet, -1)
    assert status == 0, "the undisturbed process failed"
    expected = told(quiet)
    points = range(changes) if most is None else sorted({i * (changes - 1) // (most - 1) for i in range(most)})
    unsound = 0
    for point in points:
        path = directory / f"at-{point}"
        if prepare is not nothing:
            shutil.copytree(template, path, symlinks=True)
        status, _ = in_child(do, path, point)
        problem = "" if os.WIFSIGNALED(status) else f"it was not killed but ended with {status}"
        try:
            see_nothing_half_made(path)
            problem = problem or ("" if in_child(do, path, -1)[0] == 0 else "it failed when it was done again")
            see_nothing_half_made(path)
            if not problem and told(path) != expected:
                problem = f"it says {told(path)} instead of {expected}"
        except Exception:
            problem = problem or traceback.format_exc()
        if problem:
            unsound += 1
            print(json.dumps({"scenario": scenario, "change": point, "problem": problem}))
        remove_tree(path)
    print(json.dumps({"scenario": scenario, "changes": changes, "deaths": len(points), "unsound": unsound}))
    return unsound


if __name__ == "__main__":
    begin = time.monotonic()
    bad = campaign(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
    sys.exit(min(bad, 1))
