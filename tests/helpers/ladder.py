"""Boards of made entries, and what a board is in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from attnsearch.leaderboard.board import Board, Family, board
from attnsearch.leaderboard.candidates import Candidate, LeftOut
from attnsearch.leaderboard.entry import Entry, assemble
from attnsearch.leaderboard.tables import tables
from attnsearch.results.table import markdown
from attnsearch.runs.cost import Cost
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import MixerSpec
from attnsearch.spec.suite import Suite
from helpers.made_runs import SUITE, verification

LADDER = SUITE.replace("seeds = 6", "seeds = 16").replace("steps = 400", "steps = 1_000")
LADDER = LADDER.replace("support_size = 4", "support_size = [2, 4]")
"""Sixteen seeds, and four search spaces, of which nobody finds the last."""

SLOW = MixerSpec("slow", ())
COST = Cost(16, 213_000, 421_000.5, None, "2 x cpu, a processor")


def entry(asked: Suite, mixer: MixerSpec, own: Sequence[StoredRun], verdict: str = "passed") -> Entry:
    """What `own` make of a mixer that has been verified."""
    return assemble(asked, mixer, own, verification(mixer, verdict), COST)


def shown(asked: Suite, *entries: Entry, left_out: Sequence[LeftOut] = ()) -> Board:
    """The board of `entries`, which come from 0.json, 1.json, ..."""
    candidates = [Candidate(one, f"{number}.json") for number, one in enumerate(entries)]
    return board([asked], candidates, left_out)


def only(made: Board) -> Family:
    """The one family of a board."""
    (family,) = made.families
    return family


def text_of(made: Board) -> str:
    """All tables of a board in Markdown."""
    return "\n\n".join(map(markdown, tables(made)))
