"""Whether plateaus have got longer than they were: the effect, the tests, and the verdicts of a look.

A cell's runs are compared with those recorded of the same cell, and all cells of a mixer together, because
what slows a mixer down does so in every cell. Numpy side; never imports jax.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from attnsearch.base import RECORDING_INTERVAL, Floats, Integers, Plateaus
from attnsearch.spec.run import CellSpec, MixerSpec
from attnsearch.stats.comparison import benjamini_hochberg, compare
from attnsearch.stats.one_sided import OneSided, Waits, longer, rarer, shorter, ways
from attnsearch.stats.survival import TAIL

Verdict = Literal["pass", "regression", "improvement", "inconclusive"]

TOLERANCE = 1.25
"""By how much a plateau may grow before it is a regression."""

FALSE_ALARMS = 0.01
"""How often a whole check may find a regression where nothing has changed."""

POWER = 0.8
"""How often a slowdown that is called detectable is caught."""

FEWEST_FOR_A_LOOK = 4
"""Runs of a cell. With fewer a look is not worth its share of the error."""


class Outcomes(NamedTuple):
    """The runs of a cell.

    plateau, mastery:  `[N]` when they escaped, and when they mastered. A censored length is the budget, to
                       which every run was watched and a diverged one counts
    seeds:             `i64[N]`, each once
    diverged:          how many did
    """

    plateau: Plateaus
    mastery: Plateaus
    seeds: Integers
    diverged: int = 0


@dataclass(frozen=True, eq=False)
class Pair:
    """A cell with the runs that are judged and those recorded."""

    cell: CellSpec
    candidate: Outcomes
    reference: Outcomes

    @property
    def plateau(self) -> Waits:
        """The plateau lengths of both."""
        return Waits(self.candidate.plateau, self.reference.plateau)

    @property
    def mastery(self) -> Waits:
        """The mastery steps of both."""
        return Waits(self.candidate.mastery, self.reference.mastery)


@dataclass(frozen=True)
class Effect:
    """A slowdown as measured, of one cell or of several.

    ratio:      restricted mean of the candidate over the reference's, or over the same seeds' where this is
                known more closely; of several cells their geometric mean, as limit and most
    low, high:  its interval
    limit:      the ratio that a candidate as much slower as is tolerated would show: the tolerance, or less
                where plateaus are a few recorded points long, or the budget ends too soon
    most:       the ratio that a candidate which never escapes would show
    error:      standard error of the ratio's logarithm, were all seeds others
    """

    ratio: float
    low: float
    high: float
    limit: float
    most: float
    error: float


@dataclass(frozen=True)
class Finding:
    """The verdict on a cell, or on all cells of a mixer together.

    reason:      why, in a few words
    effect:      None where curves are equal bit for bit and nothing had to be estimated
    p_value:     of growth by no more than is tolerated, adjusted for all tests of the look
    detectable:  the smallest slowdown that as many runs catch `POWER` of the time, by the normal
                 approximation; None where they catch none
    """

    verdict: Verdict
    reason: str
    effect: Effect | None = None
    p_value: float | None = None
    detectable: float | None = None


@dataclass(frozen=True)
class Judgement:
    """The findings of a look: of each cell, in the order of the pairs, and of each mixer that has several."""

    cells: tuple[Finding, ...]
    mixers: tuple[tuple[MixerSpec, Finding], ...]

    @property
    def verdict(self) -> Verdict:
        """A regression anywhere is one of the whole; then a cell that is inconclusive, or no cell at all. An
        improvement of the whole is one of every cell."""
        found = [finding.verdict for finding in self.cells]
        if "regression" in [*found, *(finding.verdict for _, finding in self.mixers)]:
            return "regression"
        if not found or "inconclusive" in found:
            return "inconclusive"
        return "improvement" if set(found) == {"improvement"} else "pass"


def looks(runs: int) -> list[int]:
    """After how many runs of each cell a check of `runs` is judged: half of them, and all."""
    half = runs // 2
    return [half, runs] if half >= FEWEST_FOR_A_LOOK else [runs]


def levels(counts: Sequence[int], error: float = FALSE_ALARMS) -> list[float]:
    """The level of the look after each of `counts` runs, rising; they sum to `error`.

    Pocock's boundary as a spending function (Lan and DeMets 1983, Biometrika 70(3)): after a share t of the
    runs, error × ln(1 + (e - 1) t) is spent. A look is tested at the error that it spends. By the union bound
    the error then holds for any distribution, ties and few runs included.
    """
    spent = [error * math.log1p((math.e - 1) * count / counts[-1]) for count in counts]
    return [after - before for before, after in zip([0.0, *spent], spent, strict=False)]


def judge(pairs: Sequence[Pair], *, tolerance: float = TOLERANCE, level: float = FALSE_ALARMS) -> Judgement:
    """The verdict on each cell, and on each mixer that has several.

    - regression: the plateau is longer than the reference would be if slowed by `tolerance`, by the log-rank
      test at `level`, and by its ratio; or fewer runs escape, or master, by Fisher's exact test at `level`
    - improvement: the plateau is shorter, by the same test, and the ratio below 1 / `tolerance`
    - pass: the interval of the ratio excludes more than is tolerated; or the interval of all cells of the
      mixer does, and the cell's own ratio is within its limit
    - inconclusive: none of these

    p values are adjusted across cells, mixers and rates (Benjamini and Hochberg), so that where nothing has
    changed the chance of a regression anywhere is at most `level`. A test that these outcomes could not have
    made significant, however dealt out, does not count among them (Tarone 1990, Biometrics 46(2)).
    """
    effects = [_effect(pair, tolerance) for pair in pairs]
    members: dict[MixerSpec, list[int]] = {}
    for index, pair in enumerate(pairs):
        members.setdefault(pair.cell.mixer, []).append(index)
    pooled = {mixer: cells for mixer, cells in members.items() if len(cells) > 1}
    groups = [[index] for index in range(len(pairs))] + list(pooled.values())
    each = level / max(1, len(groups))
    slower = [longer([_against(pairs[index], tolerance) for index in group], each) for group in groups]
    faster = [shorter([pairs[index].plateau for index in group], each) for group in groups]
    rates = [test for pair in pairs for test in (rarer(pair.plateau), rarer(pair.mastery))]
    p_slower, p_faster = _adjusted([*slower, *rates], level), _adjusted(faster, level)
    p_rates = p_slower[len(groups) :].reshape(-1, 2)
    together = {mixer: _mean([effects[index] for index in cells]) for mixer, cells in pooled.items()}

    def finding(number: int, effect: Effect, mixer: Effect | None, fewer: str) -> Finding:
        if fewer:
            verdict, reason = "regression", fewer
        elif p_slower[number] <= level and effect.ratio > effect.limit:
            verdict, reason = "regression", f"longer by more than a factor of {tolerance:g}"
        elif p_faster[number] <= level and effect.ratio < 1 / tolerance:
            verdict, reason = "improvement", "shorter"
        else:
            verdict, reason = _without_evidence(effect, mixer, tolerance)
        possible = ways([pairs[index].plateau for index in groups[number]]) * each >= 1
        detectable = _detectable(effect, tolerance, each) if possible else None
        return Finding(verdict, reason, effect, float(p_slower[number]), detectable)

    cells = []
    for index, pair in enumerate(pairs):
        fewer = _fewer(pair, p_rates[index] <= level)
        cells.append(finding(index, effects[index], together.get(pair.cell.mixer), fewer))
    mixers = [
        (mixer, finding(number, effect, None, ""))
        for number, (mixer, effect) in enumerate(together.items(), start=len(pairs))
    ]
    return Judgement(tuple(cells), tuple(mixers))


def slowed(waiting: Plateaus, factor: float, budget: int) -> Plateaus:
    """`waiting` as it would have been seen had every run taken `factor` times as long.

    A run whose event is recorded at a step had it, in the mean, half an interval before.
    """
    half = RECORDING_INTERVAL / 2
    # Rounded, or products that are equal would be no ties.
    length = np.round((waiting.length - half) * factor + half, 6)
    observed = waiting.observed & (length <= budget)
    return Plateaus(np.where(observed, length, budget), observed)  # pyright: ignore[reportArgumentType]


def _against(pair: Pair, factor: float) -> Waits:
    """The candidate beside its reference slowed by `factor`."""
    return Waits(pair.candidate.plateau, slowed(pair.reference.plateau, factor, pair.cell.budget.steps))


def _effect(pair: Pair, tolerance: float) -> Effect:
    compared, reference, budget = compare(*pair.plateau), pair.reference.plateau, pair.cell.budget.steps
    ratio, low, high = compared.ratio, compared.low, compared.high
    error = math.log(high / low) / (2 * float(special.ndtri(1 - TAIL)))
    _, mine, recorded = np.intersect1d(pair.candidate.seeds, pair.reference.seeds, return_indices=True)
    if len(mine) >= FEWEST_FOR_A_LOOK:
        then = reference.length[recorded]
        paired = _paired_ratio(pair.candidate.plateau.length[mine], then)
        if paired[2] / paired[1] < high / low:
            (ratio, low, high), reference = paired, Plateaus(then, reference.observed[recorded])
    mean = reference.length.mean()
    tolerated = slowed(reference, tolerance, budget).length.mean()
    return Effect(ratio, low, high, float(tolerated / mean), float(budget / mean), error)


def _paired_ratio(now: Integers, then: Integers) -> tuple[float, float, float]:
    """The ratio of the means of runs with the same seeds, hence the same rule, data and initialisation, and
    its interval: Student's, on its logarithm. Each length is known to an interval, and errs evenly in it."""
    runs, means = len(now), (now.mean(), then.mean())
    differing = np.var(now / means[0] - then / means[1], ddof=1)
    recording = RECORDING_INTERVAL**2 / 12 * (means[0] ** -2 + means[1] ** -2)
    width = special.stdtrit(runs - 1, 1 - TAIL) * np.sqrt((differing + recording) / runs)
    ratio = means[0] / means[1]
    return float(ratio), float(ratio * np.exp(-width)), float(ratio * np.exp(width))


def _mean(effects: Sequence[Effect]) -> Effect:
    """The geometric mean of independent effects, its interval by the method of variance estimates recovery
    (Zou and Donner 2008, Statistics in Medicine 27(10)), which needs no more than theirs."""
    ratio, low, high, limit, most = np.log([[e.ratio, e.low, e.high, e.limit, e.most] for e in effects]).T
    below, above = (np.sqrt(np.square(ratio - end).sum()) / len(effects) for end in (low, high))
    middle = ratio.mean()
    ends = np.exp([middle, middle - below, middle + above, limit.mean(), most.mean()])
    return Effect(*map(float, ends), error=math.hypot(*(effect.error for effect in effects)) / len(effects))


def _adjusted(tests: Sequence[OneSided], level: float) -> Floats:
    """`f64[N]`: p values adjusted for one another; 1 where a test could not reach `level` at all."""
    counted = np.array([test.least <= level for test in tests], bool)
    adjusted = np.ones(len(tests))
    if counted.any():
        adjusted[counted] = benjamini_hochberg([test.p_value for test in tests if test.least <= level])
    return adjusted


def _fewer(pair: Pair, significant: Sequence[bool] | np.ndarray) -> str:
    """Which of escapes and masteries have become `significant`ly rarer, in words; empty for none."""
    kinds = ("escape", pair.plateau), ("master", pair.mastery)
    parts = []
    for (verb, waits), found in zip(kinds, significant, strict=True):
        if found:
            now, before = (f"{group.observed.sum()} of {len(group.observed)}" for group in waits)
            parts.append(f"{now} {verb}, {before} did")
    return "; ".join(parts)


def _without_evidence(effect: Effect, mixer: Effect | None, tolerance: float) -> tuple[Verdict, str]:
    """The verdict where no test has found anything."""
    slowdown = f"a slowdown of {tolerance:g}"
    if effect.high <= effect.limit:
        return "pass", f"{slowdown} is excluded"
    if effect.most < tolerance:
        return "inconclusive", f"the budget is too short: {slowdown} could not show"
    if mixer is not None and mixer.high <= mixer.limit and effect.ratio <= effect.limit:
        return "pass", f"{slowdown} is excluded by all cells of the mixer together"
    return "inconclusive", f"{slowdown} is not excluded"


def _detectable(effect: Effect, tolerance: float, level: float) -> float | None:
    """See `Finding.detectable`: the test reaches `level` so many standard errors beyond the limit."""
    beyond = math.exp((special.ndtri(1 - level) + special.ndtri(POWER)) * effect.error)
    return tolerance * beyond if effect.limit * beyond <= effect.most else None
