"""Holds the typed samples against mypy and pyright: what is right passes, and each marked mistake is an error.

Unaware of what the samples say: a line of theirs that ends with `# expect-error` must have an error, others none.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).parent.parent
SAMPLES = ("typing/correct.py", "typing/mistakes.py")
MARK = "# expect-error"

Place = tuple[str, int]


def expected(samples: dict[str, str]) -> set[Place]:
    """The marked lines in texts of samples by name."""
    return {
        (name, number)
        for name, text in samples.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if line.rstrip().endswith(MARK)
    }


def found_by_mypy() -> dict[Place, str]:
    """What mypy says of the samples, by place."""
    output = _said(["mypy", "--no-error-summary", "--hide-error-context", *SAMPLES])
    errors = re.findall(r"^(.+?):(\d+): error: (.*)$", output, flags=re.MULTILINE)
    if not errors and output.strip():
        raise SystemExit(f"mypy failed:\n{output}")
    return {(Path(name).as_posix(), int(number)): text for name, number, text in errors}


def found_by_pyright() -> dict[Place, str]:
    """What pyright says of the samples, by place."""
    output = _said(["pyright", "--outputjson", *SAMPLES])
    try:
        diagnostics = json.loads(output)["generalDiagnostics"]
    except ValueError:
        raise SystemExit(f"pyright failed:\n{output}") from None
    return {
        (Path(one["file"]).relative_to(PROJECT).as_posix(), one["range"]["start"]["line"] + 1): one["message"]
        for one in diagnostics
    }


def _said(command: list[str]) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout or done.stderr


def differences(tool: str, wanted: set[Place], found: dict[Place, str]) -> list[str]:
    """What is wrong, a line for each place."""
    silent = [f"{name}:{number}: {tool} finds no error here" for name, number in sorted(wanted - found.keys())]
    loud = [f"{name}:{number}: {tool}: {found[name, number]}" for name, number in sorted(found.keys() - wanted)]
    return silent + loud


def main() -> int:
    """Run both tools; 1 if either differs from the marks."""
    wanted = expected({name: (PROJECT / name).read_text(encoding="utf-8") for name in SAMPLES})
    tools: dict[str, Callable[[], dict[Place, str]]] = {"mypy": found_by_mypy, "pyright": found_by_pyright}
    wrong = [line for tool, find in tools.items() for line in differences(tool, wanted, find())]
    print("\n".join(wrong) or f"typed samples: mypy and pyright find the {len(wanted)} marked mistakes and no others")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
