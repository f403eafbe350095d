"""Guesses from a bag of symbols: which are there is known, and not which one is asked for."""

from __future__ import annotations

import numpy as np
from scipy import special

from attnsearch.generators.lazy import jax, jnp


def bag_loss(count: int, num_symbols: int) -> float:
    """Nats: the mean loss of guessing each symbol as often as a bag of `count` random ones holds it.

    That is the expected entropy of their shares.
    """
    held = np.arange(1, count + 1)
    # The number of times that one symbol is there is binomial.
    ways = special.gammaln(count + 1) - special.gammaln(held + 1) - special.gammaln(count - held + 1)
    rest = special.xlog1py(count - held, -1 / num_symbols)
    probability = np.exp(ways - held * np.log(num_symbols) + rest)
    return float(-num_symbols * (probability * held / count * np.log(held / count)).sum())


def bag_guess(tokens: jax.Array, held: jax.Array, vocab_size: int) -> jax.Array:
    """`f32[V]`: how often each token value is among the `tokens`, `i32[L]`, at which `held`, `bool[L]`."""
    return jax.nn.one_hot(tokens, vocab_size).T @ held / jnp.maximum(held.sum(), 1)
