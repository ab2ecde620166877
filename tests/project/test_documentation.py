"""What the pages show is run: files are written, scripts and commands are run, and outputs are compared.

In a page
- a block ```` ```python file=NAME ```` is written to that file (later blocks of the same name replace it);
- a block ```` ```console ```` is run line by line: `$ command`, then what it prints (standard output and error);
  a command may fail only if its line ends with `# fails`;
- all other python blocks are one script, in order; a block ```` ```text ```` right after one is what it prints;
- a block ```` ```console slurm ```` needs a Slurm, and `tests/executors/test_slurm.py` has one;
- a block ```` ```python sketch ```` has names that stand for something of the reader's: it is only compiled.

`...` in an output stands for anything; runs of spaces are one space.
"""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

PROJECT = Path(__file__).parents[2]
PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")])
SEPARATOR = "@@ end of block @@"
SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """A fenced block: language, the words after it, content, and the line of its first line."""

    language: str
    words: tuple[str, ...]
    content: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that it is written to."""
        return next((word.removeprefix("file=") for word in self.words if word.startswith("file=")), None)

    @property
    def sketch(self) -> bool:
        """Whether it is only compiled."""
        return "sketch" in self.words


def blocks(text: str) -> Iterator[Block]:
    for token in MarkdownIt().parse(text):
        if token.type == "fence" and token.info and token.map:
            language, *words = token.info.split()
            yield Block(language, tuple(words), token.content, token.map[0] + 2)


def agree(wanted: str, got: str, where: str) -> None:
    if not doctest.OutputChecker().check_output(wanted.rstrip() + "\n", got.rstrip() + "\n", SAME):
        pytest.fail(f"{where}: the page says\n{wanted}\nand this is what happens:\n{got}", pytrace=False)


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("LANG", "SYSTEMROOT") if name in os.environ}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "COLUMNS": "110",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "PYTHONUNBUFFERED": "1",  # the order of standard output and error is that of a terminal
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_examples(page: Path, tmp_path: Path, surroundings: dict[str, str]) -> None:
    found = list(blocks(page.read_text(encoding="utf-8")))
    work = tmp_path / "work"
    work.mkdir()
    for block in found:
        if block.language == "python":
            compile(block.content, f"{page.name}:{block.line}", "exec")
        if block.file is not None:
            (work / block.file).write_text(block.content, encoding="utf-8")
        if block.language == "console" and "slurm" not in block.words:
            _run_console(block, page, work, surroundings)
    _run_script(found, page, work, surroundings)


def _run_console(block: Block, page: Path, work: Path, surroundings: dict[str, str]) -> None:
    for part in f"\n{block.content}".split("\n$ ")[1:]:
        command, _, wanted = part.partition("\n")
        done = subprocess.run(
            command,
            shell=True,
            cwd=work,
            env=surroundings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        where = f"{page.name}, $ {command}"
        assert (done.returncode != 0) == command.endswith("# fails"), f"{where}: {done.returncode}\n{done.stdout}"
        if wanted.strip():
            agree(wanted, done.stdout, where)


def _run_script(found: list[Block], page: Path, work: Path, surroundings: dict[str, str]) -> None:
    """All other python blocks, each at the line that it has in the page, so that messages name the right one."""
    script = ""
    wanted: list[tuple[int, str | None]] = []
    for block, after in zip_longest(found, found[1:]):
        if block.language != "python" or block.sketch or block.file is not None:
            continue
        script += "\n" * (block.line - 1 - script.count("\n")) + block.content + f"print({SEPARATOR!r})\n"
        wanted.append((block.line, after.content if after is not None and after.language == "text" else None))
    if not wanted:
        return
    file = work / f"{page.stem}.py"
    file.write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, file.name],
        cwd=work,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{page.name}: {done.stderr}"
    for (line, text), got in zip(wanted, done.stdout.split(f"{SEPARATOR}\n"), strict=False):
        if text is not None:
            agree(text, got, f"{page.name}, block at line {line}")


def test_a_wrong_output_is_found(tmp_path: Path, surroundings: dict[str, str]) -> None:
    page = Path("page.md")
    found = list(blocks("```python\nprint(1)\n```\n\n```text\n2\n```\n"))
    with pytest.raises(pytest.fail.Exception, match="the page says\n2"):
        _run_script(found, page, tmp_path, surroundings)
    _run_script(list(blocks("```python\nprint(1)\n```\n\n```text\n1\n```\n")), page, tmp_path, surroundings)


def test_a_failing_command_is_found(tmp_path: Path, surroundings: dict[str, str]) -> None:
    page = Path("page.md")
    for text in ("```console\n$ false\n```", "```console\n$ true # fails\n```"):
        with pytest.raises(AssertionError):
            _run_console(next(blocks(text)), page, tmp_path, surroundings)
    _run_console(next(blocks("```console\n$ echo one two\none ...\n```")), page, tmp_path, surroundings)
