"""What pictures are drawn of in tests, and what is found in a figure."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from attnsearch.base import Bools, Curves, Floats, Maps, Plateaus, Truth
from attnsearch.plots.plateaus import Dots
from helpers.maps import maps_of, no_maps
from helpers.truths import whole

CHANCE = math.log(2)


def falling_curves(falls: Floats, steps: int, noise: float = 0.02) -> Curves:
    """Losses that leave chance at `falls`, `f64[Q]`, recorded every 10 steps."""
    step = np.arange(10, steps + 1, 10)
    progress = np.clip((step[:, None] - falls) / (0.06 * falls + 15), -50, 50)
    wobble = 1 + noise * np.random.default_rng(0).standard_normal(progress.shape)
    loss = CHANCE / (1 + np.exp(progress)) * wobble + 0.002
    return Curves(step, loss.astype(np.float32), (1 - loss / 2).astype(np.float32))


def truth_of(matrix: Bools, autoregressive: bool) -> Truth:
    size = len(matrix)
    attention_map = np.concatenate([matrix, np.zeros_like(matrix)], axis=1)
    return whole(
        attention_map=attention_map,
        query_positions=np.arange(size) + size - autoregressive,
        is_target=np.ones(size, bool),
        replaceable=(np.arange(2 * size) < size) | autoregressive,
        log2_search_space=np.full(size, 3.0),
        nominal_log2_search_space=3.0,
        chance_loss=CHANCE,
    )


def sparse_matrix(size: int, support: int) -> Bools:
    noise = np.random.default_rng(1).random((size, size))
    return noise.argsort(axis=1).argsort(axis=1) < support


def sharpening_maps(truth: Truth) -> Maps:
    """Three maps: spread evenly, half way, and the true one."""
    visible = np.arange(len(truth.replaceable)) <= truth.query_positions[truth.is_target][:, None]
    spread = (visible & truth.replaceable) * 0.1
    exact = truth.attention_map * 1.0
    return maps_of(truth, np.array([0, 250, 1500]), np.stack([spread, (spread + exact) / 2, exact]))


def lengthening_series(labels: str, budget: int, runs: int = 8) -> list[Dots]:
    """A series for each letter of `labels`, at 3, 6 and 12 bits, the last beyond most budgets."""
    generator = np.random.default_rng(2)
    series = []
    for label in labels:
        bits = np.repeat([3.0, 6.0, 12.0], runs)
        length = 50 * 2 ** (bits / 1.5) * np.exp(0.2 * generator.standard_normal(len(bits)))
        series.append(Dots(label, bits, Plateaus(np.minimum(length, budget).astype(int), length < budget)))
    return series


def censored_at(*lengths: int) -> Plateaus:
    return Plateaus(np.array(lengths), np.zeros(len(lengths), bool))


def lines(figure: Figure, gid: str) -> list[Line2D]:
    return [line for line in figure.axes[0].lines if line.get_gid() == gid]


def heights(line: Line2D) -> Floats:
    return np.asarray(line.get_ydata(), np.float64)


def places(line: Line2D) -> Floats:
    return np.asarray(line.get_xdata(), np.float64)


def labels(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def cells(axes: Axes) -> np.ma.MaskedArray:
    return np.ma.masked_invalid(np.ma.asarray(axes.images[0].get_array()))


ISOLATED, WIDE = (truth_of(sparse_matrix(16, 3), autoregressive) for autoregressive in (False, True))
TINY = truth_of(np.eye(2, dtype=bool), False)
MOMENTS = [("start", 0), ("escape", 1), ("end", 2)]
FALLS = falling_curves(np.linspace(300, 1500, 16), 2000)
DIVERGED = Curves(FALLS.step, np.where(FALLS.step[:, None] > 700, np.nan, FALLS.loss), FALLS.accuracy)
NO_INFLUENCE = no_maps(np.array([0]), 16, 32)
