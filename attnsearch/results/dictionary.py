"""The dictionary of columns: what each is called, its unit and its definition, as the columns declare it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attnsearch.results.columns import COLUMNS
from attnsearch.results.early_signals import COLUMNS as OF_SIGNAL
from attnsearch.results.long_form import POINT, described
from attnsearch.results.records import Described, Records, rows_of
from attnsearch.results.run_columns import OF_RUN, OF_TARGET, RUN, TARGET
from attnsearch.results.table import Table

DICTIONARY: Mapping[str, tuple[Described, ...]] = {
    "cell": tuple(map(described, COLUMNS)),
    "run": tuple(map(described, (*RUN, *OF_RUN))),
    "target": tuple(map(described, (*TARGET, *OF_TARGET))),
    "point": POINT,
    "signal": tuple(map(described, OF_SIGNAL)),
}
"""By what a row is about: the columns that are there whatever the settings."""


def table(caption: str, columns: Sequence[Described]) -> Table:
    """Some columns as a table."""
    return Table(caption, ("column", "unit", "definition"), frozenset(), tuple(map(tuple, columns)))


def records(columns: Sequence[Described]) -> Records:
    """Some columns as rows of their own."""
    return rows_of(
        lambda: iter(columns),
        [
            (Described("column", "", "Name of the column."), lambda one: one.key),
            (Described("unit", "", "Its unit; empty for a word."), lambda one: one.unit),
            (Described("definition", "", "What the value is."), lambda one: one.definition),
        ],
    )
