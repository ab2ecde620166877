"""Findings in words: what a builder used without declaring it, and how it is declared. Unaware of how it was seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pylightnix.model.build import Failure, Finding


def used(finding: Finding) -> str:
    """What was done."""
    return {
        "file": f"read {finding.what}",
        "store": f"read {finding.what}, a file of the store",
        "variable": f"read the environment variable {finding.what}",
        "network": f"used the network ({finding.what})",
    }[finding.kind]


def remedy(finding: Finding) -> str:
    """How it is declared."""
    name = json.dumps([finding.what], ensure_ascii=False)
    return {
        "file": f"give pylightnix.stages.local_file({name[1:-1]}) as an input, or say reads={name}",
        "store": "give the stage that made it as an input",
        "variable": f"say variables={name} (it counts for the identity) or pass_variables={name} (it does not)",
        "network": "say network=True",
    }[finding.kind]


def warning_text(stage: str, run: int, finding: Finding) -> str:
    """One sentence for people."""
    return f"{stage} run {run} {used(finding)}, which it did not declare; {remedy(finding)}"


def findings_in(facts: Mapping[str, Any]) -> list[Finding]:
    """The findings that the facts of a run tell, as far as they can be read."""
    told = facts.get("findings")
    kinds = ("file", "store", "variable", "network")
    return [
        Finding(one["kind"], str(one["what"]))
        for one in (told if isinstance(told, Sequence) else ())
        if isinstance(one, Mapping) and one.get("kind") in kinds and "what" in one
    ]


def failure_of(findings: Sequence[Finding], more: int) -> Failure:
    """Why a run counts as failed that would have succeeded."""
    first, rest = findings[0], len(findings) - 1 + more
    also = f" (and {rest} more)" if rest else ""
    return Failure(
        "undeclared",
        f"the builder {used(first)}, which it did not declare{also}",
        fields={"findings": [finding._asdict() for finding in findings]},
        hint="\n  ".join(f"{used(one)}: {remedy(one)}" for one in findings[:10]),
    )
