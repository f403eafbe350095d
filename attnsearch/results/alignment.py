"""What was found, not only when: the measured map and the attention heads against the true map.

Map mass needs a network's output alone, so every mixer has it; attention mass and entropy are known only of
mixers with weights. Each is told beside its level before anything was found, and over runs that escaped:
an average over runs that have learned nothing says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attnsearch.base import Floats, Heads
from attnsearch.runs.store import StoredRun
from attnsearch.runs.summary import best_of


@dataclass(frozen=True)
class Alignment:
    """The maps of one cell's runs, at their ends. Means are over the targets of the runs that escaped.

    runs, escaped:    how many
    map_mass:         mean share of the influence on the support; None where no run escaped
    chance_map_mass:  the same if every visible replaceable token had equal influence
    attention_mass:   mean share of the weight on the support, of the best head of each row, best by this
                      share at the end; None without heads or where no run escaped
    untrained_attention_mass: the same before the first step, of the head that was best then
    entropy:          nats; of the heads that are best at the end
    untrained_entropy: nats; of the same heads before the first step
    rises:            mapped targets found whose map has risen, of `found`, in runs that recorded maps
    lead:             median over these of the steps at which a target was found over the step at which
                      its map had risen: above 1 the map is there first; None where there are none. Maps
                      are recorded at steps a factor of 1.19 apart, so a ratio is known to that factor
    """

    runs: int
    escaped: int
    map_mass: float | None
    chance_map_mass: float
    attention_mass: float | None
    untrained_attention_mass: float | None
    entropy: float | None
    untrained_entropy: float | None
    found: int
    rises: int
    lead: float | None


def align(runs: Sequence[StoredRun]) -> Alignment:
    """The alignment of one cell's `runs`, at least one."""
    escaped = [run for run in runs if run.measures.escaped and run.status != "diverged"]
    recorded = [run for run in escaped if run.map_summary.last_step is not None]
    last, leads, found = list[float](), list[float](), 0
    for run in recorded:
        summary, targets = run.map_summary, run.measures.found
        last += summary.mass.tolist()
        known = targets.observed[summary.mapped]
        both = known & summary.rise.observed
        found += int(known.sum())
        leads += (targets.length[summary.mapped][both] / np.maximum(summary.rise.length[both], 1)).tolist()
    masses = np.array(last)[np.isfinite(last)]
    weighed = [one for run in recorded if (one := run.map_summary.weighed) is not None]
    return Alignment(
        runs=len(runs),
        escaped=len(escaped),
        map_mass=_mean(masses),
        chance_map_mass=float(np.mean([run.measures.chance_map_mass.mean() for run in runs])),
        attention_mass=_mean([one.mass for one in weighed]),
        untrained_attention_mass=_mean([one.untrained_mass for one in weighed]),
        entropy=_mean([one.entropy for one in weighed]),
        untrained_entropy=_mean([one.untrained_entropy for one in weighed]),
        found=found,
        rises=len(leads),
        lead=float(np.median(leads)) if leads else None,
    )


def contradicts_itself(run: StoredRun) -> bool:
    """Whether a run mastered its task with a map mass at or below the level of chance.

    Targets count that depend on part of what is seen, and that have no cheaper route than their support.
    """
    if not run.measures.mastered or run.status == "diverged":
        return False
    step, mass, chance = run.map_summary.last_step, run.map_summary.judged_mass, run.map_summary.judged_chance
    if step is None or step < run.measures.mastery_step or mass is None or chance is None:
        return False
    return mass <= chance


def best_heads(heads: Heads) -> Heads:
    """`heads` with A = 1: for each row the head with most weight on the support at the last map."""
    best, rows = best_of(heads.mass)
    return Heads(
        heads.weights[:, best, rows][:, None],
        heads.mass[:, best, rows][:, None],
        heads.entropy[:, best, rows][:, None],
    )


def _mean(values: Sequence[float] | Floats) -> float | None:
    return float(np.mean(values)) if len(values) else None
