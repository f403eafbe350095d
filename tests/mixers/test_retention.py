"""Retention is its recurrence over complex numbers."""

from __future__ import annotations

import numpy as np
import pytest
from flax import nnx
from helpers.definitions import assert_as_large_as_attention, assert_defined_by, exact, noisy
from helpers.heads import centred, projected, silu

from attnsearch.base import AttnsearchError, Floats
from attnsearch.mixers.retention import Retention

WIDTH = 8


def definition(mixer: Retention, x: Floats) -> Floats:
    """Equation 6 of the paper, whose queries and keys are complex: a pair of features is one number."""
    heads, pairs = mixer.num_heads, mixer.key_width // 2
    query, key = (
        features[..., :pairs] + 1j * features[..., pairs:]
        for features in (projected(mixer.query, x, heads), projected(mixer.key, x, heads))
    )
    value = projected(mixer.value, x, heads)
    kept = 1 - 2.0 ** (-5 - np.arange(heads))
    turn = np.exp(-1j * 10_000.0 ** -(np.arange(pairs) / pairs))
    state, recalled = np.zeros((heads, pairs, value.shape[-1]), complex), []
    for q, k, v in zip(query, key, value, strict=True):
        # The state is turned, not the queries and keys: what is recalled depends on distances alone.
        state = kept[:, None, None] * turn[:, None] * state + k[:, :, None] * v[:, None, :]
        recalled.append(np.einsum("hk,hkv->hv", q.conj(), state).real / np.sqrt(mixer.key_width))
    mixed = centred(np.array(recalled)) * silu(projected(mixer.gate, x, heads))
    return mixed.reshape(len(x), -1) @ exact(mixer.out.kernel)


def test_it_is_its_recurrence() -> None:
    made = Retention(WIDTH, 131, rngs=nnx.Rngs(0), num_heads=2, key_width=4)
    assert_defined_by(noisy(made), definition, WIDTH)


def test_size() -> None:
    assert_as_large_as_attention("retention")


def test_an_odd_key_width_is_refused() -> None:
    with pytest.raises(AttnsearchError, match="key_width 1 must be even"):
        Retention(WIDTH, 9, rngs=nnx.Rngs(0), num_heads=4)
