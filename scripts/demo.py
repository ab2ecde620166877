"""Runs examples/digits.py on a fresh store: all is built; again: nothing is; with one change: only what it touches."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent
STORE = Path("build", "demo")

STORY = [
    ("A new store: the digits, five forests, a report on the best one.", []),
    ("The same again: nothing to do, and why.", []),
    ("One change, flatter trees: new forests and their report; the digits are the same.", ["--depth", "3"]),
    ("Back to the first: everything is still there.", []),
]


def tell(what: str, arguments: list[str]) -> str:
    """Run the example in a process of its own, show what it says, and return what it printed."""
    command = ["examples/digits.py", *arguments]
    print(f"\n# {what}\n$ PYLIGHTNIX_STORE={STORE} python {shlex.join(command)}", flush=True)
    environment = {**os.environ, "PYLIGHTNIX_STORE": str(STORE)}
    done = subprocess.run(
        [sys.executable, *command], cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout


if __name__ == "__main__":
    if (PROJECT / STORE).exists():
        sys.exit(f"{STORE} is there already: `make demo` begins with an empty one")
    said = [tell(what, arguments) for what, arguments in STORY]
    print(f"\nThe confusion matrix of the best forest is a picture, at\n  {said[-1].split(': ', 1)[1].strip()}")
