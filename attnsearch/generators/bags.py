"""Guesses from a bag of symbols: which are there is known, and not which one is asked for."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from attnsearch.base import Floats, Integers
from attnsearch.generators.lazy import jax, jnp

BAGS = 4096
"""Bags that are drawn where there are more than two values."""

NEGLIGIBLE = 1e-3
"""A bag that can tell no more than this share of chance tells nothing."""


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


def sum_loss(count: int, chosen: int, modulus: int) -> float:
    """Nats: the mean loss of guessing the sum, mod C, of `chosen` of `count` uniform numbers from their bag.

    Which ones are summed is not known: any so many are as likely. Two such guesses agree by more than chance
    only where they are of the same ones. So the bag tells at most (C - 1) / C(count, chosen) nats, and no sum
    is computed where that is `NEGLIGIBLE`. With two values every bag is counted, with more some are drawn.
    """
    chance, few = math.log(modulus), min(chosen, count - chosen)
    if few == 1:
        # The one that is summed, or left out, is any of the bag.
        return bag_loss(count, modulus)
    sets = special.gammaln(count + 1) - special.gammaln(few + 1) - special.gammaln(count - few + 1)
    if math.log(modulus - 1) < math.log(NEGLIGIBLE * chance) + sets:
        return chance
    if modulus == 2:
        ones = np.arange(count + 1)
        numbers = (np.arange(count) < ones[:, None]).astype(np.int64)
        sequences = special.gammaln(count + 1) - special.gammaln(ones + 1) - special.gammaln(count - ones + 1)
        weights = np.exp(sequences - count * math.log(2))
    else:
        numbers = np.random.default_rng(0).integers(modulus, size=(BAGS, count))
        weights = np.full(BAGS, 1 / BAGS)
    return float(weights @ special.entr(sum_shares(numbers, chosen, modulus)).sum(axis=-1))


def sum_shares(numbers: Integers, chosen: int, modulus: int) -> Floats:
    """`f64[N, C]`: how many of the sets of `chosen` of the `numbers`, `i64[N, S]`, have each sum mod C."""
    count = numbers.shape[-1]
    # Of many, those left out are counted instead: their sum is what the sum of all leaves.
    few = min(chosen, count - chosen)
    turns = np.exp(2j * np.pi * np.arange(modulus) / modulus)
    # The coefficient of t^j in the product of (1 + t w^(k x)) over the numbers x, for each frequency k.
    ways = np.zeros((few + 1, len(numbers), modulus), complex)
    ways[0] = 1
    for column in numbers.T:
        turned = turns[column[:, None] * np.arange(modulus) % modulus]
        for size in range(few, 0, -1):
            ways[size] += ways[size - 1] * turned
    shares = np.fft.fft(ways[few], axis=-1).real / modulus / math.comb(count, few)
    if few < chosen:
        sums = (numbers.sum(axis=-1)[:, None] - np.arange(modulus)) % modulus
        shares = np.take_along_axis(shares, sums, axis=-1)
    return np.clip(shares, 0.0, 1.0)
