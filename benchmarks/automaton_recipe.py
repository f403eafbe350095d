"""Which recipe ends the published automaton's plateau, and how does it grow with S? Tables, pictures.

    attnsearch sweep automaton_recipe --out results
    attnsearch sweep automaton_published --out results
    python -m benchmarks.automaton_recipe results --pictures docs/images

A line of a picture is a run. Dotted lines are the published loss and step.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attnsearch.base import Plateaus
from attnsearch.plots.style import COLOURS, GREY, empty_figure, written
from attnsearch.results.cells import Cell, pool
from attnsearch.results.loading import load
from attnsearch.results.table import Table, markdown, steps
from attnsearch.runs.escape import escape_threshold
from attnsearch.runs.measures import first_step
from attnsearch.runs.outline import MASTERY_HOLD, Targets, escapes, held, outlined
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import OptimizerSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

PUBLISHED = 377
"""Steps of the published plateau at S = 8, until the loss is below `LOSS` (arXiv:2606.25010)."""

PUBLISHED_GROWTH = 1.7
"""By what that plateau is longer at S = 32: 654 steps over 377."""

LOSS = 1.3
"""In nats. The threshold of escape is a little lower, below what a guess by frequent colours scores."""


def positions_of(cell: Cell) -> str:
    """How its network knows positions."""
    added, relative = cell.spec.network.positions, dict(cell.spec.mixer.settings)["relative_positions"]
    return " and ".join(name for name in (added, str(relative)) if name != "none") or "none"


def state_size(cell: Cell) -> int:
    """Cells of a state, S."""
    return int(str(dict(cell.spec.task.knobs)["state_size"]))


def recipe(cell: Cell) -> tuple[str, float, str]:
    """Positions, learning rate, and what else is not as usual; all but S and the batch."""
    given, usual = cell.spec.optimizer, OptimizerSpec()
    differs = [
        f"{field.name.replace('_', ' ')} {getattr(given, field.name):g}"
        for field in fields(given)
        if field.name != "learning_rate" and getattr(given, field.name) != getattr(usual, field.name)
    ]
    return positions_of(cell), given.learning_rate, ", ".join(differs)


def order(cell: Cell) -> tuple[int, int, str, float, str]:
    """Larger batches last, and within a batch the recipes in order."""
    return (state_size(cell), cell.spec.budget.tokens_per_step, *recipe(cell))


def lengths(cell: Cell, points: int = 1) -> Plateaus:
    """`[N]`: steps until so many recorded points in a row begin to be below the threshold of escape.

    The plateau is over at one.
    """

    def of_run(run: StoredRun) -> Plateaus:
        targets = Targets.of(run.truth)
        outline = outlined(run.curves.loss[:, run.truth.is_target], targets)
        below = escapes(outline, targets, escape_threshold(run.spec.cell.task))
        return first_step(run.curves.step, held(below, points)[:, None])

    return pool(map(of_run, cell.runs))


def waits(found: Plateaus) -> str:
    """Each of some waiting times, in steps."""
    pairs = zip(found.length, found.observed, strict=True)
    return ", ".join(steps(length) if observed else f">{steps(length)}" for length, observed in pairs)


def table(cells: Sequence[Cell]) -> Table:
    """A row a cell: its setting, the plateau of each run, and its last losses."""
    rows = []
    for cell in sorted(cells, key=order):
        last = [f"{run.curves.loss[-1][run.truth.is_target].mean():.2f}" for run in cell.runs]
        size, tokens, positions, rate, differs = order(cell)
        rows.append(
            (f"{size}", f"{tokens:,}", positions, f"{rate:g}", differs, waits(cell.lengths), ", ".join(last))
        )
    return Table(
        f"Plateau length of each run, in steps; published at S = 8: {PUBLISHED}",
        (
            "S",
            "tokens a step",
            "positions",
            "learning rate",
            "else",
            "plateau of each run",
            "last loss (nats)",
        ),
        frozenset({"S", "tokens a step", "learning rate"}),
        tuple(rows),
        labels=5,
    )


def in_a_step(cell: Cell) -> dict[str, int]:
    """Tokens of a step, and sequences."""
    knobs, tokens = dict(cell.spec.task.knobs), cell.spec.budget.tokens_per_step
    return {"tokens": tokens, "sequences": tokens // (int(str(knobs["num_states"])) * state_size(cell))}


def growth(cells: Sequence[Cell]) -> Table:
    """Each cell above the smallest S, beside one of that S which differs in no other way.

    A step has as many tokens in both, or as many sequences. Noise alone may take one point below the
    threshold of escape, so the steps are given too until several points in a row begin to be there.
    """
    rows = []
    smallest = min(map(state_size, cells))
    below = [cell for cell in cells if state_size(cell) == smallest]
    for cell in sorted((cell for cell in cells if cell not in below), key=order):
        for base in sorted((one for one in below if recipe(one) == recipe(cell)), key=order):
            there = in_a_step(base)
            equal = [f"{count:,} {name}" for name, count in in_a_step(cell).items() if count == there[name]]
            for points in (1, MASTERY_HOLD) if equal else ():
                of_base, of_cell = lengths(base, points), lengths(cell, points)
                said = (waits(of_base), waits(of_cell), times(of_base, of_cell))
                rows.append((f"{state_size(cell)}", *equal, f"{points}", *said))
    return Table(
        f"Plateau length at S over S = {smallest}; published at S = 32: {PUBLISHED_GROWTH}",
        ("S", "equal in a step", "points below", f"steps at S = {smallest}", "steps at S", "times as long"),
        frozenset({"S", "points below"}),
        tuple(rows),
        labels=3,
    )


def times(there: Plateaus, here: Plateaus) -> str:
    """How many times as long the waits `here` are: of the medians, and in brackets of every pair."""
    if not there.observed.all():
        return "not known"
    pairs = here.length[:, None] / there.length
    middle = np.median(here.length) / np.median(there.length)
    least = "" if here.observed.all() else ">"
    return f"{least}{middle:.1f} ({pairs.min():.1f} to {least}{pairs.max():.1f})"


def figure(
    cells: Sequence[Cell], title: str, legend: str, named: Callable[[Cell], tuple[str, str]]
) -> Figure:
    """A panel a batch, a line a run. `named` says of a cell what has its colour, and the rest of its name.

    Runs at the highest learning rate have full lines.
    """
    batches = sorted({cell.spec.budget.tokens_per_step for cell in cells})
    coloured = dict.fromkeys(named(cell)[0] for cell in sorted(cells, key=order))
    colours = dict(zip(coloured, COLOURS, strict=False))
    highest = max(cell.spec.optimizer.learning_rate for cell in cells)
    known: dict[str, Line2D] = {}
    drawn = empty_figure(1.8 + 3.6 * len(batches), 3.4, title)
    panels = drawn.subplots(1, len(batches), sharey=True, squeeze=False)[0]
    for axes, tokens in zip(panels, batches, strict=True):
        for cell in sorted(cells, key=order):
            if cell.spec.budget.tokens_per_step != tokens:
                continue
            colour, rest = named(cell)
            for run in cell.runs:
                (known[f"{colour}{rest}"],) = axes.plot(
                    run.curves.step,
                    run.curves.loss[:, run.truth.is_target].mean(axis=1),
                    "-" if cell.spec.optimizer.learning_rate == highest else "--",
                    color=colours[colour],
                    linewidth=1.0,
                )
        axes.axhline(LOSS, color=GREY, linestyle=":", linewidth=0.9)
        axes.axvline(PUBLISHED, color=GREY, linestyle=":", linewidth=0.9)
        axes.set(title=f"{tokens:,} tokens a step", xlabel="training step")
    panels[0].set(ylabel="loss of targets (nats)")
    drawn.legend(list(known.values()), list(known), loc="outside right upper", edgecolor="none", title=legend)
    return drawn


draw = written(figure)


def by_recipe(cell: Cell) -> tuple[str, str]:
    """How a recipe's lines are called: its positions and what is unusual, and its learning rate."""
    positions, rate, differs = recipe(cell)
    return ", ".join(filter(None, (positions, differs))), f", {rate:g}"


def by_size(cell: Cell) -> tuple[str, str]:
    """How the lines of an S are called."""
    return f"S = {state_size(cell)}", ""


def main() -> None:
    """Print the tables, and draw the pictures where a folder is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", help="folders that were given as --out")
    parser.add_argument("--pictures", type=Path, help="the folder for the pictures")
    given = parser.parse_args()
    cells = load(*given.runs).cells
    print(markdown(growth(cells)))
    print()
    print(markdown(table(cells)))
    if given.pictures is None:
        return
    smallest = min(map(state_size, cells))
    recipes = {recipe(cell) for cell in cells if state_size(cell) > smallest}
    small = [cell for cell in cells if state_size(cell) == smallest]
    grown = [cell for cell in cells if recipe(cell) in recipes]
    title = "Loss of the published automaton, S = 8"
    draw(given.pictures / "automaton-recipe.png", small, title, "positions, rate", by_recipe)
    draw(given.pictures / "automaton-growth.png", grown, f"{title} and 32", "cells", by_size)


if __name__ == "__main__":
    main()
