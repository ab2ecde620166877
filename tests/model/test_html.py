"""What a notebook shows of a realization: everything, escaped and bounded."""

from __future__ import annotations

import base64
import html.parser
from typing import Any

import pytest

from pylightnix.model.html import MOST_CHARACTERS, MOST_IMAGES
from pylightnix.model.realization import Realization
from pylightnix.model.visible import VisibleInput
from pylightnix.testing.memory import MemoryShelf

PNG = b"\x89PNG\r\n\x1a\n rest"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def show(value: object = None, **given: Any) -> str:
    shown = MemoryShelf().put("model", value=value, **given)._repr_html_()
    assert shown is not None
    return shown


class Tags(html.parser.HTMLParser):
    """The tags of a document, and whether each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.seen: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in ("br", "img"):
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


def test_it_says_what_it_is() -> None:
    realization = MemoryShelf().put(
        "model", value={"accuracy": 0.5}, params={"depth": None, "opt": {"rate": 0.1}}, artifacts={"a.txt": b""},
        promises={"weights": "a.txt"},
    )  # fmt: skip
    shown = realization._repr_html_()
    assert shown is not None
    for expected in ("model", realization.ref.short, "depth", "None", "opt", "accuracy", "0.5", "weights", "a.txt"):
        assert expected in shown
    assert str(realization.path) in shown
    assert Tags(shown).opened == []


def test_images_among_the_promises_are_shown() -> None:
    shown = show(
        artifacts={"plot.PNG": PNG, "deep/map.svg": SVG, "b.txt": b"x"},
        promises={"p": "plot.PNG", "m": "deep/map.svg", "b": "b.txt"},
    )
    assert f"data:image/png;base64,{base64.b64encode(PNG).decode()}" in shown
    assert f"data:image/svg+xml;base64,{base64.b64encode(SVG).decode()}" in shown
    assert shown.count("<img") == 2
    assert "script" not in Tags(shown).seen


def test_images_are_bounded_in_size_and_number() -> None:
    many = {f"{n}.png": PNG for n in range(MOST_IMAGES + 3)}
    assert show(artifacts=many, promises={f"p{n}": name for n, name in enumerate(many)}).count("<img") == MOST_IMAGES
    large = show(artifacts={"a.png": bytes(2 << 20)}, promises={"a": "a.png"})
    assert "<img" not in large
    assert "not shown: " in large
    assert len(large) < 10_000


def test_images_that_are_gone_are_said_to_be() -> None:
    shelf = MemoryShelf()
    realization = shelf.put("model", artifacts={"a.png": PNG}, promises={"a": "a.png"})
    shelf.collect(realization)
    assert "not shown: " in (realization._repr_html_() or "")


@pytest.mark.parametrize("evil", ["<script>x</script>", '"><img src=x>', "&lt;", "\x1b[31m\x00", "</code></table>"])
def test_everything_is_escaped(evil: str) -> None:
    name = evil.replace("\x1b", "").replace("\x00", "").replace("/", "") or "x"
    shown = show(
        {evil: evil}, params={"text": evil, "deep": [{"k": evil}]}, artifacts={name: b""}, promises={name: name}
    )
    tags = Tags(shown)
    assert tags.opened == []
    assert tags.seen <= {"div", "b", "code", "table", "tr", "td"}
    assert "\x1b" not in shown
    assert "&amp;lt;" in shown or evil != "&lt;"


def test_long_values_are_cut() -> None:
    assert len(show(list(range(100_000)))) < MOST_CHARACTERS + 1000


def test_what_cannot_be_read_is_said_and_the_rest_shown() -> None:
    shelf = MemoryShelf()
    realization = shelf.put("model", value=3)
    lost = Realization[Any](realization.record, MemoryShelf(), None)
    with pytest.raises(Exception, match="context"):
        _ = lost.params
    shown = lost._repr_html_() or ""
    assert "no context" in shown
    assert "<code>3</code>" in shown


def test_an_input_inside_a_builder_has_none() -> None:
    path = MemoryShelf().put("model").path
    assert VisibleInput[Any](path, {}, {}, None, lambda _: ())._repr_html_() is None
