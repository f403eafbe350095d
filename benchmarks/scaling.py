"""How the cost grows: tokens a second against lanes, state size and layers, as a table and a picture.

    .venv/bin/python benchmarks/scaling.py [--seconds 5] [--picture docs/images/scaling.png]

Attention on the isolated linear map, D = 128, 16 heads, 2,048 tokens a step, all lanes at work.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from attnsearch import devices

devices.use_every_core()  # before jax starts

import jax  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from speed import Runner  # noqa: E402

from attnsearch.base import RECORDING_INTERVAL  # noqa: E402
from attnsearch.plan import Registries, cohorts, specify  # noqa: E402

TOKENS_PER_STEP = 2048
LANES = (1, 2, 4, 8)
STATE_SIZES = (8, 16, 32, 64, 128, 256, 512)
LAYERS = (1, 2, 4)


def tokens_per_second(lanes: int, state_size: int, layers: int, seconds: float) -> float:
    """Of all lanes of all devices together."""
    available = jax.local_devices()
    (cohort,) = cohorts(
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
        ),
        Registries(),
    )
    way = Runner(cohort, cohort.trainer, available, lanes)
    way.advance()
    start, points = time.perf_counter(), 0
    while points == 0 or time.perf_counter() - start < seconds:
        way.advance()
        points += 1
    steps = points * way.lanes.count * RECORDING_INTERVAL
    return steps * TOKENS_PER_STEP / (time.perf_counter() - start)


def main() -> None:
    """Measure each axis from the same middle, then print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    measured = {
        "lanes on each device": [(n, tokens_per_second(n, 16, 1, arguments.seconds)) for n in LANES],
        "state size S": [(n, tokens_per_second(1, n, 1, arguments.seconds)) for n in STATE_SIZES],
        "layers": [(n, tokens_per_second(1, 16, n, arguments.seconds)) for n in LAYERS],
    }
    shown = Table("axis", "value", "tokens a second")
    for axis, points in measured.items():
        for value, rate in points:
            shown.add_row(axis, str(value), f"{rate:,.0f}")
        shown.add_section()
    console = Console(width=100)
    console.print(shown)
    console.print(devices.describe(len(jax.local_devices())))
    if arguments.picture:
        figure = Figure((9, 3), dpi=150, layout="constrained")
        for axes, (axis, points) in zip(figure.subplots(1, 3, sharey=True), measured.items(), strict=True):
            values, rates = zip(*points, strict=True)
            axes.plot(values, rates, "o-", color="#0072B2")
            axes.set_xscale("log", base=2)
            axes.set_xticks(values, map(str, values))
            axes.set_xlabel(axis)
            axes.grid(axis="y", alpha=0.3)
            axes.set_ylim(bottom=0)
        figure.axes[0].set_ylabel("tokens a second")
        figure.savefig(arguments.picture)


if __name__ == "__main__":
    main()
