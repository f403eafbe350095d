"""Numbers in long form: rows of cells, runs, targets or recorded points, for pandas, polars, CSV and Parquet.

What a column means is said by its declaration (`columns`, `run_columns`); what a setting means, by the place
that declares the setting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from attnsearch import files
from attnsearch.files import library
from attnsearch.spec.run import Value

if TYPE_CHECKING:
    import pandas
    import polars

Batch = Mapping[str, "Sequence[Value] | np.ndarray"]
"""Some rows, column by column, all of one length."""


class Described(NamedTuple):
    """A column in the dictionary: its name, its unit ("" for a word), and what it is."""

    key: str
    unit: str
    definition: str


@dataclass(frozen=True, eq=False)
class Records:
    """Rows of one kind. Iterate over them for one dict a row; None where a row has no value.

    columns:  in order, each with its unit and definition
    batches:  makes the rows anew at each call, a part at a time, so that they need not fit into memory; at
              least one part, which may hold no rows
    """

    columns: tuple[Described, ...]
    batches: Callable[[], Iterator[Batch]]

    def __iter__(self) -> Iterator[dict[str, Value]]:
        for batch in self.batches():
            for row in zip(*map(_values, batch.values()), strict=True):
                yield dict(zip(batch, row, strict=True))

    def to_pandas(self) -> pandas.DataFrame:
        """All rows as a frame of pandas. Errors: AttnsearchError where pandas is not installed."""
        return library("pandas").DataFrame(self._whole())

    def to_polars(self) -> polars.DataFrame:
        """All rows as a frame of polars. Errors: AttnsearchError where polars is not installed."""
        return library("polars").DataFrame(self._whole(), infer_schema_length=None)

    def write_parquet(self, path: Path) -> None:
        """Write all rows to a Parquet file, a part at a time; the file is there as a whole or not at all.

        Each column carries its unit and its definition. Errors: AttnsearchError where pyarrow is not
        installed, or the file cannot be written.
        """
        arrow, parquet = library("pyarrow"), library("pyarrow.parquet")
        about = {
            column.key: {"unit": column.unit, "definition": column.definition} for column in self.columns
        }
        with files.replacing(path) as unfinished:
            writer = None
            for batch in self.batches():
                table = arrow.table({name: arrow.array(_alike(values)) for name, values in batch.items()})
                if writer is None:
                    told = [one.with_metadata(about[one.name]) for one in table.schema]
                    writer = parquet.ParquetWriter(unfinished, arrow.schema(told))
                writer.write_table(table.cast(writer.schema))
            assert writer is not None
            writer.close()

    def _whole(self) -> dict[str, Any]:
        """Every column as one array or list."""
        parts = list(self.batches())
        return {column.key: _alike(_joined([part[column.key] for part in parts])) for column in self.columns}


def _values(column: Sequence[Value] | np.ndarray) -> Sequence[Value]:
    """As Python has them; None for what is not a finite number."""
    if not isinstance(column, np.ndarray):
        return column
    if column.dtype.kind == "f" and not np.isfinite(column).all():
        return [value if math.isfinite(value) else None for value in column.tolist()]
    return column.tolist()


def _joined(parts: Sequence[Any]) -> Any:
    if parts and all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    return [value for part in parts for value in part]


def _alike(values: Any) -> Any:
    """`values` of one kind: frames and Parquet have one for each column.

    A setting that is a word in one cell and a number in another becomes text in both.
    """
    if isinstance(values, np.ndarray):
        return values
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} or len(kinds) < 2:
        return [float(value) if value is not None else None for value in values] if len(kinds) > 1 else values
    return [None if value is None else str(value) for value in values]


Row = TypeVar("Row")


def rows_of(
    rows: Callable[[], Iterator[Row]], columns: Sequence[tuple[Described, Callable[[Row], Value]]]
) -> Records:
    """The records of `rows`, each column with the function that gives its value; all in one batch."""

    def batches() -> Iterator[Batch]:
        batch: dict[str, list[Value]] = {column.key: [] for column, _ in columns}
        for row in rows():
            for column, value in columns:
                batch[column.key].append(value(row))
        yield batch

    return Records(tuple(column for column, _ in columns), batches)
