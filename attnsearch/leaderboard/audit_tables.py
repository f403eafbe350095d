"""How an audit is told: a table, and lines. Numpy side; never imports jax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attnsearch.leaderboard.audit import FALSE_ALARMS, Audit
from attnsearch.results.table import NONE, Table, counted
from attnsearch.spec.names import Names
from attnsearch.spec.run import RunSpec


def table(audit: Audit, specs: Sequence[RunSpec]) -> Table:
    """One row a run; `specs` are of its runs."""
    names = Names(spec.cell for spec in specs)
    by_digest = {spec.digest: spec for spec in specs}
    rows = tuple(
        (
            names.full(by_digest[run.digest].cell),
            str(run.seed),
            _step(run.told),
            _step(run.found),
            audit.verdict(run),
        )
        for run in audit.runs
    )
    numbers = ("seed", "escape told\n(steps)", "escape found\n(steps)")
    return Table("Runs that were trained anew", ("run", *numbers, "verdict"), frozenset(numbers), rows)


def _step(step: int | None) -> str:
    return NONE if step is None else f"{step:,}"


def conclusion(audit: Audit) -> list[str]:
    """The answer, in a few lines."""
    same = "another environment"
    if not audit.contradicted:
        same = "the environment that the entry tells"
        if not audit.same_environment:
            same += ", though it does not tell all"
    mixer = "sound" if audit.sound else "not sound"
    lines = [
        f"Trained in {same}: {_environment(audit.environment)}",
        f"The mixer was verified again: it is {mixer}",
    ]
    if not all(run.equal for run in audit.runs):
        lines.append(
            f"All curves together: p {audit.p_value:.2g}; at {FALSE_ALARMS:g} and below they do not agree,"
            " which happens to an honest entry one time in twenty at most"
        )
    answer = "Yes: the entry agrees" if audit.agrees else f"No: {'; '.join(audit.reasons)}"
    return [*lines, answer]


def _environment(environment: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in environment.items())


def in_short(audit: Audit) -> str:
    """For a board: the answer, how much was asked, where, and by which version."""
    answer = "agrees" if audit.agrees else "⚠ does not agree"
    equal = sum(run.equal for run in audit.runs)
    exact = f", {equal} bit for bit" if equal else ""
    known = (audit.environment.get(name) for name in ("processor", "device"))
    where = next((value for value in known if value), "an unknown machine")
    return f"{answer}\n{counted(len(audit.runs), 'run')}{exact}; {where}, attnsearch {audit.attnsearch}"
