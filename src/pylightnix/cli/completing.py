"""What completes a target in a shell: files, the stages in one, references. Runs no code of the user's."""

from __future__ import annotations

import ast
import os
from pathlib import Path

from click.shell_completion import BashComplete, CompletionItem

from pylightnix.errors import PylightnixError
from pylightnix.session.location import as_store

MOST = 100
"""References that are offered at a time."""


class ColonBash(BashComplete):
    """Bash, which takes `FILE.py:STAGE` for three words and replaces only the last of them."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the one under it, with what belongs together put together."""
        words, incomplete = super().get_completion_args()
        joined: list[str] = []
        for word in [*words, incomplete]:
            if joined and word and (word.startswith(":") or joined[-1].endswith(":")):
                joined[-1] += word
            else:
                joined.append(word)
        *args, last = joined
        return args, last

    def format_completion(self, item: CompletionItem) -> str:
        """What bash puts in place of what stands after the colon."""
        return f"{item.type},{item.value.rpartition(':')[2]}"


def complete_target(incomplete: str, store: str | None) -> list[CompletionItem]:
    """What can follow: stages after `FILE.py:`, else files and references."""
    source, colon, begun = incomplete.rpartition(":")
    if colon:
        return [CompletionItem(f"{source}:{name}") for name in _stages(source) if name.startswith(begun)]
    return [*_files(incomplete), *_references(incomplete, store)]


def complete_name(incomplete: str, store: str | None) -> list[CompletionItem]:
    """Names of stages that have realizations."""
    try:
        names = {home.name for home in as_store(store).keeper.homes()}
    except (PylightnixError, OSError):
        return []
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _files(incomplete: str) -> list[CompletionItem]:
    directory, _, begun = incomplete.rpartition("/")
    base = f"{directory}/" if "/" in incomplete else ""
    try:
        entries = sorted(os.scandir(base or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    found = [entry for entry in entries if entry.name.startswith(begun) and not entry.name.startswith(".")]
    return [
        CompletionItem(f"{base}{entry.name}/" if entry.is_dir() else f"{base}{entry.name}")
        for entry in found
        if entry.is_dir() or entry.name.endswith(".py")
    ]


def _stages(source: str) -> list[str]:
    """Functions under a decorator, and names that are assigned, at the top of a file; found without running it."""
    try:
        tree = ast.parse(Path(source).read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError):
        return []
    decorated = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    assigned = [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Call, ast.Dict, ast.List))
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    return decorated + assigned


def _references(incomplete: str, store: str | None) -> list[CompletionItem]:
    try:
        names = os.listdir(as_store(store).keeper.layout.store)
    except (PylightnixError, OSError):
        return []
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)][:MOST]
