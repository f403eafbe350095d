"""What the numbers and curves of an entry must keep to, whoever made them. Numpy side; never imports jax."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError, Bools, Floats, Integers
from attnsearch.files import reason
from attnsearch.generators import GENERATORS
from attnsearch.leaderboard.entry import EntryRun, recorded_steps
from attnsearch.runs.outline import MASTERY_HOLD, Targets, held, masters
from attnsearch.spec import plugins
from attnsearch.spec.reading import placed
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


def check_targets(targets: Targets) -> None:
    """Errors: AttnsearchError where Bayes' loss of a target is not between 0 and chance."""
    bayes = targets.bayes_loss
    wrong = ~np.isfinite(bayes) | (bayes < 0) | (bayes > targets.chance_loss * (1 + ROUNDING))
    if wrong.any():
        raise AttnsearchError(f"bayes_loss of target {int(np.argmax(wrong))} is not between 0 and chance")


def check_curves(run: EntryRun) -> None:
    """Errors: AttnsearchError where curves cannot come from losses of the targets, or the steps at which
    targets were found do not fit them."""
    targets, threshold = run.targets, run.spec.cell.task.plateau.found * run.targets.chance_loss
    findable = targets.bayes_loss < threshold
    _check_found(run, findable)
    steps = recorded_steps(len(run.outline.mean))
    first = np.where(run.found > 0, run.found, np.iinfo(np.int64).max)
    for group, count in enumerate(targets.sizes.tolist()):
        members = targets.group == group
        with placed(f"group {group}") if len(targets.sizes) > 1 else nullcontext():
            mean, worst = (curve[:, group].astype(np.float64) for curve in run.outline)
            bayes = targets.bayes_loss[members]
            _check_losses(mean, worst, bayes)
            # Targets that are not found yet, at each point: each has a loss of the threshold at least.
            unfound = _above(steps, first[members & findable])
            below = worst + bayes.max() < threshold * (1 - ROUNDING) - ROUNDING
            _refuse("a target is not found, though worst is below the threshold", (unfound > 0) & below)
            least = threshold * unfound / count
            low = mean + bayes.mean() < least * (1 - ROUNDING) - ROUNDING
            _refuse("mean is too low for the targets that are not found", low)


def _check_losses(mean: Floats, worst: Floats, bayes: Floats) -> None:
    """`f64[E]` of a group, and Bayes' loss of its targets."""
    loss = mean + bayes.mean()
    _refuse("mean or worst is not finite", ~np.isfinite(mean) | ~np.isfinite(worst))
    _refuse("mean is below 0, with Bayes' loss", loss < -ROUNDING)
    _refuse("mean is above worst", mean > worst + ROUNDING * bayes.any())
    # Each of the others has a loss of 0 at least.
    least = (worst + bayes.min()) / len(bayes)
    few = loss < least * (1 - ROUNDING) - ROUNDING
    _refuse(f"mean is below worst / {len(bayes)}, and there are {len(bayes)} targets", few)


def _above(steps: Integers, values: Integers) -> Integers:
    """`i64[E]`: how many of `values` are above each of `steps`."""
    return len(values) - np.searchsorted(np.sort(values), steps, side="right")


def _check_found(run: EntryRun, findable: Bools) -> None:
    found, end = run.found, RECORDING_INTERVAL * len(run.outline.mean)
    for what, wrong in (
        ("at a step that is not recorded", (found < 0) | (found % RECORDING_INTERVAL != 0)),
        ("after the end of the curves", found > end),
        ("though Bayes' loss is above the threshold", (found > 0) & ~findable),
    ):
        if wrong.any():
            raise AttnsearchError(f"target {int(np.argmax(wrong))} is found {what}")


def _refuse(what: str, wrong: Bools) -> None:
    if wrong.any():
        raise AttnsearchError(f"point {int(np.argmax(wrong))}: {what}")


def check_differ(runs: Sequence[EntryRun]) -> None:
    """Errors: AttnsearchError where two runs of a cell have the same curves, as no two seeds have."""
    seen: dict[bytes, int] = {}
    for run in runs:
        if not run.outline.mean.size:
            continue
        earlier = seen.setdefault(b"".join(curve.tobytes() for curve in run.outline), run.spec.seed)
        if earlier != run.spec.seed:
            raise AttnsearchError(f"seeds {earlier} and {run.spec.seed} have the same curves")


def check_end(run: EntryRun) -> None:
    """Errors: AttnsearchError where the status does not fit the curves.

    A run ends when it has mastered, diverged or used up its budget, as `runs.recorder` decides.
    """
    budget, points = run.spec.cell.budget, len(run.outline.mean)
    full = budget.steps // RECORDING_INTERVAL
    mastering = held(masters(run.outline, run.targets, run.spec.cell.task.plateau))
    mastered = bool(mastering.any())
    stopped = int(mastering.argmax()) + MASTERY_HOLD if mastered and budget.early_stopping else full
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
