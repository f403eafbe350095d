"""What a vocabulary costs: ways to embed tokens, the logits with their loss, and the optimizer; a step.

    python benchmarks/vocabulary.py > vocabulary.md

Forward and gradient, with the batch in the parts that a step on a CPU has. All ways are timed in turn,
`--rounds` times, in one process on one device; a row gives medians in milliseconds.
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
import optax

from attnsearch.mixers.linear import product
from attnsearch.training.jax.devices import gradient_parts

WIDTH, LENGTH, QUERIES, REPEATS = 128, 64, 4, 5


def main() -> None:
    """Print one row a vocabulary."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vocabularies", default="16,64,256,1024,8192", help="list  [default: %(default)s]")
    parser.add_argument("--tokens", type=int, default=2048, help="of a step  [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=5, help="[default: %(default)s]")
    given = parser.parse_args()
    print("| vocabulary | one-hot product, ms | look-up, ms | logits and loss, ms | optimizer, ms |")
    print("|--:|--:|--:|--:|--:|", flush=True)
    for vocabulary in map(int, given.vocabularies.split(",")):
        ways = [
            embedding(vocabulary, given.tokens, by_product),
            embedding(vocabulary, given.tokens, by_look_up),
            logits(vocabulary, given.tokens),
            optimizer(vocabulary),
        ]
        seconds = [[way() for way in ways] for _ in range(given.rounds)]
        middle = (1e3 * median(column) for column in zip(*seconds, strict=True))
        print(f"| {vocabulary:,} | {' | '.join(f'{value:.2f}' for value in middle)} |", flush=True)


def by_product(table: jax.Array, tokens: jax.Array) -> jax.Array:
    """The rows of `tokens`, by one-hot rows."""
    return product(jax.nn.one_hot(tokens, len(table)), table)


def by_look_up(table: jax.Array, tokens: jax.Array) -> jax.Array:
    """The same, by their numbers."""
    return table[tokens]


def embedding(
    vocabulary: int, tokens: int, way: Callable[[jax.Array, jax.Array], jax.Array]
) -> Callable[[], float]:
    """Seconds of the gradient of the embedding of a step."""
    random = np.random.default_rng(0)
    sequences = random.integers(vocabulary, size=(tokens // LENGTH, LENGTH))
    wanted = jnp.asarray(random.normal(size=(LENGTH, WIDTH)), jnp.float32)

    def loss(table: jax.Array, tokens: jax.Array) -> jax.Array:
        return (jax.vmap(lambda sequence: way(table, sequence))(tokens) * wanted).sum()

    return timed(loss, table_of(vocabulary), sequences)


def logits(vocabulary: int, tokens: int) -> Callable[[], float]:
    """Seconds of the gradient of the logits and their loss at `QUERIES` queries of each sequence."""
    random = np.random.default_rng(0)
    found = random.normal(size=(tokens // LENGTH, QUERIES, WIDTH)).astype(np.float32)
    answers = random.integers(vocabulary, size=found.shape[:2])

    def loss(table: jax.Array, rows: tuple[jax.Array, jax.Array]) -> jax.Array:
        found, answers = rows
        scores = jax.vmap(lambda one: product(one, table.T))(found)
        return optax.softmax_cross_entropy_with_integer_labels(scores, answers).mean()

    return timed(loss, table_of(vocabulary), (found, answers))


def optimizer(vocabulary: int) -> Callable[[], float]:
    """Seconds of a step of AdamW on the two tables of a vocabulary."""
    tables, adam = [table_of(vocabulary)] * 2, optax.adamw(1e-3)
    state = adam.init(tables)

    @jax.jit
    def run(tables: Any, state: Any) -> Any:
        updates, state = adam.update(tables, state, tables)
        return optax.apply_updates(tables, updates), state

    return clock(lambda: run(tables, state))


def timed(loss: Callable[[jax.Array, Any], jax.Array], table: jax.Array, batch: Any) -> Callable[[], float]:
    """Seconds of the gradient of `loss` by `table`, summed over the parts of a `batch`."""
    size = len(jax.tree.leaves(batch)[0])
    parts = gradient_parts("cpu", size, LENGTH)
    split = jax.tree.map(lambda field: jnp.asarray(field).reshape(parts, -1, *field.shape[1:]), batch)

    @jax.jit
    def run(table: jax.Array) -> jax.Array:
        def add(total: jax.Array, part: Any) -> tuple[jax.Array, None]:
            return total + jax.grad(loss)(table, part), None

        return jax.lax.scan(add, jnp.zeros_like(table), split)[0]

    return clock(lambda: run(table))


def table_of(vocabulary: int) -> jax.Array:
    """`f32[V, D]`"""
    return jnp.asarray(np.random.default_rng(0).normal(size=(vocabulary, WIDTH)), jnp.float32)


def clock(run: Callable[[], Any]) -> Callable[[], float]:
    """The mean seconds of `REPEATS` calls of `run`, compiled by now."""
    jax.block_until_ready(run())

    def seconds() -> float:
        start = time.perf_counter()
        for _ in range(REPEATS):
            jax.block_until_ready(run())
        return (time.perf_counter() - start) / REPEATS

    return seconds


if __name__ == "__main__":
    main()
