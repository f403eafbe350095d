"""The runs of a cell in numbers, each computed when it is first asked for, and once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Plateaus
from attnsearch.results.alignment import Alignment, align
from attnsearch.runs.escape import CHANCE, MARGIN, EscapeThreshold, escape_threshold
from attnsearch.runs.outline import MASTERY_HOLD
from attnsearch.runs.standing import Standing
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import CellSpec, PlateauRule
from attnsearch.stats.per_target import TargetSpread, target_spread
from attnsearch.stats.survival import Waiting, pool, summarise


@dataclass(frozen=True)
class Measurement:
    """By what rule a number came about.

    interval: steps of which a recorded point is the mean; nothing else is smoothed
    rule:     thresholds, as fractions of chance
    lowered:  shortcuts without a search that lower the threshold of escape in some cells
    """

    interval: int
    rule: PlateauRule
    lowered: tuple[str, ...] = ()

    def __str__(self) -> str:
        shortcuts = f", or {MARGIN:g} of a shortcut without a search ({', '.join(self.lowered)})"
        lower = f"{shortcuts} where that is less" if self.lowered else ""
        return (
            f"Losses are means over {self.interval} steps, not smoothed further. Escape: mean target loss"
            f" below {self.rule.escape:g} of chance{lower}; found: a target's below {self.rule.found:g};"
            f" mastery: every target's, less Bayes' own, below {self.rule.mastery:g}, {MASTERY_HOLD} points"
            " in a row."
        )


BARELY = 0.02
"""Of the threshold of escape. Recorded losses scatter by 0.009 of chance where a step has 1,024 tokens."""


@dataclass(frozen=True, eq=False)
class Cell:
    """The runs of one cell, at least one, compared by identity. Restricted means are up to the budget.

    standing:  whether the numbers of the mixer may count; None where nobody has looked
    folder:    of the runs, where other folders hold runs of the same specifications with other curves;
               otherwise ""
    """

    spec: CellSpec
    runs: tuple[StoredRun, ...]
    standing: Standing | None = None
    folder: str = ""

    @cached_property
    def bits(self) -> float:
        """log2 of the number of supports, nominal."""
        return float(np.mean([run.summary.bits for run in self.runs]))

    @cached_property
    def route_bits(self) -> float:
        """The same for the cheapest route, mean over targets and runs.

        It equals `bits` where every target is as dear as its row says.
        """
        return float(np.mean([run.summary.target_bits.mean() for run in self.runs]))

    @property
    def routed(self) -> bool:
        """Whether some target has a route that is cheaper than its row."""
        return not np.isclose(self.bits, self.route_bits)

    @cached_property
    def escape(self) -> EscapeThreshold:
        """Below which loss its runs have escaped, and what holds that threshold."""
        return escape_threshold(self.spec.task)

    @property
    def diverged(self) -> int:
        """Runs that ended with a non-finite loss."""
        return sum(run.status == "diverged" for run in self.runs)

    @cached_property
    def leaking(self) -> int:
        """Runs whose answers moved with tokens behind their queries."""
        return sum(run.leaking for run in self.runs)

    @property
    def counts(self) -> bool:
        """Whether it may be compared, ranked or fitted. One run that leaks says that the mixer of all can."""
        return not self.leaking

    @property
    def lost(self) -> bool:
        """Whether every run diverged before it escaped: how long they would have waited is not known."""
        return self.diverged == len(self.runs) and not self.plateau.observed

    @cached_property
    def lengths(self) -> Plateaus:
        """`[N]`: the plateau length of every run."""
        return pool(plateau_of(run) for run in self.runs)

    @cached_property
    def barely(self) -> int:
        """Runs that escaped, found no target, and never came further below the threshold than noise may."""
        return sum(
            float(run.summary.low_losses[-1]) > (1 - BARELY) * self.escape.share * run.summary.chance_loss
            for run, escaped in zip(self.runs, self.lengths.observed, strict=True)
            if escaped and not found_of(run).observed.any()
        )

    @cached_property
    def plateau(self) -> Waiting:
        """The waiting times of runs until escape."""
        return summarise(self.lengths, self.spec.budget.steps)

    @cached_property
    def mastery(self) -> Waiting:
        """The waiting times of runs until mastery."""
        return summarise(pool(mastery_of(run) for run in self.runs), self.spec.budget.steps)

    @cached_property
    def found(self) -> Waiting:
        """The waiting times of all targets of all runs until each is found."""
        return summarise(pool(found_of(run) for run in self.runs), self.spec.budget.steps)

    @cached_property
    def targets(self) -> TargetSpread:
        """When the first and the last targets are found, with intervals over runs."""
        return target_spread([found_of(run) for run in self.runs])

    @cached_property
    def alignment(self) -> Alignment:
        """The maps of the runs at their ends, beside the true ones."""
        return align(self.runs)

    @cached_property
    def prediction_loss(self) -> float | None:
        """Nats: mean over runs of the last recorded loss of all predictions, the unpredictable included.

        None where every prediction is a target, or every run diverged.
        """
        last = [
            run.summary.prediction_loss
            for run in self.runs
            if run.status != "diverged" and run.summary.prediction_loss is not None
        ]
        return float(np.mean(last)) if last else None

    @cached_property
    def state_loss(self) -> tuple[float, ...] | None:
        """Nats: last recorded loss of each predicted state, mean over the runs that escaped.

        None where there is one state or no such run: runs that have learned nothing would only dilute it.
        """
        escaped = [run.measures for run in self.runs if run.measures.escaped]
        known = [measures.state_loss for measures in escaped if measures.in_context_gain is not None]
        return tuple(np.mean(known, axis=0).tolist()) if known else None

    @property
    def in_context_gain(self) -> float | None:
        """Nats: how far `state_loss` falls from the first predicted state to the last."""
        return self.state_loss[0] - self.state_loss[-1] if self.state_loss else None

    @cached_property
    def middle_run(self) -> StoredRun:
        """The run of median plateau length. Runs that never escaped count as longest."""
        ordered = sorted(self.runs, key=lambda run: (not run.measures.escaped, run.measures.plateau_length))
        return ordered[(len(ordered) - 1) // 2]


def cells(
    runs: Iterable[StoredRun],
    standings: Callable[[CellSpec], Standing] | None = None,
    folder_of: Callable[[StoredRun], str] = lambda run: "",
) -> list[Cell]:
    """`runs` grouped by cell, in order of first appearance, with the `standings` of their mixers.

    folder_of:  the `Cell.folder` of a run: runs of several are several cells
    """
    grouped: dict[tuple[CellSpec, str], list[StoredRun]] = {}
    for run in runs:
        grouped.setdefault((run.spec.cell, folder_of(run)), []).append(run)
    return [
        Cell(spec, tuple(members), None if standings is None else standings(spec), folder)
        for (spec, folder), members in grouped.items()
    ]


def plateau_of(run: StoredRun) -> Plateaus:
    """A run's plateau length with its censoring, `[1]`; a diverged run waits to the end of its budget."""
    return waiting(run, run.measures.plateau)


def mastery_of(run: StoredRun) -> Plateaus:
    """The same of mastery."""
    return waiting(run, run.measures.mastery)


def found_of(run: StoredRun) -> Plateaus:
    """The same of each target's being found, `[R]`."""
    return waiting(run, run.measures.found)


def waiting(run: StoredRun, waited: Plateaus) -> Plateaus:
    """How long a run waited, of which `waited` is known; a diverged one waits to the end of its budget."""
    if run.status != "diverged":
        return waited
    # It would never have got there: censored where it broke, it would count as one that was about to.
    return waited._replace(length=np.where(waited.observed, waited.length, run.spec.cell.budget.steps))


def measurements(cells: Sequence[Cell]) -> list[Measurement]:
    """The rules behind `cells`, each once; one, unless their tasks differ in it."""
    rules: dict[PlateauRule, dict[str, None]] = {}
    for cell in cells:
        lowered = rules.setdefault(cell.spec.task.plateau, {})
        if cell.escape.held_by != CHANCE:
            lowered[cell.escape.held_by] = None
    return [Measurement(RECORDING_INTERVAL, rule, tuple(lowered)) for rule, lowered in rules.items()]
