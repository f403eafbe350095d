"""Every link between pages, and every page that a comment or a message names, leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    path
    for pattern in ("*.md", "docs/**/*.md", "tasks/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(pattern)
]
SOURCES = [
    path
    for folder in ("attnsearch", "benchmarks", "tasks", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".toml")
]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target, anchor in re.findall(r"\]\((?!http)([^)#\s]*)(?:#([^)\s]*))?\)", text):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), f"{named(page)} links to {target}, which does not exist"
        if anchor:
            assert anchor in anchors(linked), f"{named(page)} links to {target}#{anchor}; {anchors(linked)}"


def test_the_pages_that_sources_name_are_there() -> None:
    lost = {
        f"{named(source)} names {page}"
        for source in SOURCES
        for page in re.findall(
            r"\b(?:docs|tasks|benchmarks)/[\w/-]+\.md\b", source.read_text(encoding="utf-8")
        )
        if not (ROOT / page).exists()
    }
    assert not lost
