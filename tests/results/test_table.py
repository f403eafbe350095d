"""One table in every form: on screens of any width, as Markdown and as CSV, and names that stay names."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from attnsearch.results.table import Table, as_csv, counted, in_markdown, listed, markdown, number, steps

HOSTILE = [
    "a[/b]",
    "[link=https://x.example]attention[/link]",
    "[bold red]x",
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;https://x.example\x07here\x1b]8;;\x07",
    "ab\u202ecd",
    "a\u200bb",
    "\x9b31m",
    "bell\a",
]
"""What a terminal, rich, or a reader's eye would obey."""


def printed(table: Table, width: int = 200) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def table_of(*names: str) -> Table:
    return Table(
        f"About {names[0]}",
        ("name", "runs\nin all"),
        frozenset({"runs\nin all"}),
        tuple((name, "8\nof 9") for name in names),
    )


def test_numbers_in_words() -> None:
    assert (steps(1270.4), steps(None)) == ("1,270", "not reached")
    assert (number(0.126, ".2f"), number(None, ".2f")) == ("0.13", "–")
    assert (counted(1, "run"), counted(2048, "run")) == ("1 run", "2,048 runs")
    assert listed(["a", "b", "a", "c"]) == "a, b and c"
    assert listed(["a"]) == "a"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_on_a_terminal(name: str) -> None:
    shown = printed(Table(name, (name, "runs"), frozenset({"runs"}), ((name, name),)))
    text = printed(Table("t", ("n",), frozenset(), ((name,),)))
    # What rich writes for its own titles is not in question.
    shown, text = (re.sub(r"\x1b\[(0|1|3|1;3)m", "", one) for one in (shown, text))
    assert not {"\x1b", "\x9b", "\x07", "\u202e", "\u200b"} & set(shown + text)
    if name.isprintable():
        # Caption, heading, two cells.
        assert shown.count(name) == 4


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_in_markdown_and_csv(name: str) -> None:
    text = markdown(table_of(name))
    assert text.isascii() or name.isprintable()
    assert text.replace("\n", "").isprintable()
    assert "[link" not in text.replace("\\[link", "")
    written = as_csv([{"name": name, name: 1}])
    assert written.replace("\n", "").isprintable()
    assert len(list(csv.reader(io.StringIO(written)))) == 2


def test_markdown_shows_notes_after_a_semicolon_and_every_sign_as_itself() -> None:
    assert markdown(table_of("a|b", "https://x.example")).splitlines() == [
        "**About a\\|b**",
        "",
        "| name | runs in all |",
        "| --- | ---: |",
        "| a\\|b | 8; of 9 |",
        "| https\\://x\\.example | 8; of 9 |",
    ]
    assert in_markdown("# a\nb") == "\\# a; b"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_of_a_csv_is_a_formula(name: str) -> None:
    heading, row = csv.reader(io.StringIO(as_csv([{name: name, "loss": -1.5, "all": [name, "b"]}])))
    assert heading[0].startswith("'")
    assert row[0].startswith("'")
    assert row[1] == "-1.5"
    assert row[2].startswith("'")


def test_csv_has_a_column_for_every_key_and_nothing_where_there_is_no_value() -> None:
    assert as_csv([{"a": 1, "b": None}, {"a": True, "c": "x, y"}]) == 'a,b,c\n1,,\nTrue,,"x, y"\n'


# On a screen.


def wide(columns: int, labels: int = 1) -> Table:
    names = ("mixer", *(f"column {index}\nof them" for index in range(columns)))
    return Table("Wide", names, frozenset(names[1:]), (("attention", *["123 of 456"] * columns),), labels)


def test_a_table_that_is_too_wide_is_shown_in_parts_and_nothing_is_cut() -> None:
    text = printed(wide(8), 80)
    seen = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, seen.splitlines())) <= 80
    assert text.count("Wide") == 1
    assert text.count("attention") == 2
    assert text.count("123 of 456") == 8
    for index in range(8):
        assert text.count(f"column {index}") == 1
    assert "…" not in text
    assert printed(wide(8)).count("attention") == 1


def test_a_column_wider_than_the_screen_is_folded() -> None:
    text = printed(Table("", ("mixer", "runs"), frozenset(), (("a" * 200, "8"),)), 60)
    assert text.count("a") >= 200
    assert "…" not in text


def test_a_table_without_columns_or_rows_is_printed() -> None:
    assert "name" in printed(Table("None", ("name", "runs"), frozenset(), ()))
    printed(Table("Nothing", (), frozenset(), (), labels=0))


ROWS = (
    ("attention", "1,270\n1,100 to 1,500", "", "–"),
    ("日本語", " 8 of 9 ", "a\n\nb", "ends in blanks  "),
    (HOSTILE[3], "", "3", "e\u0301"),
    ("x" * 30, "not reached", "12\n\n", "\n"),
)


@pytest.mark.parametrize("width", [20, 45, 60, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("terminal", [True, False])
def test_rows_are_drawn_as_rich_draws_them(width: int, encoding: str, terminal: bool) -> None:
    def shown(table: Table) -> bytes:
        raw = io.BytesIO()
        file = io.TextIOWrapper(raw, encoding, errors="backslashreplace")
        Console(width=width, file=file, force_terminal=terminal, color_system="standard").print(table)
        file.flush()
        return raw.getvalue()

    names = ("mixer", "plateau length,\nmedian", "runs", "note")
    for shown_rows in range(len(ROWS) + 1):
        for numbers in (frozenset(), frozenset({"runs"}), frozenset(names)):
            table = Table("A caption of several words " * 3, names, numbers, ROWS[:shown_rows])
            # Rich draws a table with styles by itself.
            assert shown(table) == shown(replace(table, styles={(0, 0): ""}))


def test_a_style_is_that_of_one_text() -> None:
    plain = Table("", ("a", "b"), frozenset(), (("x", "y"),))
    red = Table("", ("a", "b"), frozenset(), (("x", "y"),), styles={(0, 1): "red"})
    assert "\x1b[31m" in printed(red)
    assert "\x1b[31m" not in printed(plain)
