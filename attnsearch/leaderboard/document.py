"""A leaderboard for a terminal, as Markdown, as CSV and as JSON values. Numpy side; never imports jax.

Names come from whoever sent an entry: each form writes them so that they stay text.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich import table as rich_table
from rich.text import Text

from attnsearch.leaderboard.board import Board, Family, Row
from attnsearch.leaderboard.entry import EntryCell
from attnsearch.leaderboard.schema import FORMAT_VERSION
from attnsearch.leaderboard.tables import tables, waiting
from attnsearch.results.table import Table
from attnsearch.stats.survival import summarise


def plain(text: str) -> str:
    """`text` without what a terminal might obey."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "�" for sign in text)


def for_terminal(table: Table) -> rich_table.Table:
    """The table for a terminal."""
    shown = rich_table.Table(title=Text(plain(table.caption)), title_justify="left")
    for column in table.columns:
        justify = "right" if column in table.numbers else "left"
        shown.add_column(Text(plain(column)), justify=justify, overflow="fold")
    for row in table.rows:
        shown.add_row(*(Text(plain(cell)) for cell in row))
    return shown


_MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]<>|~$&@"} | {"\n": "; "})
"""The signs that Markdown, and what is common beyond it, gives a meaning within a line."""


def _in_markdown(text: str) -> str:
    # A dot or a colon after a letter would make a link of what looks like an address.
    return re.sub(r"(?<=[A-Za-z])([.:])", r"\\\1", plain(text).translate(_MARKDOWN))


def markdown(board: Board) -> str:
    """The tables in Markdown. Every sign that Markdown knows is written so that it stays that sign."""

    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(_in_markdown(cell) for cell in cells)} |"

    parts = [f"# {_in_markdown(board.suite.title)}"]
    for table in tables(board):
        aligned = ("---:" if column in table.numbers else "---" for column in table.columns)
        head = [line(table.columns), f"| {' | '.join(aligned)} |"]
        parts.append("\n".join([f"**{_in_markdown(table.caption)}**", "", *head, *map(line, table.rows)]))
    return "\n\n".join(parts) + "\n"


def as_csv(board: Board) -> str:
    """One line a mixer and family, ranked or not, with every number; empty where there is none.

    A text that begins as a formula does is given an apostrophe, which spreadsheets take as the sign of text.
    """
    listed = records(board)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    columns = list(dict.fromkeys(name for record in listed for name in record))
    writer.writerow(columns)
    writer.writerows([_in_csv(record.get(name)) for name in columns] for record in listed)
    return buffer.getvalue()


def _in_csv(value: Any) -> Any:
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    if not isinstance(value, str):
        return value
    return f"'{plain(value)}" if value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else plain(value)


def records(board: Board) -> list[dict[str, Any]]:
    """One flat mapping a mixer and family; None where there is no number."""
    return [_record(row, family, board) for family in board.families for row in family.rows]


def _record(row: Row, family: Family, board: Board) -> dict[str, Any]:
    reached, beyond = row.frontier.reached, row.frontier.beyond
    cost, choice, ratio = row.entry.cost, row.choice, row.ratio
    return {
        "family": family.name,
        "suite": board.suite.name,
        "rank": row.rank,
        "tied": row.tied,
        "mixer": row.name,
        "source": row.candidate.source,
        "reasons": list(row.reasons),
        "frontier": None if reached is None else reached.bits,
        "beyond": None if beyond is None else beyond.bits,
        "frontier_settled": row.frontier.settled,
        "mastered": row.mastered.count,
        "escaped": row.escaped.count,
        "runs": row.escaped.of,
        "mastery_rate_low": row.mastered.low,
        "mastery_rate_high": row.mastered.high,
        "escape_rate_low": row.escaped.low,
        "escape_rate_high": row.escaped.high,
        "ratio": None if ratio is None else ratio.value,
        "ratio_low": None if ratio is None else ratio.low,
        "ratio_high": None if ratio is None else ratio.high,
        "learning_rate": None if choice is None else choice.learning_rate,
        "learning_rates": [] if choice is None else [tried.learning_rate for tried in choice.tried],
        "learning_rate_note": None if choice is None else choice.note,
        "context_length": None if cost is None else cost.context_length,
        "parameters": None if cost is None else cost.parameters,
        "flops_per_token": None if cost is None else cost.flops_per_token,
        "tokens_per_second": None if cost is None else cost.tokens_per_second,
        "device": None if cost is None else cost.device,
        "seeds": row.seeds,
        "verified": row.entry.verification is not None and row.entry.verification.passed,
    }


def document(board: Board) -> dict[str, Any]:
    """Everything as JSON values."""
    return {
        "format_version": FORMAT_VERSION,
        "suite": board.suite.name,
        "families": [
            {
                "family": family.name,
                "reference": None if family.reference is None else family.reference.source,
                "mixers": [
                    {
                        **_record(row, family, board),
                        "settings": dict(row.entry.mixer.settings),
                        "environment": dict(row.entry.environment),
                        "tried": [] if row.choice is None else [asdict(tried) for tried in row.choice.tried],
                        "cells": [_cell(cell) for cell in row.cells],
                    }
                    for row in family.rows
                ],
                "places": [
                    {"name": place.name, "bits": place.bits, "separable": place.separable}
                    for place in family.places
                ],
                "pairs": [asdict(pair) for pair in family.pairs],
            }
            for family in board.families
        ],
        "left_out": [asdict(one) for one in board.left_out],
    }


def _cell(cell: EntryCell) -> dict[str, Any]:
    return {
        **cell.spec.flat(),
        "log2_search_space": cell.bits,
        "plateau_length": asdict(waiting(cell)),
        "mastery_step": asdict(summarise(cell.mastery, cell.spec.budget.steps)),
    }
