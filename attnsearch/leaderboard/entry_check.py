"""What the numbers and curves of an entry must keep to, whoever made them. Numpy side; never imports jax."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError
from attnsearch.files import reason
from attnsearch.generators import GENERATORS
from attnsearch.leaderboard.entry import EntryRun
from attnsearch.runs.measures import MASTERY_HOLD, held
from attnsearch.spec import plugins
from attnsearch.spec.run import TaskSpec

LARGEST_CONTEXT = 2**20
"""Tokens of a sequence. Whoever names more may have meant to fill the memory."""

ROUNDING = 1e-6
"""Nats, and shares of a loss, by which 32 bits may miss a bound."""


class _Facts(NamedTuple):
    """What follows from a task: bits of its search space, nats of chance, and targets of a sequence."""

    bits: float
    chance_loss: float
    targets: int


def check_task(task: TaskSpec, bits: float, chance_loss: float, targets: int) -> None:
    """Errors: AttnsearchError where the three numbers do not follow from the task, whose generator ships."""
    known = _facts(task)
    if known is None:
        return
    for name, value, right in zip(_Facts._fields, (bits, chance_loss, targets), known, strict=True):
        if not math.isclose(value, right, rel_tol=ROUNDING, abs_tol=ROUNDING):
            raise AttnsearchError(f"{name} {value:g} must be {right:.7g}, which follows from the task")


def _facts(task: TaskSpec) -> _Facts | None:
    """Of a task whose generator ships. Errors: AttnsearchError for knobs that the generator does not take."""
    if task.generator not in GENERATORS:  # whose module only its owner may have imported
        return None
    generator = plugins.generator(task, GENERATORS)
    try:
        if generator.context_length > LARGEST_CONTEXT:
            raise AttnsearchError(f"a sequence has at most {LARGEST_CONTEXT:,} tokens")
        traced = {name: value for name, value in task.knobs if name in generator.traced_knobs}
        bits = generator.log2_search_space(traced)
        return _Facts(bits, generator.chance_loss, generator.num_targets)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise AttnsearchError(
            f"generator {task.generator} does not take these knobs: {reason(error)}"
        ) from error


def check_curves(run: EntryRun, targets: int) -> None:
    """Errors: AttnsearchError where `mean` and `worst` cannot be of the same losses of so many targets."""
    if len(run.mean) != len(run.worst):
        raise AttnsearchError(f"mean has {len(run.mean)} points, and worst {len(run.worst)}")
    mean, worst = run.mean.astype(np.float64), run.worst.astype(np.float64)
    _refuse("mean or worst is not finite", ~np.isfinite(mean) | ~np.isfinite(worst))
    _refuse("mean is below 0", mean < -ROUNDING)
    _refuse("mean is above worst", mean > worst)
    least = worst / targets
    _refuse(
        f"mean is below worst / {targets}, and there are {targets} targets",
        mean < least * (1 - ROUNDING) - ROUNDING,
    )


def _refuse(what: str, wrong: np.ndarray) -> None:
    if wrong.any():
        raise AttnsearchError(f"point {int(np.argmax(wrong))}: {what}")


def check_differ(runs: Sequence[EntryRun]) -> None:
    """Errors: AttnsearchError where two runs of a cell have the same curves, as no two seeds have."""
    seen: dict[bytes, int] = {}
    for run in runs:
        if not len(run.mean):
            continue
        earlier = seen.setdefault(run.mean.tobytes() + run.worst.tobytes(), run.spec.seed)
        if earlier != run.spec.seed:
            raise AttnsearchError(f"seeds {earlier} and {run.spec.seed} have the same curves")


def check_end(run: EntryRun, chance_loss: float) -> None:
    """Errors: AttnsearchError where the status does not fit the curves.

    A run ends when it has mastered, diverged or used up its budget, as `runs.recorder` decides.
    """
    budget, points = run.spec.cell.budget, len(run.mean)
    full = budget.steps // RECORDING_INTERVAL
    masters = held(np.less(run.worst, run.spec.cell.task.plateau.mastery * chance_loss))
    mastered = bool(masters.any())
    stopped = int(masters.argmax()) + MASTERY_HOLD if mastered and budget.early_stopping else full
    right = {
        "mastered": mastered and points == stopped,
        "exhausted": not mastered and points == full,
        "diverged": points < full and not (mastered and budget.early_stopping),
    }
    if not right[run.status]:
        verb = "masters every target" if mastered else "does not master every target"
        raise AttnsearchError(
            f"status {run.status} does not fit a curve of {points} points, of a budget of {full}, that {verb}"
        )
