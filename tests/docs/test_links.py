"""Every link between pages, and every file that a page, a comment or a message names, leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    path
    for pattern in ("*.md", "docs/**/*.md", "tasks/*.md", "benchmarks/**/*.md")
    for path in sorted(ROOT.glob(pattern))
]
SOURCES = [
    path
    for folder in ("attnsearch", "benchmarks", "tasks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".toml")
]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[tuple[str, Path, str]]:
    """What a page links to within the project: as written, the file, and the heading or nothing."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\]\((?!http)(([^)#\s]*)(?:#([^)\s]*))?)\)", text)
    return [
        (written, (page.parent / file).resolve() if file else page, heading)
        for written, file, heading in found
    ]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    for written, file, heading in links(page):
        assert file.exists(), f"{named(page)} links to {written}, which does not exist"
        if heading:
            assert heading in anchors(file), f"{named(page)} links to {written}, which is not a heading there"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, to_read = set[Path](), [ROOT / "README.md"]
    while to_read:
        page = to_read.pop()
        if page.suffix == ".md" and page not in reached:
            reached.add(page)
            to_read += [file for _, file, _ in links(page)]
    assert {named(page) for page in PAGES if page not in reached} == {"CHANGELOG.md"}


def test_the_files_that_are_named_are_there() -> None:
    name = re.compile(r"(?<![\w/.])(?:attnsearch|benchmarks|docs|tasks|tests)/[\w/-]+\.(?:md|py|toml)\b")
    lost = {
        f"{named(path)} names {file}"
        for path in [*PAGES, *SOURCES]
        for file in name.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / file).exists()
    }
    assert lost == set()
