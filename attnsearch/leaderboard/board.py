"""Entries side by side: who is ahead of whom, family by family, and who is listed apart.

Numpy side; never imports jax. Tables and pages are made of a `Board` by `attnsearch.leaderboard.tables` and
`attnsearch.leaderboard.page`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from attnsearch.base import AttnsearchError, Bools
from attnsearch.leaderboard.candidates import Candidate, LeftOut, question, questions
from attnsearch.leaderboard.entry import Entry, EntryCell
from attnsearch.leaderboard.ranking import Pair, Ratio, Scores, pairs, ranks, ratio
from attnsearch.leaderboard.shortcomings import doubts, shortcomings
from attnsearch.results.comparisons import REFERENCE
from attnsearch.results.learning_rates import Choice, waited
from attnsearch.spec.names import Names, joined, mixer_names
from attnsearch.spec.run import CellSpec, MixerSpec
from attnsearch.spec.suite import Suite
from attnsearch.stats.frontier import Frontier, frontier
from attnsearch.stats.survival import Proportion, pool, proportion

NOT_SEPARABLE = "not separable at this budget"
"""Said of a cell in which no run of any mixer escapes, so that it cannot say which mixer is better."""


@dataclass(frozen=True)
class Place:
    """One question of the suite, a row in the table of cells.

    question:   a cell without mixer and learning rate
    bits:       its search space; None where no mixer has answered it
    separable:  whether any run of a ranked mixer escapes, or of a comparable mixer where none is ranked; None
                without comparable mixers
    """

    question: CellSpec
    name: str
    bits: float | None
    separable: bool | None


@dataclass(frozen=True, eq=False)
class Row:
    """A mixer in one family.

    cells:       its scored cells: one for each question of the family where it is `comparable`, else its own
    comparable:  whether it has answered the suite, all of it and nothing else
    reasons:     why it is listed apart; none for one that is ranked
    choice:      of its learning rate; None where its runs do not allow one
    ratio:       of its restricted means to the reference's; None where there is nothing to compare
    rank, tied:  None where it is listed apart; whether another has the same
    """

    name: str
    candidate: Candidate
    cells: tuple[EntryCell, ...]
    comparable: bool
    reasons: tuple[str, ...]
    choice: Choice | None
    ratio: Ratio | None = None
    rank: int | None = None
    tied: bool = False

    @property
    def entry(self) -> Entry:
        """The entry behind the row."""
        return self.candidate.entry

    @property
    def frontier(self) -> Frontier:
        """The largest search space that at least half of its runs master."""
        counts = [int(cell.mastery.observed.sum()) for cell in self.cells]
        return frontier([cell.bits for cell in self.cells], counts, [len(cell.runs) for cell in self.cells])

    @property
    def escaped(self) -> Proportion:
        """Over all its cells."""
        return _proportion(cell.plateau.observed for cell in self.cells)

    @property
    def mastered(self) -> Proportion:
        """Over all its cells."""
        return _proportion(cell.mastery.observed for cell in self.cells)

    @property
    def found(self) -> float | None:
        """Share of the targets of all its runs that were found; None without a cell."""
        return float(pool(cell.found for cell in self.cells).observed.mean()) if self.cells else None

    @property
    def seeds(self) -> int:
        """Scored runs of the cell that has most."""
        return max((len(cell.runs) for cell in self.cells), default=0)

    def at(self, place: Place) -> EntryCell | None:
        """The cell that answers the question of `place`; None where it does not."""
        return next((cell for cell in self.cells if question(cell.spec) == place.question), None)

    def scores(self) -> Scores:
        """Of one that is comparable."""
        return Scores(
            np.stack([waited(cell.plateau, cell.spec.budget.steps) for cell in self.cells]),
            np.stack([cell.mastery.observed for cell in self.cells]),
        )


def _proportion(groups: Iterable[Bools]) -> Proportion:
    collected = list(groups)
    return proportion(int(sum(group.sum() for group in collected)), sum(map(len, collected)))


@dataclass(frozen=True, eq=False)
class Family:
    """The tables of one task family of a suite.

    places:     from the smallest search space; unknown ones last
    ranked:     best first; apart: the others that have answered questions of this family
    pairs:      of the `ranked`, by their numbers there
    reference:  what ratios are to; None where no mixer of that name is comparable
    """

    suite: Suite
    name: str
    places: tuple[Place, ...]
    ranked: tuple[Row, ...]
    apart: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    reference: Candidate | None

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them."""
        return (*self.ranked, *self.apart)

    @property
    def separable(self) -> int:
        """Places at which any run escapes."""
        return sum(bool(place.separable) for place in self.places)


@dataclass(frozen=True, eq=False)
class Across:
    """A mixer in all families, which are never added up.

    rows:  one for each family of the board; None where the mixer has not answered a question of it
    """

    name: str
    mixer: MixerSpec
    rows: tuple[Row | None, ...]


@dataclass(frozen=True, eq=False)
class Board:
    """Everything that is shown."""

    suites: tuple[Suite, ...]
    families: tuple[Family, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def title(self) -> str:
        """Of the suite; of several, what they have in common."""
        return self.suites[0].title if len(self.suites) == 1 else "Families of tasks side by side"

    @cached_property
    def family_names(self) -> tuple[str, ...]:
        """What each family is called here: with its suite where several have one of this name."""
        names = [family.name for family in self.families]
        return tuple(
            joined(family.name, family.suite.name if names.count(family.name) > 1 else "")
            for family in self.families
        )

    @cached_property
    def across(self) -> tuple[Across, ...]:
        """Every mixer by name, with its row in each family. Of several rows, a ranked one."""
        rows = [row for family in self.families for row in family.rows]
        names = mixer_names([row.entry.mixer for row in rows])
        return tuple(
            Across(name, mixer, tuple(_of_mixer(family, mixer) for family in self.families))
            for mixer, name in sorted(names.items(), key=lambda item: item[1])
        )


def _of_mixer(family: Family, mixer: MixerSpec) -> Row | None:
    return next((row for row in family.rows if row.entry.mixer == mixer), None)


def board(
    suites: Sequence[Suite], candidates: Sequence[Candidate], left_out: Sequence[LeftOut] = ()
) -> Board:
    """The tables of `candidates` on `suites`, of which there is one at least.

    A candidate that answers another suite is listed apart on the first.

    Errors: AttnsearchError for a suite that has several learning rates and no seeds to choose one by.
    """
    named = [suite.name for suite in suites]
    families: list[Family] = []
    unseen = list(left_out)
    for number, suite in enumerate(suites):
        mine = [
            one
            for one in candidates
            if one.entry.suite == suite.name or (not number and one.entry.suite not in named)
        ]
        made, others = _families(suite, mine)
        families += made
        unseen += others
    return Board(tuple(suites), tuple(families), tuple(unseen))


def _families(suite: Suite, candidates: Sequence[Candidate]) -> tuple[list[Family], list[LeftOut]]:
    """The tables of one suite, and the candidates that are in none of them."""
    if len(suite.learning_rates) > 1 and not suite.chooses:
        raise AttnsearchError(f"suite {suite.name} needs selection_seeds to choose a learning rate by")
    asked = questions(suite)
    rows: list[Row] = []
    for candidate, name in zip(candidates, _names(candidates), strict=True):
        rows.append(_checked(_row(suite, candidate, name, asked), rows))
    grouped: dict[str, list[CellSpec]] = {}
    for one in asked:
        grouped.setdefault(suite.families[one.task.name], []).append(one)
    families = [_family(suite, name, members, rows) for name, members in grouped.items()]
    shown = {row.candidate for family in families for row in family.rows}
    return families, [LeftOut(row.name, "; ".join(row.reasons)) for row in rows if row.candidate not in shown]


def _row(suite: Suite, candidate: Candidate, name: str, asked: Sequence[CellSpec]) -> Row:
    """The candidate over all families."""
    entry = candidate.entry
    missing = shortcomings(suite, entry)
    answered = {question(cell.spec): cell for cell in entry.scored}
    cells = entry.scored if missing else tuple(answered[one] for one in asked)
    try:
        choice = entry.choice()
    except AttnsearchError:
        choice = None
    return Row(name, candidate, cells, not missing, (*missing, *doubts(entry)), choice)


def _checked(row: Row, earlier: Sequence[Row]) -> Row:
    """The row, with the reasons that other rows give against it: a mixer is entered once, and all entries
    agree on what follows from a question."""
    for other in earlier:
        if not (other.comparable and row.comparable):
            continue
        if other.entry.mixer == row.entry.mixer:
            return replace(row, reasons=(*row.reasons, f"entered before, by {other.candidate.source}"))
        if not all(map(_agree, other.cells, row.cells)):
            reason = f"its search spaces, chance or Bayes losses differ from {other.candidate.source}"
            return replace(row, reasons=(*row.reasons, reason), comparable=False)
    return row


def _agree(one: EntryCell, other: EntryCell) -> bool:
    """Whether two cells that answer one question say the same of it, run by run."""
    if not np.array_equal(one.state, other.state):
        return False
    numbers = [
        np.concatenate([[cell.bits, cell.chance_loss], *(run.targets.bayes_loss for run in cell.runs)])
        for cell in (one, other)
    ]
    return np.allclose(*numbers, rtol=1e-6, atol=1e-9)


def _names(candidates: Sequence[Candidate]) -> list[str]:
    """Mixers by what tells them apart, and by where they come from where one is there twice."""
    mixers = [candidate.entry.mixer for candidate in candidates]
    names = mixer_names(mixers)
    return [
        joined(names[mixer], candidate.source if mixers.count(mixer) > 1 else "")
        for mixer, candidate in zip(mixers, candidates, strict=True)
    ]


def _family(suite: Suite, name: str, asked: Sequence[CellSpec], rows: Sequence[Row]) -> Family:
    members = [row for row in (_within(row, asked) for row in rows) if row.cells]
    comparable = [row for row in members if row.comparable]
    telling = [row for row in comparable if not row.reasons] or comparable
    separable = np.zeros(len(asked), bool)
    for row in telling:
        separable |= [bool(cell.plateau.observed.any()) for cell in row.cells]
    answered = {question(cell.spec): cell.bits for row in telling or members for cell in row.cells}
    # Of several, the first that is ranked.
    named = sorted(
        (row for row in comparable if row.entry.mixer.name == REFERENCE), key=lambda row: bool(row.reasons)
    )
    if named:
        scores = named[0].scores()
        members = [
            replace(row, ratio=ratio(row.scores(), scores, separable)) if row.comparable else row
            for row in members
        ]
    ranked, between = _ranked([row for row in members if not row.reasons], separable)
    known = separable.tolist() if telling else [None] * len(asked)
    names = Names(asked)
    places = [
        Place(one, names.label(one) or names.full(one), answered.get(one), found)
        for one, found in zip(asked, known, strict=True)
    ]
    return Family(
        suite,
        name,
        tuple(sorted(places, key=lambda place: np.inf if place.bits is None else place.bits)),
        ranked,
        tuple(row for row in members if row.reasons),
        between,
        named[0].candidate if named else None,
    )


def _within(row: Row, asked: Sequence[CellSpec]) -> Row:
    """The row with its cells of one family alone."""
    tasks = {one.task.name for one in asked}
    return replace(row, cells=tuple(cell for cell in row.cells if cell.spec.task.name in tasks))


def _ranked(rows: Sequence[Row], separable: Bools) -> tuple[tuple[Row, ...], tuple[Pair, ...]]:
    """Best first: by rank; within a rank by frontier and restricted means, though these separate nobody."""

    def order(row: Row) -> tuple[float, float]:
        reached = row.frontier.reached
        return -(reached.bits if reached else 0.0), float(np.log(row.scores().waited.mean(axis=1)).mean())

    ordered = sorted(rows, key=order)
    bits = [cell.bits for cell in ordered[0].cells] if ordered else []
    found = pairs([row.scores() for row in ordered], bits, separable)
    given = ranks(len(ordered), found)
    # Stable, so that rows of one rank stay in order.
    by_rank = sorted(range(len(ordered)), key=given.__getitem__)
    now = {number: index for index, number in enumerate(by_rank)}
    return (
        tuple(
            replace(ordered[number], rank=given[number], tied=given.count(given[number]) > 1)
            for number in by_rank
        ),
        tuple(_renumbered(pair, now) for pair in found),
    )


def _renumbered(pair: Pair, now: Mapping[int, int]) -> Pair:
    better = None if pair.better is None else now[pair.better]
    return replace(pair, first=now[pair.first], second=now[pair.second], better=better)
