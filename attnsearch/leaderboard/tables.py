"""The tables of a leaderboard, as texts. Numpy side; never imports jax."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from attnsearch.leaderboard.audit_tables import in_short
from attnsearch.leaderboard.board import NOT_SEPARABLE, Board, Family, Place, Row
from attnsearch.leaderboard.entry import EntryCell
from attnsearch.leaderboard.inversions import Beside, inversions
from attnsearch.leaderboard.ranking import Pair, least_p
from attnsearch.results import learning_rates
from attnsearch.results.comparisons import REFERENCE
from attnsearch.results.table import NONE, Table, counted, number, rate, ratio, steps
from attnsearch.runs.cost import Cost
from attnsearch.spec.names import told_apart
from attnsearch.stats.comparison import SIGNIFICANCE
from attnsearch.stats.frontier import Size
from attnsearch.stats.survival import Waiting, summarise

_Column = tuple[str, Callable[[Row, Family], str]]
"""A heading, and the text of a row."""


def _frontier(row: Row, family: Family) -> str:
    found = row.frontier
    reached = NONE if found.reached is None else f"{found.reached.bits:.1f}"
    beyond = "the largest asked" if found.beyond is None else _size(found.beyond)
    return f"{reached}\n{beyond}{'' if found.settled else ', open'}"


def _size(size: Size) -> str:
    return f"next {size.bits:.1f}: {size.mastered.count} of {size.mastered.of}"


def _ratio(row: Row, family: Family) -> str:
    if row.candidate is family.reference:
        return "1\nreference"
    if row.comparable and family.reference is not None and not family.separable:
        return NOT_SEPARABLE
    if row.ratio is None:
        return NONE
    return ratio(row.ratio.value, row.ratio.low, row.ratio.high)


def _learning_rate(row: Row, family: Family) -> str:
    if row.choice is None:
        return NONE
    rates = told_apart(tried.learning_rate for tried in row.choice.tried)
    chosen = rates[row.choice.learning_rate]
    if len(rates) == 1:
        return chosen
    return f"{chosen}\nof {', '.join(rates.values())}{'; ⚠ at its end' if row.choice.note else ''}"


def _cost(text: Callable[[Cost], str]) -> Callable[[Row, Family], str]:
    return lambda row, family: NONE if row.entry.cost is None else text(row.entry.cost)


def _seeds(row: Row, family: Family) -> str:
    chosen = max((len(cell.runs) for cell in row.entry.selection), default=0)
    return f"{row.seeds}\n{chosen} to choose by" if chosen else str(row.seeds)


_NUMBERS: tuple[_Column, ...] = (
    ("frontier (bits)", _frontier),
    ("mastered", lambda row, family: rate(row.mastered)),
    ("escaped", lambda row, family: rate(row.escaped)),
    ("targets found", lambda row, family: NONE if row.found is None else f"{row.found:.0%}"),
    (f"restricted mean / {REFERENCE}", _ratio),
    ("learning rate", _learning_rate),
    ("parameters", _cost(lambda cost: f"{cost.parameters:,}\nat {cost.context_length} tokens")),
    ("FLOPs / token", _cost(lambda cost: number(cost.flops_per_token, ",.0f"))),
    ("tokens / s", _cost(lambda cost: f"{number(cost.tokens_per_second, ',.0f')}\n{cost.device}")),
    ("seeds", _seeds),
)


def rank(row: Row) -> str:
    """`1`, or `1=` where others have the same."""
    return f"{row.rank}{'=' * row.tied}"


def _rows(family: Family, rows: Iterable[Row], columns: Sequence[_Column]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(text(row, family) for _, text in columns) for row in rows)


def ranking(family: Family) -> Table:
    """The ranked mixers of a family, best first."""
    columns: tuple[_Column, ...] = (
        ("rank", lambda row, family: rank(row)),
        ("mixer", lambda row, family: row.name),
        *_NUMBERS,
        ("verified", lambda row, family: _verified(row)),
        ("audited", lambda row, family: audited(row)),
    )
    mixers = counted(len(family.ranked), "mixer")
    others = f"; the others are {NOT_SEPARABLE}" if family.separable < len(family.places) else ""
    caption = (
        f"{family.name}: {mixers} on the suite {family.suite.name}. Equal ranks: not separated."
        f" Escapes in {family.separable} of {len(family.places)} cells{others}"
    )
    # Where it is shown in parts, each says which mixer a rank is of.
    return replace(_table(caption, columns, _rows(family, family.ranked, columns)), labels=2)


def _verified(row: Row) -> str:
    """In words, of a ranked mixer."""
    record = row.entry.verification
    return "yes" if record is None or record.inability is None else f"yes; {record.inability}"


def audited(row: Row) -> str:
    """Whether and where runs of the entry were trained anew, in words."""
    return "no" if row.candidate.audit is None else in_short(row.candidate.audit)


def apart(family: Family) -> Table:
    """The mixers that are not ranked, and why."""
    columns: tuple[_Column, ...] = (
        ("mixer", lambda row, family: row.name),
        ("why it is not ranked", lambda row, family: "; ".join(row.reasons)),
        *_NUMBERS,
    )
    return _table(f"{family.name}, listed apart", columns, _rows(family, family.apart, columns))


def _table(caption: str, columns: Sequence[_Column], rows: tuple[tuple[str, ...], ...]) -> Table:
    words = {"mixer", "verified", "audited", "why it is not ranked"}
    return Table(
        caption,
        tuple(name for name, _ in columns),
        frozenset(name for name, _ in columns if name not in words),
        rows,
    )


def cell_table(family: Family) -> Table:
    """Every question with what each mixer made of it."""
    names = [
        row.name if row.rank is not None else f"({row.name})" for row in family.rows if _answers(row, family)
    ]
    rows = (
        ()
        if not names
        else tuple(
            (
                _question(place),
                NONE if place.bits is None else f"{place.bits:.1f}",
                *_answers_at(place, family),
            )
            for place in family.places
        )
    )
    caption = (
        f"{family.name}, cell by cell: runs that escaped and that mastered, and the median plateau length in"
        " steps; in brackets, mixers listed apart"
    )
    return Table(caption, ("cell", "bits", *names), frozenset({"bits", *names}), rows)


def _question(place: Place) -> str:
    return f"{place.name}\n{NOT_SEPARABLE}" if place.separable is False else place.name


def _answers(row: Row, family: Family) -> bool:
    return any(row.at(place) is not None for place in family.places)


def _answers_at(place: Place, family: Family) -> list[str]:
    cells = [row.at(place) for row in family.rows if _answers(row, family)]
    return [NONE if cell is None else answer(cell) for cell in cells]


def answer(cell: EntryCell) -> str:
    """`16 / 12 of 16` and the median."""
    escaped, mastered = cell.plateau.observed.sum(), cell.mastery.observed.sum()
    return f"{escaped} / {mastered} of {len(cell.runs)}\n{steps(waiting(cell).median)}"


def waiting(cell: EntryCell) -> Waiting:
    """The plateau lengths of a cell, in numbers."""
    return summarise(cell.plateau, cell.spec.budget.steps)


def choice_table(family: Family) -> Table:
    """What each mixer did at each learning rate, on seeds that are not scored."""
    return learning_rates.choice_table(
        {row.name: row.choice for row in family.rows if row.choice is not None and row.entry.selection}
    )


def pair_table(family: Family) -> Table:
    """Every two ranked mixers, and what separates them."""
    rows = tuple(
        (
            family.ranked[pair.first].name,
            family.ranked[pair.second].name,
            NONE if pair.ratio is None else ratio(pair.ratio.value, pair.ratio.low, pair.ratio.high),
            f"{pair.plateau_p:.2g}",
            f"{pair.frontier_p:.2g}",
            verdict(pair, family),
        )
        for pair in family.pairs
    )
    numbers = ("ratio", "p, plateau", "p, frontier")
    return Table(
        "Two by two: ratio of restricted means with its interval; p values adjusted over this table",
        ("mixer", "beside", *numbers, "verdict"),
        frozenset(numbers),
        rows,
    )


def verdict(pair: Pair, family: Family) -> str:
    """In words, what separates the two of a pair."""
    if pair.better is None or pair.ground is None:
        few = least_p(family.ranked[pair.first].seeds) > SIGNIFICANCE
        return "too few seeds to tell" if few else "not separated"
    return f"{family.ranked[pair.better].name} is better, by its {pair.ground}"


def side_by_side(board: Board) -> Table:
    """Every mixer with its place in each family; without rows where there is one family."""
    rows = (
        tuple((one.name, *map(_place, one.rows)) for one in board.across) if len(board.families) > 1 else ()
    )
    caption = (
        "All families side by side: the rank in each, and its frontier in bits. Ranks of different families"
        " are never added up"
    )
    return Table(caption, ("mixer", *board.family_names), frozenset(board.family_names), rows)


def _place(row: Row | None) -> str:
    if row is None:
        return NONE
    reached = row.frontier.reached
    frontier = "no frontier" if reached is None else f"{reached.bits:.1f} bits"
    return f"{NONE}\nlisted apart" if row.rank is None else f"{rank(row)}\n{frontier}"


def inversion_table(board: Board) -> Table:
    """Every two mixers whose order turns round between families; without rows where none does."""
    rows = tuple((one.first, one.second, *map(_beside, one.families)) for one in inversions(board))
    caption = (
        "Orders that turn round: two mixers, of which each is ahead in some family. Ratio of their restricted"
        " means with its interval, and who is ahead"
    )
    return Table(
        caption, ("mixer", "beside", *board.family_names), frozenset(board.family_names), rows, labels=2
    )


def _beside(seen: Beside | None) -> str:
    if seen is None:
        return NONE
    told = NONE if seen.ratio is None else ratio(seen.ratio.value, seen.ratio.low, seen.ratio.high)
    # On the line of the interval: a text has one smaller note.
    if seen.ahead is None:
        return f"{told}, not separated"
    return f"{told}, {'ahead' if seen.ahead else 'behind'} by its {seen.ground}"


def tables(board: Board) -> list[Table]:
    """All tables that have rows: the families side by side, each by itself, the candidates that were left
    out."""
    found = [side_by_side(board), inversion_table(board)]
    for family in board.families:
        found += [ranking(family), apart(family), cell_table(family)]
        found += [choice_table(family), pair_table(family)]
    found.append(
        Table(
            "Left out", ("what", "why"), frozenset(), tuple((one.what, one.reason) for one in board.left_out)
        )
    )
    return [table for table in found if table.rows]
