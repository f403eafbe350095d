"""How far a sweep is, and how long it may still take: in numbers and in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from attnsearch.report.training import InTraining, Live, Training, clock
from attnsearch.results.table import counted
from attnsearch.results.time_left import Ends, TimeLeft
from attnsearch.spec.run import CellSpec, RunSpec
from attnsearch.watch.folder import Sight, Unfinished


def training_of(sight: Sight, live: Live) -> Training:
    """What has not ended in a folder. `live`: how the page follows it."""
    ends, rates = Ends(sight.stored), _rates(sight)
    runs = tuple(
        InTraining(one.run, one.saved, one.held, one.rate, _left_of(one, ends)) for one in sight.unfinished
    )
    summary = tuple(_sentences(sight, ends, rates))
    return Training(runs, summary, sight.faults, live, sight.order or {})


def _rates(sight: Sight) -> dict[CellSpec, float]:
    """steps/s of a lane with a run of each cell, the mean of its runs."""
    known: dict[CellSpec, list[float]] = {}
    for one in sight.unfinished:
        if one.held and one.rate is not None:
            known.setdefault(one.run.spec.cell, []).append(one.rate)
    return {cell: sum(rates) / len(rates) for cell, rates in known.items()}


def _left_of(one: Unfinished, ends: Ends) -> TimeLeft | None:
    if one.rate is None or not one.held:
        return None
    spec = one.run.spec
    return ends.time_left({spec: _step(one)}, Counter(), {spec.cell: one.rate}, 1)


def _sentences(sight: Sight, ends: Ends, rates: Mapping[CellSpec, float]) -> list[str]:
    held = [one for one in sight.unfinished if one.held]
    stopped = len(sight.unfinished) - len(held)
    waiting = _waiting(sight)
    parts = [
        f"{counted(len(sight.stored), 'run')} stored",
        _in_training(len(held), len(sight.begun)),
        *([f"{stopped} left at a checkpoint by processes that have ended"] if stopped else []),
        *([f"{len(waiting):,} waiting"] if waiting else []),
    ]
    found = [run.measures.found.observed for run in sight.stored]
    found += [one.run.measures.found.observed for one in sight.unfinished]
    targets = sum(map(len, found))
    sentences = [f"{'; '.join(parts)}."]
    if targets:
        sentences.append(f"{sum(int(one.sum()) for one in found):,} of {targets:,} targets found.")
    if held or sight.begun or waiting:
        left = _left(sight, waiting, ends, rates)
        sentences.append(left or "The time left is known once a run has ended, or was checkpointed twice.")
    if sight.unfinished:
        first, last = (clock(pick(one.saved for one in sight.unfinished)) for pick in (min, max))
        sentences.append(
            f"Checkpoints as of {last}." if first == last else f"Checkpoints of {first} to {last}."
        )
    return sentences


def _in_training(saved: int, begun: int) -> str:
    """What is said of the runs that processes hold. On a cluster, workers have not begun all of these."""
    if not begun:
        return f"{saved} in training"
    unsaved = f"{begun} of them without" if saved else "without"
    return f"{saved + begun} in training or about to be, {unsaved} a checkpoint so far"


def _waiting(sight: Sight) -> list[RunSpec]:
    """The runs that are planned, and that no process has taken so far."""
    taken = {run.digest for run in sight.stored} | sight.begun
    taken |= {one.run.digest for one in sight.unfinished if one.held}
    return [spec for digest, spec in sight.planned.items() if digest not in taken]


def _left(
    sight: Sight, waiting: Sequence[RunSpec], ends: Ends, rates: Mapping[CellSpec, float]
) -> str | None:
    """A sentence; None where no speed is known."""
    held = [one for one in sight.unfinished if one.held]
    running = {one.run.spec: _step(one) for one in held}
    running |= {sight.planned[digest]: 0 for digest in sight.begun & sight.planned.keys()}
    # A process of a cluster takes more runs than train: where any has a checkpoint, these are the lanes.
    lanes = len(held) or len(sight.begun) or 1
    by = ""
    if not rates and sight.pace is not None:
        rates = {spec.cell: sight.pace / lanes for spec in [*running, *waiting]}
        by = ", by the pace of the runs that have ended"
    left = ends.time_left(running, Counter(spec.cell for spec in waiting), rates, lanes)
    if left is None:
        return None
    whole = "The runs in training and the runs that wait" if waiting else "The runs in training"
    return f"{whole}: {left}{by}."


def _step(one: Unfinished) -> int:
    return int(one.run.curves.step[-1])
