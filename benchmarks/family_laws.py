"""By what does each bit, and each doubling of a number of the task, multiply the plateau? A table of runs.

    attnsearch sweep single_location --out results
    attnsearch sweep recall --out results
    python benchmarks/family_laws.py results --task single_location --against context_length,num_repetitions
    python benchmarks/family_laws.py results --task associative_recall --against num_pairs,num_symbols

A row is a law of a series: cells that differ in one number alone. Cells with few runs are left out: some
have only the seeds by which learning rates are chosen. A number must double at least.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress

from attnsearch.base import AttnsearchError
from attnsearch.results.cells import Cell
from attnsearch.results.loading import load
from attnsearch.results.scaling import SAME_SIZE, Growth
from attnsearch.results.study import Study
from attnsearch.results.table import NONE, Table, markdown, ratio
from attnsearch.spec.names import heading
from attnsearch.stats.axis import SEARCH_SPACE
from attnsearch.stats.scaling_law import Law

FEWEST_RUNS = 8


def page(study: Study, numbers: Sequence[str]) -> str:
    """The table: a row for each series, first against its search space, then against each of `numbers`."""
    kept = [cell for cell in study.cells if len(cell.runs) >= FEWEST_RUNS]
    laws = (growth for growth in _growths(kept, numbers) if isinstance(growth.law, Law))
    # From less than a doubling a factor for each doubling would be guessed.
    rows = [_row(growth, kept) for growth in laws if max(growth.bits) - min(growth.bits) >= 1 - SAME_SIZE]
    factor = "plateau multiplied by"
    labels = ("task", "mixer", "learning rate", "each")
    columns = (*labels, "from", "to", "escaped", factor, "power", "does it fit?")
    return markdown(
        Table(
            "By what each added bit, or each doubling, multiplies the plateau, with 95 % intervals",
            columns,
            frozenset(columns[4:9]),
            tuple(sorted(rows)),
            labels=len(labels),
        )
    )


def _growths(cells: Sequence[Cell], numbers: Sequence[str]) -> Iterator[Growth]:
    """The laws of each task by itself."""
    tasks = {cell.spec.task.name for cell in cells}
    for task in sorted(tasks):
        own = Study([run for cell in cells if cell.spec.task.name == task for run in cell.runs])
        yield from own.laws
        for number in numbers:
            with suppress(AttnsearchError):  # a task without this number
                yield from own.laws_against(number)


def _row(growth: Growth, cells: Sequence[Cell]) -> tuple[str, ...]:
    spec, law = growth.cells[0].spec, growth.law
    assert isinstance(law, Law)
    powers = [slope / math.log(2) for slope in (law.slope, law.slope_low, law.slope_high)]
    ends = [law.axis.value(bits) for bits in (min(growth.bits), max(growth.bits))]
    return (
        spec.task.name,
        spec.mixer.name,
        f"{spec.optimizer.learning_rate:g}",
        ", ".join([law.axis.each, *_fixed(growth, cells)]),
        *ends,
        f"{law.observed} of {law.runs}",
        ratio(*law.factors),
        NONE if law.axis is SEARCH_SPACE else ratio(*powers),
        law.reason.partition(":")[0],
    )


def _fixed(growth: Growth, cells: Sequence[Cell]) -> Iterator[str]:
    """The knobs that stay in this series, and have other values elsewhere."""
    spec = growth.cells[0].spec
    if growth.size != "nominal":
        yield "of the cheapest routes"
    for name, value in spec.task.knobs:
        stays = all(dict(cell.spec.task.knobs)[name] == value for cell in growth.cells)
        others = {dict(cell.spec.task.knobs)[name] for cell in cells if cell.spec.task.name == spec.task.name}
        if stays and len(others) > 1:
            yield f"{heading(name)} {value}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", help="folders that were given as --out")
    parser.add_argument("--against", default="context_length", help="numbers of the task, comma-separated")
    parser.add_argument("--task", help="of these tasks alone, comma-separated")
    given = parser.parse_args()
    study = load(*given.runs)
    if given.task is not None:
        asked = given.task.split(",")
        study = Study([run for run in study.runs if run.spec.cell.task.name in asked])
    print(page(study, given.against.split(",")))


if __name__ == "__main__":
    main()
