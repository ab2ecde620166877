"""The lines that `show` prints. Unaware of the store: everything it says was gathered before."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pylightnix.cli.amounts import age, count, duration
from pylightnix.cli.output import cut, styled, table
from pylightnix.cli.values import brief
from pylightnix.errors import PylightnixError
from pylightnix.model.amounts import size
from pylightnix.model.build import Finding
from pylightnix.model.config import decode
from pylightnix.model.realization import Realization
from pylightnix.model.undeclared import findings_in, remedy, used
from pylightnix.names import printable

MOST_FILES = 30
"""Artifacts that are listed; --json has all."""

MOST_RUNS = 50
"""Runs that are listed, the newest; --json has all."""

LOG_LINES = 20
"""Lines of a failed run's log."""

VALUE_COLUMNS = 2000
"""Characters of a value or a parameter."""


def realization_lines(realization: Realization[Any], facts: Mapping[str, Any]) -> list[str]:
    """Everything about a realization."""
    label = f"{facts['label']}: " if "label" in facts else ""
    return [
        _head(f"{label}realization {facts['ref']}"),
        *_pairs(
            ("path", facts["path"] if facts["present"] else f"{facts['path']} (not here; realize makes it again)"),
            ("from", ", ".join(map(printable, facts["from"]))),
            ("size", f"{size(facts['size'])} in {count(facts['files'], 'file')}"),
            ("made", _made(facts["runs"])),
            ("value", brief(realization.value, VALUE_COLUMNS) if facts["value"] is not None else ""),
            ("derivation", facts["derivation"]),
            ("key", facts["key"]),
            ("code", _code(facts["code"])),
            ("versions", brief(facts["env"]) if facts["env"] else ""),
            ("variables", brief(facts["variables"]) if facts["variables"] else ""),
            ("contexts", f"used in {count(len(facts['contexts']), 'context')}" if len(facts["contexts"]) > 1 else ""),
        ),
        *_section("parameters", _parameters(realization)),
        *_section("inputs", _inputs(facts["inputs"])),
        *_section("promises", _promises(facts["promises"])),
        *_section("artifacts", _artifacts(facts["artifacts"])),
        *_section("runs", _runs(facts["runs"])),
        *_section("used and not declared", _findings(facts["runs"])),
        *_leaks(facts),
    ]


def _head(text: str) -> str:
    return styled(printable(text), "bold", sys.stdout)


def _pairs(*pairs: tuple[str, str]) -> list[str]:
    return table([pair for pair in pairs if pair[1]], indent="  ")


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [_head(title), *lines] if lines else []


def _made(runs: Sequence[Mapping[str, Any]]) -> str:
    if not runs:
        return ""
    first = runs[0]
    return f"{age(first['started'])} ago, {first['started']}, in {duration(first['duration'])}"


def _code(code: Any) -> str:
    if not isinstance(code, Mapping):
        return ""
    if "version" in code:
        return f"version {code['version']!r} stands for it"
    if "ignored" in code:
        return "not in the key"
    parts = code.get("parts")
    return ", ".join(sorted(parts)) if isinstance(parts, Mapping) else ""


def _parameters(realization: Realization[Any]) -> list[str]:
    try:
        params = realization.params
    except PylightnixError as error:
        return [f"  ({error.what})"]
    return table([(name, brief(value, VALUE_COLUMNS)) for name, value in params.items()], indent="  ")


def _inputs(inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for one in inputs:
        digits = ", ".join(ref[:8] for ref in one["chosen"]) or "none"
        name = one["derivation"][41:] + (f".{one['promise']}" if one["promise"] else "")
        rows.append((one["label"], name, cut(digits, 80), f"chosen by {one['matcher']}"))
    return table(rows, indent="  ")


def _promises(promises: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [(name, kept["path"], kept["kind"], size(kept["size"])) for name, kept in promises.items()]
    return table(rows, right=(3,), indent="  ")


def _artifacts(artifacts: Sequence[Mapping[str, Any]]) -> list[str]:
    told = [one for one in artifacts if one["kind"] != "directory"] or list(artifacts)
    rows = [(size(one["size"]) if "size" in one else "", _artifact(one)) for one in told[:MOST_FILES]]
    more = [f"  … and {len(told) - MOST_FILES:,} more"] if len(told) > MOST_FILES else []
    return table(rows, right=(0,), indent="  ") + more


def _artifact(one: Mapping[str, Any]) -> str:
    mark = {"directory": "/", "link": f" → {one.get('target')}"}.get(one["kind"], "*" if one.get("executable") else "")
    return f"{one['path']}{mark}"


def _runs(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    if not runs:
        return []
    rows: list[tuple[str, ...]] = [
        ("run", "seed", "started (UTC)", "took", "attempts", "memory", "host", "python", "git", "executor", "isolation")
    ]
    rows += [_run(run) for run in runs[-MOST_RUNS:]]
    shown = [i for i in range(len(rows[0])) if any(row[i] for row in rows[1:])]
    earlier = [f"  {count(len(runs) - MOST_RUNS, 'earlier run')} not shown"] if len(runs) > MOST_RUNS else []
    return table([tuple(row[i] for i in shown) for row in rows], indent="  ") + earlier


def _run(run: Mapping[str, Any]) -> tuple[str, ...]:
    git = run.get("git") or {}
    commit = f"{git.get('commit', '')[:10]}{' (dirty)' if git.get('dirty') else ''}"
    memory = run.get("peak_memory")
    return (
        str(run["index"]),
        str(run["seed"]),
        str(run["started"])[:19].replace("T", " "),
        duration(run["duration"]),
        str(run.get("attempts", "")),
        size(memory) if isinstance(memory, int) else "",
        str(run.get("host", "")),
        str(run.get("python", "")),
        commit,
        str(run.get("executor", "")),
        str(run.get("isolation", "none")).removeprefix("none"),
    )


def _findings(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """What runs used and did not declare: each thing once, with the runs and how to declare it."""
    by: dict[Finding, list[str]] = {}
    more = 0
    for run in runs:
        for finding in findings_in(run):
            by.setdefault(finding, []).append(str(run.get("index", run.get("run", "?"))))
        more = max(more, run.get("more_findings") or 0)
    rows = [
        (f"run {cut(', '.join(which), 40)}", used(finding), remedy(finding))
        for finding, which in list(by.items())[:MOST_FILES]
    ]
    left = len(by) - len(rows) + more
    return table(rows, indent="  ") + ([f"  … and {left:,} more"] if left else [])


def _leaks(facts: Mapping[str, Any]) -> list[str]:
    found = facts["contains_store_path"]
    lines = []
    if found:
        names = ", ".join(printable(name) for name in found[:5]) + (" …" if len(found) > 5 else "")
        told = f"{count(len(found), 'artifact')} with a path of the store inside, wrong where the store is moved"
        text = f"note: {told}: {names}"
        lines.append(styled(text, "yellow", sys.stdout))
    if facts["not_searched"]:
        lines.append(
            f"note: {count(facts['not_searched'], 'artifact')} too large to be searched for paths of the store"
        )
    return lines


def derivation_lines(facts: Mapping[str, Any]) -> list[str]:
    """Everything about a derivation."""
    made = facts["realizations"]
    params = [(name, brief(_readable(tree), VALUE_COLUMNS)) for name, tree in (facts["params"] or {}).items()]
    promises = [(name, one["path"], one["kind"]) for name, one in (facts["promises"] or {}).items()]
    return [
        _head(f"derivation {facts['ref']}"),
        *_pairs(
            ("file", facts["path"]),
            ("code", _code(facts["code"])),
            ("versions", brief(facts["env"]) if facts["env"] else ""),
            ("variables", brief(facts["variables"]) if facts["variables"] else ""),
        ),
        *_section("parameters", table(params, indent="  ")),
        *_section("promises", table(promises, indent="  ")),
        *_section("realizations", [f"  {printable(ref)}" for ref in made] or ["  none"]),
    ]


def _readable(tree: Any) -> Any:
    """A parameter of a derivation's file, with references instead of inputs."""
    if isinstance(tree, dict) and len(tree) == 1:
        if "$derivation" in tree:
            return f"{tree['$derivation'][:8]}-{tree['$derivation'][41:]}"
        if "$promise" in tree:
            return f"{_readable({'$derivation': tree['$promise']['derivation']})}.{tree['$promise']['name']}"
    if isinstance(tree, dict):
        return decode({key: item if key.startswith("$") else _readable(item) for key, item in tree.items()}, {})
    return [_readable(item) for item in tree] if isinstance(tree, list) else tree


def failure_lines(facts: Mapping[str, Any]) -> list[str]:
    """Everything about a failed run."""
    params = [(name, brief(_readable(tree), VALUE_COLUMNS)) for name, tree in (facts.get("params") or {}).items()]
    log = [printable(line) for line in str(facts.get("log", "")).splitlines()]
    trace = [f"  {printable(line)}" for line in str(facts.get("traceback") or "").splitlines()]
    name = facts.get("stage", "")
    return [
        _head(f"failed run of {name}" if name else f"failed run {facts['name']}"),
        *_pairs(
            ("what", str(facts.get("what", "not known: the facts were not written"))),
            ("run", f"{facts.get('run', '?')}, seed {facts.get('seed', '?')}"),
            ("started", _when(facts)),
            ("derivation", str(facts.get("derivation", ""))),
            ("key", str(facts.get("key", ""))),
            ("host", str(facts.get("host", ""))),
            ("kept", facts["path"]),
            ("made", f"{facts['path']}/out has what the builder had made"),
        ),
        *_section("parameters", table(params, indent="  ")),
        *_section("used and not declared", _findings([facts])),
        *_section("traceback", trace),
        *_section(
            f"log, last {LOG_LINES} of {len(log)} lines" if len(log) > LOG_LINES else "log",
            [f"  {x}" for x in log[-LOG_LINES:]],
        ),
    ]


def _when(facts: Mapping[str, Any]) -> str:
    started = facts.get("started")
    took = facts.get("duration")
    if not isinstance(started, str):
        return ""
    return f"{age(started)} ago, {started}" + (
        f", failed after {duration(took)}" if isinstance(took, (int, float)) else ""
    )
