"""`attnsearch law`: how plateaus grow with the search space, or with a knob."""

from __future__ import annotations

from collections.abc import Sequence

import click

from attnsearch.cli.options import json_option, runs_argument
from attnsearch.cli.output import complain, emit_json


@click.command()
@runs_argument
@click.option(
    "--against",
    metavar="NUMBER",
    help="fit against log2 of this knob, of context_length, or of a size of the network, instead",
)
@json_option
def law(runs: Sequence[str], against: str | None, as_json: bool) -> None:
    """Fit plateau length against the size of the search space, and find the frontier.

    RUNS are folders that were given as --out, folders of single runs, or the first digits of digests. Cells
    that differ only in the numbers of their task are a series. Each has a law of its own, log plateau =
    intercept + slope x bits + noise, in which runs that never escaped count as still waiting; where it does
    not fit, that is said. The frontier is the largest search space that at least half of the runs master.

    --against num_pairs asks by what each doubling of the pairs multiplies the plateau. --against width asks
    the same of the network's width.
    """
    from attnsearch.cli.console import console
    from attnsearch.results.document import law_document
    from attnsearch.results.scaling import sentences, table
    from attnsearch.results.study import Study
    from attnsearch.runs.lookup import collect, standings
    from attnsearch.runs.opened import Opener

    study = Study(collect(runs, complain, Opener()), standings(runs))
    for warning in study.warnings:
        complain(f"warning: {warning}")
    laws = study.laws if against is None else study.laws_against(against)
    if as_json:
        emit_json(law_document(study, laws))
        return
    screen = console(stderr=False)
    for growth in laws:
        screen.line()
        screen.print(growth.title, style="bold")
        for sentence in sentences(growth):
            screen.print(sentence, soft_wrap=not screen.is_terminal)
        screen.print(table(growth))
    for line in study.verified:
        screen.print(line)
