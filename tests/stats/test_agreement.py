"""Whether a curve that was made again agrees: how often an honest one does not, and a made-up one does."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from attnsearch.base import Floats
from attnsearch.leaderboard.audit import FALSE_ALARMS
from attnsearch.stats.agreement import combined, distances, pair_p_value

# Mean losses in shares of chance, to the end of the budget, as two mixers that ship had them: ten cells of
# the suite `mixers` with eight seeds each.
with np.load(Path(__file__).with_name("recorded_curves.npz")) as stored:
    RECORDED = dict(stored)
ATTENTION = RECORDED["attention"].astype(np.float64)

AUDITS = 1_000


def test_every_pair_has_its_share() -> None:
    apart = distances(ATTENTION[3])
    found = sorted(pair_p_value(apart, *pair) for pair in combinations(range(8), 2))
    np.testing.assert_allclose(found, np.arange(1, 29) / 28)
    assert pair_p_value(apart, 2, 2) == 1.0


def test_a_plateau_twice_as_long_is_as_far_wherever_it_ends() -> None:
    step = np.arange(1, 1_001)
    curves = np.array([np.where(step <= end, 1.0, 0.0) for end in (50, 100, 400, 800)])
    apart = distances(curves)
    assert apart[0, 1] == pytest.approx(apart[2, 3], rel=0.02)


def test_a_sum_of_p_values_is_a_p_value() -> None:
    assert combined([]) == 1.0
    assert combined([0.3]) == pytest.approx(0.3)
    assert combined([1.0] * 5) == 1.0
    assert combined([0.5] * 40) == pytest.approx(0.5)
    uniform = np.random.default_rng(0).uniform(size=(4_000, 3))
    below = np.mean([combined(row.tolist()) <= 0.05 for row in uniform])
    assert below == pytest.approx(0.05, abs=0.01)


def _share(audit: Callable[[np.random.Generator, int], float], runs: int) -> float:
    """Of `AUDITS` of so many runs, each of a cell drawn by chance, which do not agree."""
    dice, refused = np.random.default_rng(1), 0
    for _ in range(AUDITS):
        cells = dice.choice(len(ATTENTION), runs, replace=False)
        refused += combined([audit(dice, int(cell)) for cell in cells]) <= FALSE_ALARMS
    return refused / AUDITS


@pytest.mark.parametrize("runs", [1, 2, 3, 5])
def test_an_honest_entry_rarely_disagrees(runs: int) -> None:
    apart = [distances(curves) for curves in ATTENTION]

    def audit(dice: np.random.Generator, cell: int) -> float:
        # One recorded run stands for the curve told, another for its training elsewhere, as if a seed told
        # nothing of its curve.
        first, second = dice.choice(8, 2, replace=False)
        return pair_p_value(apart[cell], int(first), int(second))

    # Within what chance adds to a share of so many.
    assert _share(audit, runs) <= FALSE_ALARMS + 2 * np.sqrt(FALSE_ALARMS / AUDITS)


def _twice_as_fast(curves: Floats) -> Floats:
    """The same curves in half of the steps."""
    points = curves.shape[-1]
    return curves[..., np.minimum(2 * np.arange(points) + 1, points - 1)]


@pytest.mark.parametrize(
    ("told", "least"), [(_twice_as_fast(ATTENTION), 0.85), (RECORDED["mlp_mixer"].astype(np.float64), 0.55)]
)
def test_an_entry_that_tells_shorter_plateaus_rarely_agrees(told: Floats, least: float) -> None:
    """Three audited runs see it most of the time. In two of ten cells attention does not escape at all."""

    def audit(dice: np.random.Generator, cell: int) -> float:
        own, trained = (int(place) for place in dice.integers(8, size=2))
        curves = np.concatenate([told[cell], ATTENTION[cell, trained][None]])
        return pair_p_value(distances(curves), own, 8)

    assert _share(audit, 3) >= least
