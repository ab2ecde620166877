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
_decode = json.JSONDecoder().raw_decode  # of canonical text: there are no spaces to look for


class Params:
    """Encoded parameters: the canonical text of all of them, cut where inputs stand.

    Args:
        texts: the canonical JSON of each parameter by name; `{"$slot":n}` where input n stands.
    """

    __slots__ = ("_holes", "_pieces", "_shown")

    def __init__(self, texts: Mapping[str, str]) -> None:
        pieces: list[str] = []
        holes: list[int] = []
        shown: list[str] = []
        text = "{"
        comma = ""
        for name in sorted(texts):
            item = f"{_quoted(name)}:{texts[name]}"
            if _HOLE not in item:
                shown.append(item)
                text = f"{text}{comma}{item}"
            else:
                first, *rest = _SLOT.split(item)
                text = f"{text}{comma}{first}"
                for hole, piece in zip(rest[::2], rest[1::2], strict=True):
                    pieces.append(text)
                    holes.append(int(hole))
                    text = piece
            comma = ","
        pieces.append(text + "}")
        self._pieces = tuple(pieces)  # tuples of texts are nothing that Python's collector has to look at
        self._holes = tuple(holes)
        self._shown = ",".join(shown)

    @classmethod
    def encode(cls, values: Mapping[str, object], encoding: Encoding) -> Params:
        """Encode values; `encoding` gathers the inputs and types. ConfigError as it gives it."""
        encode = encoding.encode
        return cls({name: repr(v) if type(v) is int and -_SMALL < v < _SMALL else _text(encode(v, name))
                    for name, v in values.items()})  # fmt: skip

    @classmethod
    def of_trees(cls, trees: Mapping[str, Any]) -> Params:
        """Parameters that are encoded already."""
        return cls({name: canonical(tree).decode() for name, tree in trees.items()})

    def fill(self, fillings: Sequence[str]) -> str:
        """The canonical JSON of all parameters, with these texts in the holes."""
        pieces = self._pieces
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
        return f"{{{self._shown}}}"

    def trees(self) -> dict[str, Any]:
        """The parameters, encoded, with `{"$slot": n}` where input n stands."""
        count = max(self._holes, default=-1) + 1
        trees: dict[str, Any] = _decode(self.fill([f'{{"$slot":{n}}}' for n in range(count)]))[0]
        return trees

    def shown_trees(self) -> dict[str, Any]:
        """The parameters, encoded, in which no input stands."""
        trees: dict[str, Any] = _decode(self.shown())[0]
        return trees


def _text(tree: Any) -> str:
    """Canonical JSON; the commonest trees without the encoder's detours."""
    if type(tree) is dict and len(tree) == 1 and "$slot" in tree:
        return f'{{"$slot":{tree["$slot"]}}}'
    return canonical(tree).decode()


@functools.lru_cache(maxsize=4096)
def _quoted(name: str) -> str:
    return canonical(name).decode()
