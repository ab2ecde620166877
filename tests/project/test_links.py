"""Links in the pages lead somewhere."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

PROJECT = Path(__file__).parents[2]
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])


def links(page: Path) -> list[str]:
    found = []
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if isinstance(target, str):
                found.append(target)
    return found


def anchors(page: Path) -> set[str]:
    """The names that headings get: lower case, without punctuation, spaces as hyphens."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    titles = [
        "".join(child.content for child in after.children or ())
        for token, after in pairwise(tokens)
        if token.type == "heading_open"
    ]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(other), f"{page.name} links to {target}; there are {sorted(anchors(other))}"


def test_every_page_is_reached() -> None:
    reached = {PROJECT / "README.md"}
    fresh = set(reached)
    while fresh:
        fresh = {
            (page.parent / target.partition("#")[0]).resolve()
            for page in fresh
            for target in links(page)
            if not re.match(r"[a-z]+:", target) and target.partition("#")[0].endswith(".md")
        } - reached
        reached |= fresh
    assert set(PAGES) <= reached, "pages that no link leads to"
