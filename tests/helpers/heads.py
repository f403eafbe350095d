"""Parts of the definitions of mixers with heads, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from attnsearch.base import Floats
from helpers.definitions import exact


def sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def silu(x: Floats) -> Floats:
    return x * sigmoid(x)


def unit(x: Floats) -> Floats:
    return x / np.sqrt((x**2).sum(axis=-1, keepdims=True) + 1e-6)


def centred(x: Floats) -> Floats:
    """With mean 0 and mean square 1 along the last axis."""
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)


def scaled(x: Floats, norm: Any) -> Floats:
    """What an `nnx.RMSNorm` does."""
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6) * exact(norm.scale)


def projected(linear: Any, x: Floats, num_heads: int) -> Floats:
    """`f64[L, H, d]`"""
    bias = 0.0 if linear.bias is None else exact(linear.bias)
    return (x @ exact(linear.kernel) + bias).reshape(len(x), num_heads, -1)


def convolved(part: Any, x: Floats, num_heads: int) -> Floats:
    """`f64[L, H, d]` of a projection, a convolution one token after another, and SiLU."""
    given, kernel = x @ exact(part.linear.kernel), exact(part.kernel)
    found = np.zeros_like(given)
    for token in range(len(given)):
        for back in range(min(len(kernel), token + 1)):
            found[token] += kernel[back] * given[token - back]
    return silu(found).reshape(len(x), num_heads, -1)


def delta_rule(query: Floats, key: Floats, value: Floats, rate: Floats, decay: Floats) -> Floats:
    """`f64[L, H, V]` of arrays `[L, H, d]`, and of rates and decays, `[L, H]`.

    By equation 10 of arXiv:2412.06464, with the matrix formed that the state is multiplied with.
    """
    state, recalled = np.zeros((*key.shape[1:], value.shape[-1])), []
    for q, k, v, b, a in zip(query, key, value, rate, decay, strict=True):
        moved = np.eye(k.shape[-1]) - b[:, None, None] * k[:, :, None] * k[:, None, :]
        state = a[:, None, None] * moved @ state + b[:, None, None] * k[:, :, None] * v[:, None, :]
        recalled.append(np.einsum("hk,hkv->hv", q, state))
    return np.array(recalled)
