"""Plain words: the cheapest signs of sentences that must be read twice, in pages and in messages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]

PAGES = ("*.md", "docs/**/*.md", "tasks/*.md", "benchmarks/**/*.md")

MODULES = ("attnsearch/**/*.py",)
"""Modules whose strings are checked, docstrings too."""

SIGNS = {
    r"\b(?:is|are|was|were) no (?!longer)": "write 'is not a' or 'has no'",
    r"\b(?:that|those) of\b": "repeat the noun",
    r"\bwhat is no\b": "name the thing",
}

MOST_WORDS = 30
"""Of a sentence in a page. 25 are meant; a list of names may take more."""


class Fault(NamedTuple):
    """Where a sentence stands, the sentence, and what to do."""

    path: str
    line: int
    sentence: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.advice}: {self.sentence}"


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """The sentences of a paragraph, each with the number of lines before it."""
    start = 0
    for end in [*re.finditer(r"(?<=[.!?])[)*\"]*\s+", text), None]:
        sentence = text[start : end.start() if end else len(text)]
        if sentence.strip():
            yield text.count("\n", 0, start), " ".join(sentence.split())
        start = end.end() if end else len(text)


def paragraphs(page: str) -> Iterator[tuple[int, str]]:
    """The paragraphs, list items and table cells of a Markdown page, each with its line. Code is left out."""
    page = re.sub(r"^( *)```.*?^\1```", lambda code: "\n" * code[0].count("\n"), page, flags=re.M | re.S)
    page = re.sub(r"`[^`]+`", lambda code: "x" + "\n" * code[0].count("\n"), page)
    page = re.sub(r"\]\([^)\s]*\)", "]", page)
    first, lines = 1, list[str]()
    for number, line in enumerate([*page.split("\n"), ""], start=1):
        mark = re.match(r" *(?:[-*]|\d+\.|#+) ", line)
        if lines and (mark or not line.strip() or line.startswith("|")):
            yield first, "\n".join(lines)
            lines = []
        if line.startswith("|"):
            yield from ((number, cell) for cell in line.strip("|").split("|"))
        elif line.strip():
            first = first if lines else number
            lines = [*lines, line[mark.end() :] if mark else line]


def strings(module: str) -> Iterator[tuple[int, str]]:
    """The strings of a Python module that hold more than one word, each with its line."""
    for node in ast.walk(ast.parse(module)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def faults(path: str, texts: Iterator[tuple[int, str]], most_words: int | None = None) -> Iterator[Fault]:
    """What is wrong with the sentences of `texts`."""
    for line, text in texts:
        for before, sentence in sentences(text):
            for sign, advice in SIGNS.items():
                if re.search(sign, sentence, re.IGNORECASE):
                    yield Fault(path, line + before, sentence, advice)
            if most_words and len(sentence.split()) > most_words:
                yield Fault(path, line + before, sentence, f"use at most {most_words} words")


def found(patterns: tuple[str, ...]) -> list[str]:
    return sorted({path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern)})


@pytest.mark.parametrize("page", found(PAGES))
def test_a_page_is_plain(page: str) -> None:
    wrong = list(faults(page, paragraphs((ROOT / page).read_text(encoding="utf-8")), MOST_WORDS))
    assert not wrong, "\n" + "\n".join(map(str, wrong))


def test_the_strings_of_the_package_are_plain() -> None:
    wrong = [
        fault
        for module in found(MODULES)
        for fault in faults(module, strings((ROOT / module).read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n" + "\n".join(map(str, wrong))


def test_a_fault_is_found_where_it_stands() -> None:
    page = "# A page\n\nIt is long.\nThis is no good: `that of`.\n\n| a | those of b |\n\n```\nis no\n```\n"
    lines = [(fault.line, fault.advice) for fault in faults("page.md", paragraphs(page))]
    assert lines == [(4, "write 'is not a' or 'has no'"), (6, "repeat the noun")]
    (long,) = faults("page.md", paragraphs("- one two three four\n"), 3)
    assert str(long) == "page.md:1: use at most 3 words: one two three four"


def test_a_fault_in_a_string_is_found_and_a_comment_is_left() -> None:
    module = '"""A module.\n\nWhat is no key leads on."""\n# is no\nraise ValueError(f"{1} is no key")\n'
    assert [fault.line for fault in faults("m.py", strings(module))] == [3, 3, 5]
