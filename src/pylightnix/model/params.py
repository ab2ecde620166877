"""The parameters of a derivation as canonical text with holes where inputs stand. Encoded once, filled twice.

The text of a derivation's file and the text that is hashed into its key are alike but for what stands in the holes:
references there, what a builder sees here.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pylightnix.hashing import canonical
from pylightnix.model.config import Encoding

_SLOT = re.compile(r'\{"\$slot":(\d+)\}')
_SMALL = 2**63
_HOLE = '{"$slot":'


class Params:
    """Encoded parameters by name.

    Args:
        texts: the canonical JSON of each parameter; `{"$slot":n}` where input n stands.
    """

    __slots__ = ("_holes", "_pieces", "_shown", "texts")

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self._pieces: list[str] | None = None
        self._holes: list[int] = []
        self._shown = ""

    @classmethod
    def encode(cls, values: Mapping[str, object], encoding: Encoding) -> Params:
        """Encode values; `encoding` gathers the inputs and types. ConfigError as it gives it."""
        encode = encoding.encode
        return cls(
            {
                name: repr(v) if type(v) is int and -_SMALL < v < _SMALL else _text(encode(v, name))
                for name, v in values.items()
            }
        )

    @classmethod
    def of_trees(cls, trees: Mapping[str, Any]) -> Params:
        """Parameters that are encoded already."""
        return cls({name: canonical(tree).decode() for name, tree in trees.items()})

    def fill(self, fillings: Sequence[str]) -> str:
        """The canonical JSON of all parameters, with these texts in the holes."""
        if self._pieces is None:
            self._compile()
        pieces = self._pieces or []
        if len(pieces) == 1:
            return pieces[0]
        if len(pieces) == 2:
            return f"{pieces[0]}{fillings[self._holes[0]]}{pieces[1]}"
        filled = [pieces[0]]
        for hole, piece in zip(self._holes, pieces[1:], strict=True):
            filled += (fillings[hole], piece)
        return "".join(filled)

    def shown(self) -> str:
        """The canonical JSON of those parameters in which no input stands."""
        if self._pieces is None:
            self._compile()
        return self._shown

    def _compile(self) -> None:
        """One pass over the parameters: the text between the holes, and the text of those without."""
        pieces: list[str] = []
        holes: list[int] = []
        shown: list[str] = []
        text = "{"
        for name in sorted(self.texts):
            item = f"{_quoted(name)}:{self.texts[name]}"
            comma = "" if text == "{" and not pieces else ","
            if _HOLE not in item:
                shown.append(item)
                text = f"{text}{comma}{item}"
                continue
            first, *rest = _SLOT.split(item)
            text = f"{text}{comma}{first}"
            for hole, piece in zip(rest[::2], rest[1::2], strict=True):
                pieces.append(text)
                holes.append(int(hole))
                text = piece
        self._pieces = [*pieces, text + "}"]
        self._holes = holes
        self._shown = "{" + ",".join(shown) + "}"

    def trees(self) -> dict[str, Any]:
        """The parameters, encoded, with `{"$slot": n}` where input n stands."""
        return {name: json.loads(text) for name, text in self.texts.items()}

    def shown_trees(self) -> dict[str, Any]:
        """The parameters, encoded, in which no input stands."""
        return {name: json.loads(text) for name, text in self.texts.items() if _HOLE not in text}


def _text(tree: Any) -> str:
    """Canonical JSON; the commonest trees without the encoder's detours."""
    if type(tree) is dict and len(tree) == 1 and "$slot" in tree:
        return f'{{"$slot":{tree["$slot"]}}}'
    return canonical(tree).decode()


@functools.lru_cache(maxsize=4096)
def _quoted(name: str) -> str:
    return canonical(name).decode()
