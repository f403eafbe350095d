"""What was found, not only when: the measured map and the attention heads against the true map.

Map mass needs a network's output alone, so every mixer has it; attention mass and entropy are known only of
mixers with weights. Each is told beside its level before anything was found, and over runs that escaped:
an average over runs that have learned nothing says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attnsearch.base import Floats, Heads, Plateaus
from attnsearch.runs.measures import chance_map_mass, first_step
from attnsearch.runs.store import StoredRun

HALFWAY = 0.5
"""A target's map has risen when its mass is this share of the way from chance to 1."""


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
    heads = [best_heads(run.heads) for run in escaped if _has(run)]
    leads, found = [], 0
    for run in escaped:
        if not len(run.maps.step):
            continue
        mapped = run.truth.mapped
        rise, known = risen(run), run.measures.found.observed[mapped]
        found += int(known.sum())
        both = known & rise.observed
        steps = run.measures.found.length[mapped]
        leads += (steps[both] / np.maximum(rise.length[both], 1)).tolist()
    masses = np.array([known for run in escaped if len(run.maps.step) for known in run.maps.mass[-1]])
    masses = masses[np.isfinite(masses)]
    return Alignment(
        runs=len(runs),
        escaped=len(escaped),
        map_mass=_mean(masses),
        chance_map_mass=float(np.mean([chance_map_mass(run.truth).mean() for run in runs])),
        attention_mass=_mean([best.mass[-1].mean() for best in heads]),
        untrained_attention_mass=_mean(
            [run.heads.mass[0].max(axis=0).mean() for run in escaped if _has(run)]
        ),
        entropy=_mean([best.entropy[-1].mean() for best in heads]),
        untrained_entropy=_mean([best.entropy[0].mean() for best in heads]),
        found=found,
        rises=len(leads),
        lead=float(np.median(leads)) if leads else None,
    )


def risen(run: StoredRun) -> Plateaus:
    """`[K]`: the first recorded map at which each mapped target's mass is `HALFWAY` from chance to 1."""
    chance = chance_map_mass(run.truth)
    # A target that depends on all that can be seen has its mass from the start.
    threshold = np.minimum(chance + HALFWAY * (1 - chance), 1 - 1e-6)
    return first_step(run.maps.step, np.nan_to_num(run.maps.mass) >= threshold)


def contradicts_itself(run: StoredRun) -> bool:
    """Whether a run mastered its task with a map mass at or below the level of chance.

    Targets count that depend on part of what is seen, and that have no cheaper route than their support.
    """
    if not run.measures.mastered or run.status == "diverged":
        return False
    maps, chance = run.maps, run.measures.chance_map_mass
    if not len(maps.step) or maps.step[-1] < run.measures.mastery_step:
        return False
    only_way = (run.truth.cheapest_route == run.truth.attention_map).all(axis=1)
    # nan where nothing had any influence, which is as far from the support as can be.
    judged = only_way & (chance < 1 - 1e-6)
    return bool(judged.any() and np.nan_to_num(maps.mass[-1])[judged].mean() <= chance[judged].mean())


def best_heads(heads: Heads) -> Heads:
    """`heads` with A = 1: for each row the head with most weight on the support at the last map."""
    best = heads.mass[-1].argmax(axis=0)
    rows = np.arange(heads.mass.shape[2])
    return Heads(
        heads.weights[:, best, rows][:, None],
        heads.mass[:, best, rows][:, None],
        heads.entropy[:, best, rows][:, None],
    )


def _has(run: StoredRun) -> bool:
    return bool(run.heads.mass.shape[1] and len(run.maps.step))


def _mean(values: Sequence[float] | Floats) -> float | None:
    return float(np.mean(values)) if len(values) else None
