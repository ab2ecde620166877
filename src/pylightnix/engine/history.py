"""Why a key is new: what differs from the derivation of the same name that is nearest. Explains, decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pylightnix.hashing import canonical
from pylightnix.model.closure import Pinned, unslotted
from pylightnix.model.keeping import Keeper
from pylightnix.model.params import Params
from pylightnix.model.realization import Realization


class History:
    """What a store says of earlier derivations, read once for each name and only if something is to be built."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._names: dict[str, _Earlier] = {}

    def because(self, pinned: Pinned, candidates: Sequence[Realization[Any]]) -> str:
        """What changed, in one clause; empty where candidates are there and only more runs are wanted."""
        if candidates:
            return ""
        earlier = self._names.get(pinned.name)
        if earlier is None:
            earlier = self._names[pinned.name] = _Earlier(self._keeper.history(pinned.name))
        return earlier.compare(pinned)


class _Earlier:
    """The derivations of one name, found by what they share with another: everything, parameters, or code."""

    def __init__(self, documents: Sequence[Mapping[str, Any]]) -> None:
        self._any = bool(documents)
        self._latest: dict[tuple[str, bytes], Mapping[str, Any]] = {}
        for document in documents:
            for facet in _facets(document):
                self._latest[facet] = document

    def compare(self, pinned: Pinned) -> str:
        if not self._any:
            return "nothing of this name was made before"
        now = pinned.parsed()
        for facet in _facets(now):
            before = self._latest.get(facet)
            if before is not None:
                return difference(before, now)
        return "code and parameters differ from all that was made before"


def _facets(document: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """What two derivations may share, the most telling first: the less differs, the clearer the reason."""
    params, _ = unslotted(document["params"])
    shown = Params.of_trees(params).shown_trees()
    given = {name: tree for name, tree in document["params"].items() if name not in shown}
    code = document.get("code")
    others = [document.get(name) for name in ("env", "variables", "promises", "types")]
    return [
        ("all", canonical([document["params"], code, *others])),
        ("but the code", canonical([document["params"]])),
        ("but the parameters", canonical([given, code, *others])),
        ("but the inputs", canonical([shown, code, *others])),
        ("the parameters", canonical([shown])),
        ("the code", canonical([code])),
    ]


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two documents, in one clause."""
    told = [*_code(before.get("code", {}), now.get("code", {})), *_params(before["params"], now["params"])]
    told += [
        f"{name} changed" for name in ("env", "variables", "promises", "types") if before.get(name) != now.get(name)
    ]
    return "; ".join(told) or "an input has other content than before"


def _code(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    if before == now:
        return []
    old, new = before.get("parts"), now.get("parts")
    if not isinstance(old, dict) or not isinstance(new, dict):
        return [f"code {_told(before)} → {_told(now)}"]
    changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    told = [f"code of {', '.join(changed)} changed"] if changed else []
    told += [f"code now names {', '.join(sorted(new.keys() - old.keys()))}"] if new.keys() - old.keys() else []
    told += [f"code no longer names {', '.join(sorted(old.keys() - new.keys()))}"] if old.keys() - new.keys() else []
    return told


def _told(code: Mapping[str, Any]) -> str:
    return f"version {code['version']}" if "version" in code else "ignored" if "ignored" in code else "tracked"


def _params(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    told = []
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            told.append(f"parameter {name} is new")
        elif name not in now:
            told.append(f"parameter {name} is gone")
        elif before[name] != now[name] or type(before[name]) is not type(now[name]):
            told.append(f"{name}: {_brief(before[name])} → {_brief(now[name])}")
    return told


def _brief(tree: Any) -> str:
    if isinstance(tree, dict) and len(tree) == 1 and "$derivation" in tree:
        return f"{tree['$derivation'][41:]} {tree['$derivation'][:8]}"
    text = canonical(tree).decode()
    return text if len(text) <= 40 else text[:37] + "…"
