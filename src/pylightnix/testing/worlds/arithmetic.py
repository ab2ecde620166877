"""What the builders of a world do: look at all that they can see, tell it, and make numbers of it.

The oracle makes its numbers of what a builder should see, by the same arithmetic.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pylightnix.model.build import Build
from pylightnix.model.realization import Realization

LOG = "PYLIGHTNIX_WORLD_LOG"
"""The environment variable that names the file to which each execution adds a line; outside of every identity."""

BROKEN = "PYLIGHTNIX_WORLD_BROKEN"
"""The environment variable that names the function of which every execution fails, if there is one."""


class Outcome(NamedTuple):
    """What a builder leaves: texts by relative path, and its value."""

    files: Mapping[str, str]
    value: Mapping[str, int]


def outcome(seen: str, seed: int) -> Outcome:
    """What comes of seeing this, with this seed."""
    modulus: int
    luck: int
    modulus, luck = json.loads(seen)[0][-2:]

    def number(of: str) -> int:
        return zlib.crc32(f"{of} {seed % luck} {seen}".encode()) % modulus

    files = {"out.txt": str(number("out")), "notes/side.txt": str(number("side")), "more.txt": str(number("more"))}
    return Outcome(files, {"score": number("score")})


def sight(spoken: list[Any], given: Any) -> str:
    """All that a builder sees, as text: two builders that see the same have the same key."""
    return json.dumps([spoken, given], sort_keys=True)


def look(given: Any) -> Any:
    """What is to be seen of an argument."""
    if isinstance(given, Realization):
        return sight_of_input({name: (given / name).read_text() for name in given.files}, given.value, given.params)
    if isinstance(given, Path):
        return sight_of_artifact(given.name, given.read_text())
    if isinstance(given, tuple):
        return {"many": [look(each) for each in given]}
    if isinstance(given, list):
        return [look(each) for each in given]
    return {name: look(each) for name, each in given.items()} if isinstance(given, dict) else repr(given)


def sight_of_artifact(name: str, text: str) -> Any:
    """What is to be seen of a promise of an input: the file under its own name, not where it stood."""
    return {"artifact": {name: text}}


def sight_of_input(files: Mapping[str, str], value: Any, params: Mapping[str, Any]) -> Any:
    """What is to be seen of an input that is given as a whole."""
    return {"files": dict(files), "value": value, "params": {name: repr(each) for name, each in params.items()}}


def make(build: Build, spoken: list[Any], given: Any) -> dict[str, int]:
    """Do what every builder of a world does: tell, compute, write, return.

    Args:
        build: of this run.
        spoken: what the builder's code says of itself; the last two are its modulus and its luck.
        given: the argument with the inputs.
    """
    seen = sight(spoken, look(given))
    broken = os.environ.get(BROKEN) == spoken[0]
    with open(os.environ[LOG], "a", encoding="utf-8") as log:
        log.write(json.dumps({"sight": seen, "run": build.run, "seed": build.seed, "failed": broken}) + "\n")
    if broken:
        raise RuntimeError(f"{spoken[0]} is broken")
    made = outcome(seen, build.seed)
    for name, text in made.files.items():
        (build.out / name).write_text(text)
    return dict(made.value)
