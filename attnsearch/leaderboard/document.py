"""A leaderboard as flat records and as JSON values. Numpy side; never imports jax."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from attnsearch.leaderboard.audit_file import values
from attnsearch.leaderboard.board import Across, Board, Family, Row
from attnsearch.leaderboard.entry import EntryCell
from attnsearch.leaderboard.inversions import inversions
from attnsearch.leaderboard.tables import waiting
from attnsearch.spec.names import Names
from attnsearch.stats.survival import summarise

FORMAT_VERSION = 2
"""Version of these values."""


def records(board: Board) -> list[dict[str, Any]]:
    """One flat mapping a mixer and family; None stands for a missing number."""
    return [_record(row, family) for family in board.families for row in family.rows]


def _record(row: Row, family: Family) -> dict[str, Any]:
    reached, beyond = row.frontier.reached, row.frontier.beyond
    cost, choice, ratio = row.entry.cost, row.choice, row.ratio
    record, audit = row.entry.verification, row.candidate.audit
    return {
        "family": family.name,
        "suite": family.suite.name,
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
        "targets_found": row.found,
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
        "verified": record is not None and record.sound,
        "inability": None if record is None else record.inability,
        "audited": None if audit is None else audit.agrees,
        "audited_runs": None if audit is None else len(audit.runs),
        "audited_by": None if audit is None else audit.attnsearch,
    }


def document(board: Board) -> dict[str, Any]:
    """Everything as JSON values."""
    rows = [row for family in board.families for row in family.rows]
    names = Names(cell.spec for row in rows for cell in row.cells)
    return {
        "format_version": FORMAT_VERSION,
        "suites": [suite.name for suite in board.suites],
        "side_by_side": [_across(one, board) for one in board.across],
        "inversions": [asdict(one) for one in inversions(board)],
        "families": [
            {
                "family": family.name,
                "suite": family.suite.name,
                "reference": None if family.reference is None else family.reference.source,
                "mixers": [
                    {
                        **_record(row, family),
                        "settings": dict(row.entry.mixer.settings),
                        "environment": dict(row.entry.environment),
                        "audit": None if row.candidate.audit is None else values(row.candidate.audit),
                        "tried": [] if row.choice is None else [asdict(tried) for tried in row.choice.tried],
                        "cells": [_cell(cell, names) for cell in row.cells],
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


def _across(one: Across, board: Board) -> dict[str, Any]:
    """A mixer in every family that it has entered."""
    return {
        "mixer": one.name,
        "settings": dict(one.mixer.settings),
        "families": [
            {
                "family": family.name,
                "suite": family.suite.name,
                "rank": row.rank,
                "tied": row.tied,
                "frontier": None if row.frontier.reached is None else row.frontier.reached.bits,
                "reasons": list(row.reasons),
            }
            for family, row in zip(board.families, one.rows, strict=True)
            if row is not None
        ],
    }


def _cell(cell: EntryCell, names: Names) -> dict[str, Any]:
    return {
        **names.facts(cell.spec),
        "log2_search_space": cell.bits,
        "plateau_length": asdict(waiting(cell)),
        "mastery_step": asdict(summarise(cell.mastery, cell.spec.budget.steps)),
    }
