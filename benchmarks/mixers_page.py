"""The mixers side by side, from stored runs and entries: docs/mixers.md, a page a family in
docs/rankings/, and a page a mixer in docs/mixers/.

    .venv/bin/python -m benchmarks.mixers_page results/mixers benchmarks/leaderboard
    .venv/bin/python -m benchmarks.mixers_page results/mixers --suite benchmarks/mixers_automaton.toml

Any part of the mixers will do: the others are named as not run yet. An entry goes before stored runs of its
mixer. Pages of all mixers are written, and their pictures where there are runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attnsearch.leaderboard.board import Board, Family, Row, board
from attnsearch.leaderboard.candidates import Candidate, gather, given
from attnsearch.leaderboard.entry import EntryCell
from attnsearch.leaderboard.tables import choice_table, inversion_table, rank, ranking, side_by_side, waiting
from attnsearch.mixers import MIXERS
from attnsearch.plots.waits import Waits, waits_against_search_space
from attnsearch.results.table import (
    NONE,
    Table,
    counted,
    in_markdown,
    interval,
    listed,
    markdown,
    rate,
    steps,
)
from attnsearch.runs.leaks import LEAK
from attnsearch.runs.lookup import collect
from attnsearch.runs.opened import Opener
from attnsearch.runs.store import StoredRun
from attnsearch.spec.suite import Suite
from attnsearch.stats.survival import Waiting, summarise
from attnsearch.training.jax.backend import JaxBackend
from benchmarks import mixer_pages
from benchmarks.mixers_table import LENGTH, WIDTH, Facts, facts

DOCS = Path(__file__).parents[1] / "docs"
SUITE = Path(__file__).parent / "mixers.toml"

Known = Mapping[str, Facts]
"""What is known of each mixer without a run."""


def candidates(names: Sequence[str], suites: Sequence[Suite]) -> list[Candidate]:
    """What `names` stand for, each mixer once on each suite: by its entry, where there is one."""
    asked = given(names)
    found, left_out = gather(asked, suites)
    for one in left_out:
        print(f"left out: {one.what}: {one.reason}", file=sys.stderr)
    entered = {(one.entry.suite, one.entry.mixer) for one in asked.candidates}
    return [
        one for one in found if one in asked.candidates or (one.entry.suite, one.entry.mixer) not in entered
    ]


def found_of(shown: Board, name: str) -> list[tuple[Family, Row]]:
    """The families that a mixer has answered, each with its row, a ranked one before others."""
    rows = {family: [row for row in family.rows if row.entry.mixer.name == name] for family in shown.families}
    return [(family, found[0]) for family, found in rows.items() if found]


def overview(shown: Board, known: Known, pages: Mapping[Family, str]) -> str:
    """docs/mixers.md. `pages`: the stem of the page of each family."""
    parts = [
        "# The mixers side by side",
        "Who finds which map how soon? Written by `benchmarks/mixers_page.py` from stored runs and from the"
        " [entries](../benchmarks/leaderboard/README.md) of the leaderboard.",
        counts(shown),
        "## All mixers",
        every(shown, known),
    ]
    if (aside := side_by_side(shown)).rows:
        parts += [markdown(aside), turned(shown)]
    links = [
        f"- [{in_markdown(name)}](rankings/{pages[family]}.md): {in_markdown(family.suite.title)}"
        for family, name in zip(shown.families, shown.family_names, strict=True)
    ]
    parts += ["## Family by family", "\n".join(links)]
    return "\n\n".join(parts) + "\n"


def counts(shown: Board) -> str:
    """What counts, and what does not."""
    lines = ["What counts, and what does not:", ""]
    for suite in shown.suites:
        seeds, chosen = len(set(suite.seeds)), len(set(suite.selection_seeds))
        grid = listed(f"{value:g}" for value in suite.learning_rates)
        lines.append(
            f"- Suite `{suite.name}`: {counted(seeds, 'seed')} a cell. The learning rate is the best of"
            f" {grid}, chosen on {counted(chosen, 'other seed')} that are not scored."
        )
    lines += [
        "- A mixer is ranked if it has answered every question of the suite, is [verified](verify.md), and"
        " none of its runs [leaks](maps.md#the-measured-map). The others are listed apart, in brackets.",
        "- A run that never escapes counts with its whole budget in the restricted mean. So does one that"
        " diverged before.",
        "- Mixers of equal rank are not separated. [Leaderboard](leaderboard.md) says how ranks are made.",
        "- The grid of rates is short, and the rest of the recipe is one for all. Another budget or recipe"
        " may rank them otherwise.",
    ]
    return "\n".join(lines)


def every(shown: Board, known: Known) -> str:
    """A row for each mixer that ships: its size, and whether it was run."""
    places = [
        f"| [`{name}`](mixers/{name}.md) | {one.parameters:,} | {one.state} | {one.flops:,.0f} |"
        f" {_speed(shown, name)} | {_standing(shown, name)} |"
        for name, one in sorted(known.items())
    ]
    missing = [name for name in sorted(known) if not found_of(shown, name)]
    none = f"Not run yet, or not to the end: {listed(f'`{name}`' for name in missing)}." if missing else ""
    told = (
        f"Parameters, state and FLOPs are of one layer at D = {WIDTH}, and over {LENGTH} tokens"
        " ([what each is, and cannot do](tables/mixers.md)). Tokens a second are of training a whole network,"
        " where an entry tells them."
    )
    head = ["| mixer | parameters | state | FLOPs a token | tokens / s | rank |", "|---|--:|--:|--:|--:|---|"]
    return "\n".join([told, "", *head, *places, *(["", none] if none else [])])


def turned(shown: Board) -> str:
    """Whose order turns round from family to family."""
    table = inversion_table(shown)
    if not table.rows:
        return "The order of no two mixers turns round between families, as far as families separate them."
    return markdown(table)


def _speed(shown: Board, name: str) -> str:
    costs = [row.entry.cost for _, row in found_of(shown, name) if row.entry.cost is not None]
    speeds = [cost.tokens_per_second for cost in costs if cost.tokens_per_second is not None]
    return f"{speeds[0]:,.0f}" if speeds else NONE


def _standing(shown: Board, name: str) -> str:
    names = dict(zip(shown.families, shown.family_names, strict=True))
    told = [
        ("listed apart" if row.rank is None else rank(row))
        + (f" ({names[family]})" if len(shown.families) > 1 else "")
        for family, row in found_of(shown, name)
    ]
    return ", ".join(told) or "not run yet"


def page(family: Family, name: str, picture: str | None) -> str:
    """The page of one family: its ranking, its picture, its cells, its learning rates."""
    parts = [
        f"# {name[0].upper()}{name[1:]}: who finds which map how soon?",
        f"{family.suite.title}. Written by `benchmarks/mixers_page.py`."
        " [The mixers side by side](../mixers.md) says what counts.",
    ]
    if family.ranked:
        parts.append(markdown(ranking(family)))
    parts += [line for line in (_apart(family), _edges(family), _later(family)) if line]
    if picture:
        parts += [
            "The restricted mean plateau length against the search space, up to the budget:",
            f"![Plateau length of every mixer against the search space, {name}]({picture})",
        ]
    parts += [markdown(table) for table in cell_tables(family) if table.rows]
    if (chosen := choice_table(family)).rows:
        parts.append(markdown(chosen))
    return "\n\n".join(parts) + "\n"


def _apart(family: Family) -> str:
    """Who is not ranked, and why, in few words."""
    lines = [
        f"- `{row.name}`: {in_markdown('; '.join(reason.partition(':')[0] for reason in row.reasons))}"
        for row in family.apart
    ]
    return "\n".join(["Listed apart, and not ranked:", "", *lines]) if lines else ""


def _edges(family: Family) -> str:
    """Whose learning rate lies at the edge of its grid."""
    at = [
        f"- `{row.name}` is best at {row.choice.learning_rate:g}, {row.choice.note}."
        for row in family.rows
        if row.choice is not None and row.choice.note
    ]
    return (
        "\n".join(["At the edge of the grid, so that a better rate may lie beyond:", "", *at]) if at else ""
    )


def _later(family: Family) -> str:
    """The largest distance by which a later token moved an answer, over all runs of the rows."""
    runs = [
        run for row in family.rows for cell in (*row.entry.selection, *row.entry.scored) for run in cell.runs
    ]
    moved = [run.later for run in runs if run.later is not None]
    if not moved:
        return ""
    silent = f" {len(runs) - len(moved)} further runs do not say it." if len(moved) < len(runs) else ""
    return (
        f"Every run audits itself. Tokens behind a query moved its answer by at most {max(moved):.1g} in"
        f" {counted(len(moved), 'run')}; above {LEAK:g} a run leaks.{silent}"
    )


def cell_tables(family: Family) -> list[Table]:
    """Cell by cell, a row a mixer: restricted mean, escape and mastery, each with its interval."""
    cells = [
        f"{place.name}{'' if place.bits is None else f', {place.bits:.1f} bits'}" for place in family.places
    ]

    def table(what: str, text: Callable[[EntryCell], str]) -> Table:
        rows = (
            (
                row.name if row.rank is not None else f"({row.name})",
                *(NONE if (cell := row.at(place)) is None else text(cell) for place in family.places),
            )
            for row in family.rows
        )
        return Table(f"{family.name}: {what}", ("mixer", *cells), frozenset(cells), tuple(rows))

    return [
        table("restricted mean plateau length in steps, with its interval", lambda cell: mean(waiting(cell))),
        table("runs that escaped, with the interval of the rate", lambda cell: rate(waiting(cell).ended)),
        table(
            "runs that mastered every target, with the interval of the rate",
            lambda cell: rate(summarise(cell.mastery, cell.spec.budget.steps).ended),
        ),
    ]


def mean(one: Waiting) -> str:
    """The restricted mean over its interval."""
    return f"{steps(one.restricted_mean)}\n{interval(one.restricted_mean_low, one.restricted_mean_high)}"


def draw(family: Family, name: str, path: Path) -> Path | None:
    """The picture of a family: every mixer that has answered it. None without one."""
    lines = {
        row: Waits(
            row.name if row.rank is not None else f"({row.name})",
            [cell.bits for cell in cells],
            [waiting(cell) for cell in cells],
        )
        for row in family.rows
        if (cells := sorted(row.cells, key=lambda cell: cell.bits))
    }
    if not lines:
        return None
    reference = next((line for row, line in lines.items() if row.candidate is family.reference), None)
    budget = max(cell.spec.budget.steps for row in lines for cell in row.cells)
    title = f"Plateau length against search space: {name}"
    waits_against_search_space(path, list(lines.values()), reference, budget, title)
    return mixer_pages.smaller(path, mixer_pages.FEW_COLOURS)


def write(shown: Board, runs: Sequence[StoredRun], known: Known, docs: Path) -> list[Path]:
    """All pages and their pictures below `docs`. `runs`: the stored ones, of which maps are shown."""
    images = docs / "images" / "mixers"
    for folder in (images, docs / "mixers", docs / "rankings"):
        folder.mkdir(parents=True, exist_ok=True)
    written = [docs / "mixers.md"]
    pages = {family: _stem(family, shown) for family in shown.families}
    for family, name in zip(shown.families, shown.family_names, strict=True):
        file = f"{pages[family]}-plateaus.png"
        picture = f"../images/mixers/{file}" if draw(family, name, images / file) else None
        written.append(docs / "rankings" / f"{pages[family]}.md")
        written[-1].write_text(page(family, name, picture), encoding="utf-8")
    written[0].write_text(overview(shown, known, pages), encoding="utf-8")
    for name, one in known.items():
        found = found_of(shown, name)
        second = mixer_pages.results(name, found, runs, images) if found else []
        written.append(docs / "mixers" / f"{name}.md")
        written[-1].write_text(mixer_pages.page(name, one, second), encoding="utf-8")
    return written


def _stem(family: Family, shown: Board) -> str:
    """What the page of a family is called: as its suite, and as the family where the suite has several."""
    several = sum(other.suite is family.suite for other in shown.families) > 1
    return f"{family.suite.name}-{family.name}" if several else family.suite.name


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="+", help="folders of stored runs, and entries or folders of entries")
    parser.add_argument(
        "--suite", type=Path, action="append", help=f"again for more  [default: {SUITE.name}]"
    )
    parser.add_argument("--docs", type=Path, default=DOCS)
    arguments = parser.parse_args()
    backend = JaxBackend()
    suites = [Suite.read(path, backend.known_mixers) for path in arguments.suite or [SUITE]]
    shown = board(suites, candidates(arguments.names, suites))
    stores = given(arguments.names).stores
    runs = collect(list(stores), lambda line: print(line, file=sys.stderr), Opener()) if stores else []
    for path in write(shown, runs, {name: facts(name) for name in MIXERS}, arguments.docs):
        print(path)


if __name__ == "__main__":
    main()
