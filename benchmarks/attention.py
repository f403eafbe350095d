"""Attention in parts beside attention that holds all its logits: time for a token, forward and gradient.

    python benchmarks/attention.py > attention.md

Both forms are timed in turn, `--rounds` times, in one process; a row gives medians and their ratio.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.mixers import Attention, attention

WIDTH, HEADS, REPEATS = 128, 8, 4


def main() -> None:
    """Print one row a context length."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--context-lengths", default="256,512,1024,2048", help="list  [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=5, help="[default: %(default)s]")
    given = parser.parse_args()
    limit = attention.LARGEST_LOGITS
    print("| context | whole, us a token | in parts, us a token | whole over parts |")
    print("|--:|--:|--:|--:|", flush=True)
    for length in map(int, given.context_lengths.split(",")):
        forms = {"whole": timed(length, 2**40), "parts": timed(length, limit)}
        seconds: dict[str, list[float]] = {"whole": [], "parts": []}
        for _ in range(given.rounds):
            for name, run in forms.items():
                seconds[name].append(run())
        whole, parts = (1e6 * median(seconds[name]) / (REPEATS * length) for name in ("whole", "parts"))
        print(f"| {length:,} | {whole:.1f} | {parts:.1f} | {whole / parts:.2f} |", flush=True)


def timed(length: int, largest_logits: int) -> Callable[[], float]:
    """What returns the seconds of `REPEATS` gradients of one layer on one sequence, compiled by now."""
    attention.LARGEST_LOGITS = largest_logits
    definition, parameters = nnx.split(Attention(WIDTH, length, rngs=nnx.Rngs(0), num_heads=HEADS))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(REPEATS, length, WIDTH)), jnp.float32)

    def loss(parameters: Any, x: jax.Array) -> jax.Array:
        return (nnx.merge(definition, parameters)(x) ** 2).sum()

    @jax.jit
    def gradients(parameters: Any, x: jax.Array) -> Any:
        # One after another, as the parts of a training step are.
        return jax.lax.map(lambda sequence: jax.grad(loss, argnums=(0, 1))(parameters, sequence), x)

    jax.block_until_ready(gradients(parameters, x))

    def run() -> float:
        start = time.perf_counter()
        jax.block_until_ready(gradients(parameters, x))
        return time.perf_counter() - start

    return run


if __name__ == "__main__":
    main()
