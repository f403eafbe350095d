"""A study as text: its tables, the rules they were made by, and what to distrust."""

from __future__ import annotations

from collections.abc import Iterable

from attnsearch.cli.console import console
from attnsearch.results.study import Study
from attnsearch.results.table import Table


def print_study(study: Study, tables: Iterable[Table]) -> None:
    """Print `tables`, then how the numbers in them came about and what stands between them and a claim."""
    screen = console(stderr=False)
    for table in tables:
        screen.print(table)
    for measurement in study.measurements:
        screen.print(str(measurement))
    for line in study.verified:
        screen.print(line)
    for warning in study.warnings:
        screen.print(f"warning: {warning}", style="yellow")
