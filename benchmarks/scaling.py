"""How the cost grows: tokens a second against lanes, state size and layers, as a table and a picture.

    .venv/bin/python benchmarks/scaling.py [--seconds 5] [--picture docs/images/scaling.png]

Attention on the isolated linear map, D = 128, 16 heads, 2,048 tokens a step, all lanes at work.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from attnsearch.training.jax import devices

devices.use_every_core()  # before jax starts

import jax  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from speed import Runner  # noqa: E402

from attnsearch.backends import specify  # noqa: E402
from attnsearch.base import RECORDING_INTERVAL  # noqa: E402
from attnsearch.training.jax.backend import JaxBackend  # noqa: E402

TOKENS_PER_STEP = 2048
LANES = (1, 2, 4, 8)
STATE_SIZES = (8, 16, 32, 64, 128, 256, 512)
LAYERS = (1, 2, 4)


def lanes_at_work(lanes: int, state_size: int, layers: int) -> Runner:
    """That many lanes on every device, compiled and begun."""
    available = jax.local_devices()
    (cohort,) = JaxBackend().cohorts(
        specify(
            ["linear_map"],
            ["attention"],
            {
                "state_size": [state_size],
                "support_size": [3],
                "num_layers": [layers],
                "tokens_per_step": [TOKENS_PER_STEP],
            },
            seeds=range(lanes * len(available)),
        )
    )
    way = Runner(cohort, cohort.trainer, available, lanes)
    way.advance()
    return way


def tokens_per_second(way: Runner, seconds: float) -> float:
    """Of all lanes of all devices together."""
    start, points = time.perf_counter(), 0
    while points == 0 or time.perf_counter() - start < seconds:
        way.advance()
        points += 1
    steps = points * way.lanes.count * RECORDING_INTERVAL
    return steps * TOKENS_PER_STEP / (time.perf_counter() - start)


def main() -> None:
    """Measure each axis from the same middle, in turn, then print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    ways = {
        "lanes on each device": {n: lanes_at_work(n, 16, 1) for n in LANES},
        "state size S": {n: lanes_at_work(1, n, 1) for n in STATE_SIZES},
        "layers": {n: lanes_at_work(1, 16, n) for n in LAYERS},
    }
    rounds = [
        [tokens_per_second(way, arguments.seconds) for axis in ways.values() for way in axis.values()]
        for _ in range(arguments.rounds)
    ]
    medians = iter(np.median(rounds, axis=0))
    ranges = iter(zip(np.min(rounds, axis=0), np.max(rounds, axis=0), strict=True))
    measured = {
        axis: [(value, next(medians), *next(ranges)) for value in values] for axis, values in ways.items()
    }
    shown = Table("axis", "value", "tokens a second")
    for axis, points in measured.items():
        for value, rate, lowest, highest in points:
            shown.add_row(axis, str(value), f"{rate:,.0f} ({lowest:,.0f} to {highest:,.0f})")
        shown.add_section()
    console = Console(width=100)
    console.print(shown)
    console.print(devices.describe(len(jax.local_devices())))
    if arguments.picture:
        figure = Figure((9, 3), dpi=150, layout="constrained")
        for axes, (axis, points) in zip(figure.subplots(1, 3, sharey=True), measured.items(), strict=True):
            values, rates, lowest, highest = np.array(points).T
            axes.vlines(values, lowest / 1e3, highest / 1e3, color="#56B4E9", linewidth=4, alpha=0.6)
            axes.plot(values, rates / 1e3, "o-", color="#0072B2")
            axes.set_xscale("log", base=2)
            axes.set_xticks(values, [f"{value:.0f}" for value in values])
            axes.set_xlabel(axis)
            axes.grid(axis="y", alpha=0.3)
        figure.axes[0].set_ylabel("1,000 tokens a second\n(median and range)")
        figure.axes[0].set_ylim(0, 1.05 * np.max(rounds) / 1e3)
        figure.savefig(arguments.picture)


if __name__ == "__main__":
    main()
