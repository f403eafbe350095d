"""Does a curve that was made again agree with the one that was told? Numpy side; never imports jax."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from attnsearch.base import Floats
from attnsearch.stats.survival import ROUNDING


def distances(curves: Floats) -> Floats:
    """`f64[N, N]`: the mean distance of every two of `curves`, `f64[N, E]`, over the logarithm of steps.

    Points are evenly spaced in steps, so that the point at step t stands for 1 / t of the logarithm. A
    plateau that is twice as long is then as far away, wherever it ends.
    """
    weight = 1 / np.arange(1, curves.shape[1] + 1)
    between = np.abs(curves[:, None] - curves[None])
    return between @ (weight / weight.sum())


def pair_p_value(apart: Floats, first: int, second: int) -> float:
    """The share of all pairs that are at least as far apart as the pair of `first` and `second`.

    apart:  `f64[N, N]` distances

    Where all N curves come from one distribution, each pair is as likely to be the one that is asked for. So
    the p value is exact, whatever the distribution. It is conservative where the two are more alike than
    others, as two trainings of one seed are.
    """
    rows, columns = np.triu_indices(len(apart), 1)
    pairs = apart[rows, columns]
    return float((pairs >= apart[first, second] - ROUNDING).mean())


def combined(p_values: Sequence[float]) -> float:
    """The p value of the sum of several that are independent (Edgington 1972, J. Psychol. 80: 351-363); 1 for
    none. Conservative where they take few values.

    A sum tells better than a product what is a little off everywhere, as curves are that were made up.
    """
    count, total = len(p_values), Fraction(sum(p_values)).limit_denominator(10**6)
    # The distribution of a sum of uniform numbers, exact because its terms cancel.
    below = range(min(math.floor(total), count) + 1)
    terms = ((-1) ** j * math.comb(count, j) * (total - j) ** count for j in below)
    return float(sum(terms, Fraction(0)) / math.factorial(count)) if count else 1.0
