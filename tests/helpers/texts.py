"""What a table says, column by column."""

from __future__ import annotations

from attnsearch.results.table import Table


def shown(table: Table) -> dict[str, list[str]]:
    """The texts of each column, by its heading in one line."""
    headings = [" ".join(column.split()) for column in table.columns]
    return {heading: [row[index] for row in table.rows] for index, heading in enumerate(headings)}
