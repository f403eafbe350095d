"""What stands between the numbers of a study and a claim: the rules of the protocol that it does not meet."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from attnsearch.base import plain
from attnsearch.results.cells import Cell
from attnsearch.results.table import counted, listed
from attnsearch.runs.measures import held
from attnsearch.runs.store import StoredRun

FEWEST_SEEDS = 8
"""Below this many runs a cell is warned about."""

LEAK_MARGIN = 0.8
"""An unpredictable token whose loss stays below this share of chance was seen before it was asked.

It has to stay there for `MASTERY_HOLD` points. A point is the mean of n losses, from 10 steps, and luck alone
takes it below chance: by at most k² / 2n nats where it is k deviations lucky, however confidently the network
guesses. With two sequences a step, n = 20, a fifth of chance is 2.4 deviations, three times in a row; with
64, thirteen. What is seen is soon known for certain, so that a real leak crosses any margin."""


def warnings(cells: Sequence[Cell], unverified: Collection[str] = ()) -> tuple[str, ...]:
    """Every rule of the protocol that `cells` do not meet, one line each.

    unverified:  names of mixers whose causality has not been checked
    """
    return (
        *_few_seeds(cells),
        *_leaks(cells),
        *_diverged(cells),
        *_single_rates(cells),
        *(
            f"{plain(name)} is not verified: whether it sees the future has not been checked"
            for name in dict.fromkeys(cell.spec.mixer.name for cell in cells)
            if name in unverified
        ),
    )


def flags(cell: Cell, unverified: Collection[str] = ()) -> tuple[str, ...]:
    """The same of one cell, in a word or two each."""
    found = [f"{len(cell.runs)} seeds"] if len(cell.runs) < FEWEST_SEEDS else []
    found += ["not verified"] if cell.spec.mixer.name in unverified else []
    found += [f"{cell.diverged} diverged"] if cell.diverged else []
    return tuple(f"⚠ {flag}" for flag in found)


def _few_seeds(cells: Sequence[Cell]) -> list[str]:
    few = min((len(cell.runs) for cell in cells), default=FEWEST_SEEDS)
    if few >= FEWEST_SEEDS:
        return []
    seeds = "1 seed is" if few == 1 else f"{few} seeds are"
    return [f"{seeds} too few for a distribution: use {FEWEST_SEEDS}, 16 to compare mixers"]


def _leaks(cells: Sequence[Cell]) -> list[str]:
    return [
        f"{plain(cell.spec.mixer.name)} predicts unpredictable tokens of {plain(cell.spec.task.name)},"
        f" seed {run.spec.seed}: it sees the future, and its numbers do not count"
        for cell in cells
        for run in cell.runs
        if _sees_the_future(run)
    ]


def _sees_the_future(run: StoredRun) -> bool:
    unpredictable = run.curves.loss[:, ~run.truth.is_target]
    return bool(held(unpredictable < LEAK_MARGIN * float(run.truth.chance_loss)).any())


def _diverged(cells: Sequence[Cell]) -> list[str]:
    diverged = sum(cell.diverged for cell in cells)
    if not diverged:
        return []
    return [
        f"{counted(diverged, 'run')} diverged:"
        " such a run counts as censored at its budget unless it had escaped before"
    ]


def _single_rates(cells: Sequence[Cell]) -> list[str]:
    rates: dict[str, set[float]] = {}
    for cell in cells:
        rates.setdefault(cell.spec.mixer.name, set()).add(cell.spec.optimizer.learning_rate)
    single = [plain(name) for name, tried in rates.items() if len(tried) == 1]
    if len(rates) < 2 or not single:
        return []
    return [f"one learning rate for {listed(single)}: no ranking of mixers follows"]
