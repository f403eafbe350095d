"""Which positions, batch and learning rate end the plateau of the published automaton? A table and a picture.

    attnsearch sweep automaton_recipe --out results
    python -m benchmarks.automaton_recipe results --picture docs/images/automaton-recipe.png

A line of the picture is a run. Dotted lines are the published loss and step.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attnsearch.plots.style import COLOURS, GREY, empty_figure, written
from attnsearch.results.cells import Cell
from attnsearch.results.loading import load
from attnsearch.results.table import Table, markdown, steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

PUBLISHED = 377
"""Steps of the published plateau at S = 8, until the loss is below `LOSS` (arXiv:2606.25010)."""

LOSS = 1.3
"""In nats. The threshold of escape is a little lower, below what a guess by frequent colours scores."""


def positions_of(cell: Cell) -> str:
    """How its network knows positions."""
    added, relative = cell.spec.network.positions, dict(cell.spec.mixer.settings)["relative_positions"]
    return " and ".join(name for name in (added, str(relative)) if name != "none") or "none"


def order(cell: Cell) -> tuple[int, int, str, float]:
    """Larger batches last, and within a batch the positions and rates in order."""
    knobs, budget = dict(cell.spec.task.knobs), cell.spec.budget
    return (
        int(str(knobs["state_size"])),
        budget.tokens_per_step,
        positions_of(cell),
        cell.spec.optimizer.learning_rate,
    )


def table(cells: Sequence[Cell]) -> Table:
    """A row a cell: its setting, the plateau of each run, and its last losses."""
    rows = []
    for cell in sorted(cells, key=order):
        lengths = zip(cell.lengths.length, cell.lengths.observed, strict=True)
        waited = [steps(length) if observed else f">{steps(length)}" for length, observed in lengths]
        last = [f"{run.curves.loss[-1][run.truth.is_target].mean():.2f}" for run in cell.runs]
        state_size, tokens, positions, rate = order(cell)
        labels = (f"{state_size}", f"{tokens:,}", positions, f"{rate:g}")
        rows.append((*labels, ", ".join(waited), ", ".join(last)))
    return Table(
        f"Plateau length of each run, in steps; published at S = 8: {PUBLISHED}",
        ("S", "tokens a step", "positions", "learning rate", "plateau of each run", "last loss (nats)"),
        frozenset({"S", "tokens a step", "learning rate"}),
        tuple(rows),
        labels=4,
    )


def _figure(cells: Sequence[Cell]) -> Figure:
    batches = sorted({cell.spec.budget.tokens_per_step for cell in cells})
    colours = dict(zip(sorted({positions_of(cell) for cell in cells}), COLOURS, strict=False))
    known: dict[str, Line2D] = {}
    figure = empty_figure(1.8 + 3.6 * len(batches), 3.4, "Loss of the published automaton, S = 8")
    panels = figure.subplots(1, len(batches), sharey=True, squeeze=False)[0]
    for axes, tokens in zip(panels, batches, strict=True):
        for cell in sorted(cells, key=order):
            if cell.spec.budget.tokens_per_step != tokens:
                continue
            rate = cell.spec.optimizer.learning_rate
            for run in cell.runs:
                (known[f"{positions_of(cell)}, {rate:g}"],) = axes.plot(
                    run.curves.step,
                    run.curves.loss[:, run.truth.is_target].mean(axis=1),
                    "-" if rate == 3e-3 else "--",
                    color=colours[positions_of(cell)],
                    linewidth=1.0,
                )
        axes.axhline(LOSS, color=GREY, linestyle=":", linewidth=0.9)
        axes.axvline(PUBLISHED, color=GREY, linestyle=":", linewidth=0.9)
        axes.set(title=f"{tokens:,} tokens a step", xlabel="training step")
    panels[0].set(ylabel="loss of targets (nats)")
    names = sorted(known)
    figure.legend(
        [known[name] for name in names],
        names,
        loc="outside right upper",
        edgecolor="none",
        title="positions, rate",
    )
    return figure


draw = written(_figure)


def main() -> None:
    """Print the table, and draw the picture where a path is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", help="folders that were given as --out")
    parser.add_argument("--picture", type=Path, help="where the picture goes")
    given = parser.parse_args()
    study = load(*given.runs)
    print(markdown(table(study.cells)))
    if given.picture is not None:
        draw(given.picture, study.cells)


if __name__ == "__main__":
    main()
