"""What must not stand in any file of the project: places of one machine, hosts, drawers, checks that can vanish."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

FORBIDDEN = {
    # Put together from pieces, so that this file does not find itself.
    "a path of one machine": re.compile(
        r"(?<![\w.~$}>])/(?:" + "|".join(("work", "root", "home/[a-z]", "Users/[A-Z]")) + r")\b"
    ),
    "the host of a registry": re.compile(r"https?://[^\s\"')]+/(?:" + "simple" + r"|packages)\b"),
    "a mark of an unfinished merge": re.compile(r"^(?:<{7} |>{7} )", re.MULTILINE),
    "a note to do something": re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b"),
}


def tracked() -> list[Path]:
    """The files that are, or are about to be, under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [PROJECT / name for name in listed.stdout.decode().split("\0") if name and (PROJECT / name).is_file()]


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_forbidden(what: str) -> None:
    found = [
        f"{path.relative_to(PROJECT)}:{text.count(chr(10), 0, hit.start()) + 1}: {hit.group()!r}"
        for path in tracked()
        for text in [text_of(path)]
        for hit in FORBIDDEN[what].finditer(text)
    ]
    assert not found, f"{what}: {found}"


def test_no_drawers() -> None:
    drawers = re.compile(r"(^|/)(utils?|helpers?|common|misc)(\.py|/)")
    assert [str(path) for path in tracked() if drawers.search(path.relative_to(PROJECT).as_posix())] == []


SOURCE = PROJECT / "src" / "pylightnix"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_source_file(path: Path) -> None:
    """It says what it is; and it has no check that `python -O` removes, but for suites of tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body, "the first line says what the file is"
    if path.is_relative_to(SOURCE / "testing"):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            message = ast.unparse(node.msg) if node.msg else ""
            assert "BUG: " in message, f"line {node.lineno}: raise an error instead of asserting"
