"""Tokens a second of every mixer beside attention's, and the memory that a long context takes.

    python benchmarks/mixers_speed.py [--mixers hyena,short_conv] [--rounds 5] [--seconds 2] > mixers_speed.md

Whole training steps of the linear map at S = 16 and S = 128, on one core. At 4,096 and 8,192 tokens one layer
alone is timed: forward and gradient of one sequence. Where the cost is linear, both rates are alike. Mixers
are measured in turn, round after round, and ratios are taken within a round. Memory is what the compiled
gradient of one layer needs beside its inputs and outputs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from attnsearch.training.jax import devices

devices.use_every_core()  # before jax starts

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from flax import nnx  # noqa: E402
from speed import Runner, in_turn  # noqa: E402

from attnsearch.backends import specify  # noqa: E402
from attnsearch.mixers import MIXERS, Mixer  # noqa: E402
from attnsearch.spec.run import Value  # noqa: E402
from attnsearch.training.jax.backend import JaxBackend  # noqa: E402

WIDTH, TOKENS_PER_STEP = 128, 8_192
STATE_SIZES = (16, 128)
CONTEXTS = (4_096, 8_192)
BY_POSITION = ("mlp_mixer",)
"""Their parameters grow with the square of the context, and do not fit at `CONTEXTS`."""

HEAD = """\
| mixer | S = 16, 1,000 tokens a second | of attention's | S = 128 | of attention's \
| layer at 4,096 tokens | of attention's | layer at 8,192 tokens | of attention's \
| MiB at 4,096 tokens | MiB at 8,192 tokens |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""


class Layer:
    """One layer on one sequence of `length` tokens: its outputs and all its gradients."""

    def __init__(self, mixer: str, length: int):
        self.work = float(length)
        self.gradients, arguments = differentiated(mixer, length)
        random = np.random.default_rng(0)
        self.given = jax.tree.map(
            lambda one: jnp.asarray(0.1 * random.normal(size=one.shape), one.dtype), arguments
        )

    def advance(self) -> None:
        """Once, to its end."""
        jax.block_until_ready(self.gradients(*self.given))


def differentiated(mixer: str, length: int) -> tuple[Any, Any]:
    """The jitted gradient of one layer, and what it is called with, in shapes."""
    build = cast("Callable[..., Mixer]", MIXERS[mixer])
    parameters = nnx.state(nnx.eval_shape(lambda: build(WIDTH, length, rngs=nnx.Rngs(0))), nnx.Param)
    x = jax.ShapeDtypeStruct((length, WIDTH), jnp.float32)

    def loss(parameters: Any, x: jax.Array) -> jax.Array:
        made = build(WIDTH, length, rngs=nnx.Rngs(0))
        nnx.update(made, parameters)
        return (made(x) ** 2).sum()

    return jax.jit(jax.grad(loss, argnums=(0, 1))), (parameters, x)


def mebibytes(mixer: str, length: int) -> float:
    """What the compiled gradient holds beside what goes in and comes out. Nothing is run."""
    gradients, arguments = differentiated(mixer, length)
    analysis = gradients.lower(*arguments).compile().memory_analysis()
    return analysis.temp_size_in_bytes / 2**20


def trained(mixer: str, state_size: int) -> Runner:
    """Whole training steps, one lane on one core."""
    values: dict[str, list[Value]] = {"state_size": [state_size], "tokens_per_step": [TOKENS_PER_STEP]}
    (runs,) = JaxBackend().cohorts(specify(["linear_map"], [mixer], values, seeds=[0]))
    return Runner(runs, runs.trainer, jax.local_devices()[:1], 1)


def columns(rates: Mapping[str, np.ndarray], unit: float) -> dict[str, str]:
    """Two cells a mixer: the median rate, and the median of its ratios to attention's within a round."""
    base = rates["attention"]
    return {name: f"{np.median(one) / unit:.1f} | {np.median(one / base):.2f}" for name, one in rates.items()}


def listed(text: str) -> Sequence[str]:
    """Attention, then the mixers named."""
    return list(dict.fromkeys(["attention", *text.split(",")]))


def main() -> None:
    """Measure, then print one row a mixer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mixers", type=listed, default=list(MIXERS), help="list  [default: all]")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each mixer  [default: 5]")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn  [default: 2]")
    given = parser.parse_args()
    measured = []
    for size in STATE_SIZES:
        ways = {name: trained(name, size) for name in given.mixers}
        measured.append(columns(in_turn(ways, given.rounds, given.seconds), 1e3))
    for length in CONTEXTS:
        layers = {name: Layer(name, length) for name in given.mixers if name not in BY_POSITION}
        measured.append(columns(in_turn(layers, given.rounds, given.seconds), 1e3))
    machine = devices.describe(1)
    print(f"{machine['processor']}, one core, jax {jax.__version__}, {time.strftime('%Y-%m-%d')}\n")
    print(HEAD)
    for name in given.mixers:
        cells = [column.get(name, "does not fit | ") for column in measured]
        memory = [f"{mebibytes(name, length):,.0f}" for length in CONTEXTS]
        print(f"| `{name}` | {' | '.join(cells + memory)} |", flush=True)


if __name__ == "__main__":
    main()
