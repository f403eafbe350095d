"""What the numbers and curves of an entry must keep to, whoever made them. Numpy side; never imports jax."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError
from attnsearch.leaderboard.entry import EntryRun
from attnsearch.runs.measures import MASTERY_HOLD, held
from attnsearch.spec.run import TaskSpec

LINEAR_MAPS = ("linear_map", "linear_map_autoregressive")
"""Generators whose chance and search space follow from their knobs."""

ROUNDING = 1e-6
"""Nats, and shares of a loss, by which 32 bits may miss a bound."""


class _Facts(NamedTuple):
    """What follows from a task: bits of its search space, nats of chance, and targets of a sequence."""

    bits: float
    chance_loss: float
    targets: int


def check_task(task: TaskSpec, bits: float, chance_loss: float, targets: int) -> None:
    """Errors: AttnsearchError where the three numbers do not follow from a task whose generator is known."""
    known = _facts(task)
    if known is None:
        return
    for name, value, right in zip(_Facts._fields, (bits, chance_loss, targets), known, strict=True):
        if not math.isclose(value, right, rel_tol=ROUNDING, abs_tol=ROUNDING):
            raise AttnsearchError(f"{name} {value:g} must be {right:.7g}, which follows from the task")


def _facts(task: TaskSpec) -> _Facts | None:
    """Of a task whose generator is known. Errors: AttnsearchError for knobs that it does not have."""
    if task.generator not in LINEAR_MAPS:
        return None
    knobs = dict(task.knobs)
    size, support = knobs.get("state_size"), knobs.get("support_size")
    if type(size) is not int or type(support) is not int or not 1 <= support <= size:
        raise AttnsearchError(f"generator {task.generator} does not take these knobs")
    # log2 C(S, s), also where the number itself would fill the memory.
    bits = -(math.log1p(size) + float(special.betaln(size - support + 1, support + 1))) / math.log(2)
    return _Facts(bits, math.log(2), size)


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
