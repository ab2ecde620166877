"""Runs measured scripts in processes of their own. Unaware of what they do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent


class Took(NamedTuple):
    """Seconds: by the script's own clock (0 if it prints none), and from outside, start and end included."""

    inside: float
    outside: float


def python(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Took:
    """Run this Python with these arguments."""
    return run([sys.executable, *arguments], environment)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Took:
    """Run a command; what it tells is thrown away unless it fails. Python keeps what it compiles, as usual."""
    around = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    done = subprocess.run(command, env={**around, **(environment or {})}, capture_output=True, text=True, check=False)
    outside = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    try:
        inside = float(done.stdout)
    except ValueError:
        inside = 0.0
    return Took(inside, outside)
