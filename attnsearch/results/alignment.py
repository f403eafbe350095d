"""What was found, not only when: the measured map and the attention heads against the true map.

Map mass needs a network's output alone, so every mixer has it; attention mass and entropy are known only of
mixers with weights. Each is told beside its level before anything was found, and over runs that escaped:
an average over runs that have learned nothing says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from attnsearch.base import Floats, Heads, Integers, Plateaus
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
    weighed, last = list[_Weighed](), list[float]()
    leads, found = [], 0
    for run in escaped:
        if not len(run.map_mass.step):
            continue
        last += run.map_mass.mass[-1].tolist()
        # A mixer without attention weights has no heads.
        if run.head_mass.mass.shape[1]:
            weighed.append(_Weighed.of(*run.head_mass))
        mapped = run.truth.mapped
        rise, known = risen(run), run.measures.found.observed[mapped]
        found += int(known.sum())
        both = known & rise.observed
        steps = run.measures.found.length[mapped]
        leads += (steps[both] / np.maximum(rise.length[both], 1)).tolist()
    masses = np.array(last)[np.isfinite(last)]
    return Alignment(
        runs=len(runs),
        escaped=len(escaped),
        map_mass=_mean(masses),
        chance_map_mass=float(np.mean([chance_map_mass(run.truth).mean() for run in runs])),
        attention_mass=_mean([one.attention_mass for one in weighed]),
        untrained_attention_mass=_mean([one.untrained_attention_mass for one in weighed]),
        entropy=_mean([one.entropy for one in weighed]),
        untrained_entropy=_mean([one.untrained_entropy for one in weighed]),
        found=found,
        rises=len(leads),
        lead=float(np.median(leads)) if leads else None,
    )


def risen(run: StoredRun) -> Plateaus:
    """`[K]`: the first recorded map at which each mapped target's mass is `HALFWAY` from chance to 1."""
    chance = chance_map_mass(run.truth)
    # A target that depends on all that can be seen has its mass from the start.
    threshold = np.minimum(chance + HALFWAY * (1 - chance), 1 - 1e-6)
    return first_step(run.map_mass.step, np.nan_to_num(run.map_mass.mass) >= threshold)


def contradicts_itself(run: StoredRun) -> bool:
    """Whether a run mastered its task with a map mass at or below the level of chance.

    Targets count that depend on part of what is seen, and that have no cheaper route than their support.
    """
    if not run.measures.mastered or run.status == "diverged":
        return False
    maps, chance = run.map_mass, run.measures.chance_map_mass
    if not len(maps.step) or maps.step[-1] < run.measures.mastery_step:
        return False
    only_way = (run.truth.cheapest_route == run.truth.attention_map).all(axis=1)
    # nan where nothing had any influence, which is as far from the support as can be.
    judged = only_way & (chance < 1 - 1e-6)
    return bool(judged.any() and np.nan_to_num(maps.mass[-1])[judged].mean() <= chance[judged].mean())


def best_heads(heads: Heads) -> Heads:
    """`heads` with A = 1: for each row the head with most weight on the support at the last map."""
    best, rows = best_of(heads.mass)
    return Heads(
        heads.weights[:, best, rows][:, None],
        heads.mass[:, best, rows][:, None],
        heads.entropy[:, best, rows][:, None],
    )


def best_of(mass: Floats) -> tuple[Integers, Integers]:
    """`i64[K]` twice, of `mass`, `f32[M, A, K]`: for each row its best head, and its number."""
    return mass[-1].argmax(axis=0), np.arange(mass.shape[2])


class _Weighed(NamedTuple):
    """What the heads of one run have on the support, means over rows, each number as in `Alignment`."""

    attention_mass: float
    untrained_attention_mass: float
    entropy: float
    untrained_entropy: float

    @classmethod
    def of(cls, mass: Floats, entropy: Floats) -> _Weighed:
        """Of `mass` and `entropy`, `f32[M, A, K]`."""
        best, rows = best_of(mass)
        return cls(
            mass[-1, best, rows].mean(),
            mass[0].max(axis=0).mean(),
            entropy[-1, best, rows].mean(),
            entropy[0, best, rows].mean(),
        )


def _mean(values: Sequence[float] | Floats) -> float | None:
    return float(np.mean(values)) if len(values) else None
