"""How far a sweep is, and how long it may still take: in numbers and in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from attnsearch.report.training import InTraining, Live, Training, clock
from attnsearch.results.table import counted
from attnsearch.results.time_left import Ends, TimeLeft
from attnsearch.spec.run import CellSpec, RunSpec
from attnsearch.watch.folder import Sight, Unfinished


def training_of(sight: Sight, planned: Mapping[str, RunSpec], live: Live) -> Training:
    """What has not ended in a folder.

    planned:  by digest the runs that are to be trained, where that is known
    live:     how the page follows it
    """
    ends, rates = Ends(sight.stored), _rates(sight)
    runs = tuple(
        InTraining(one.run, one.saved, one.held, one.rate, _left_of(one, ends)) for one in sight.unfinished
    )
    summary = tuple(_sentences(sight, planned, ends, rates))
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


def _sentences(
    sight: Sight, planned: Mapping[str, RunSpec], ends: Ends, rates: Mapping[CellSpec, float]
) -> list[str]:
    held = [one for one in sight.unfinished if one.held]
    stopped = len(sight.unfinished) - len(held)
    known = {run.spec.digest for run in sight.stored} | {one.run.spec.digest for one in held} | sight.begun
    waiting = [spec for digest, spec in planned.items() if digest not in known]
    parts = [
        f"{counted(len(sight.stored), 'run')} stored",
        f"{len(held) + len(sight.begun)} in training" + _unsaved(len(sight.begun), len(held)),
        *([f"{stopped} left at a checkpoint by processes that have ended"] if stopped else []),
        *([f"{len(waiting)} waiting"] if planned else []),
    ]
    found = [run.measures.found.observed for run in sight.stored]
    found += [one.run.measures.found.observed for one in sight.unfinished]
    targets = sum(map(len, found))
    sentences = [f"{'; '.join(parts)}."]
    if targets:
        sentences.append(f"{sum(int(one.sum()) for one in found):,} of {targets:,} targets found.")
    running = {one.run.spec: _step(one) for one in held}
    running |= {planned[digest]: 0 for digest in sight.begun & planned.keys()}
    lanes = len(held) + len(sight.begun)
    if lanes and (left := ends.time_left(running, Counter(spec.cell for spec in waiting), rates, lanes)):
        whole = "The runs in training and the runs that wait" if planned else "The runs in training"
        sentences.append(f"{whole}: {left}.")
    elif lanes:
        sentences.append("The time left is known once a run was checkpointed twice.")
    if sight.unfinished:
        first, last = (clock(pick(one.saved for one in sight.unfinished)) for pick in (min, max))
        sentences.append(
            f"Checkpoints as of {last}." if first == last else f"Checkpoints of {first} to {last}."
        )
    return sentences


def _unsaved(begun: int, saved: int) -> str:
    """What is said of the runs in training that have no checkpoint."""
    if not begun:
        return ""
    return f", {begun} of them without a checkpoint so far" if saved else ", without a checkpoint so far"


def _step(one: Unfinished) -> int:
    return int(one.run.curves.step[-1])
