"""Relative positions of attention are their definitions, in outputs, weights and gradients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.definitions import exact, inputs, noisy

from attnsearch.base import AttnsearchError, Floats, Integers
from attnsearch.mixers import Attention, attention
from attnsearch.mixers.positions import rotated
from attnsearch.spec.positions import alibi_slopes, buckets, sinusoidal

LENGTH, WIDTH, HEADS = 19, 16, 4

VARIANTS: list[dict[str, Any]] = [
    {"relative_positions": "rotary", "qk_norm": True, "learned_temperature": True},
    {"relative_positions": "alibi"},
    {"relative_positions": "relative_bias"},
]


def built(settings: dict[str, Any], length: int = LENGTH) -> Attention:
    return noisy(Attention(WIDTH, length, rngs=nnx.Rngs(0), num_heads=HEADS, **settings))


def bucket(distance: int) -> int:
    """In whole numbers: of the upper 16 buckets, the k-th begins where (d / 16)^16 is 8^k."""
    if distance < 16:
        return distance
    return max(16 + k for k in range(16) if distance**16 >= 16**16 * 8**k)


def defined(made: Attention, x: Floats) -> tuple[Floats, Floats]:
    """Outputs `[L, D]` and weights `[H, L, L]`: one query, key and head after another, in float64."""
    size, length = made.head_width, len(x)
    query, key, value = (
        (x @ exact(layer.kernel)).reshape(length, HEADS, size) for layer in (made.query, made.key, made.value)
    )
    if made.query_norm is not None and made.key_norm is not None:
        query, key = (
            one / np.sqrt((one**2).mean(axis=-1, keepdims=True) + 1e-6) * exact(norm.scale)
            for one, norm in ((query, made.query_norm), (key, made.key_norm))
        )
    weights = np.zeros((HEADS, length, length))
    for head, at, seen in np.ndindex(HEADS, length, length):
        if seen > at:
            weights[head, at, seen] = -np.inf
            continue
        one, other = query[at, head], key[seen, head]
        if made.rotary:
            angles = np.exp(1j * 10_000.0 ** (-2 * np.arange(size // 2) / size))
            pairs = [(part[::2] + 1j * part[1::2]) * angles**m for part, m in ((one, at), (other, seen))]
            logit = (pairs[0] * pairs[1].conj()).real.sum()
        else:
            logit = one @ other
        logit /= size**0.5
        if made.temperature is not None:
            logit /= np.exp(exact(made.temperature)[head])
        if made.falls:
            logit -= 2.0 ** (-8 * (head + 1) / HEADS) * (at - seen)
        if made.relative_bias is not None:
            logit += exact(made.relative_bias.table)[bucket(at - seen), head]
        weights[head, at, seen] = logit
    weights = np.exp(weights - weights.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    mixed = np.einsum("hqk,khd->qhd", weights, value).reshape(length, -1)
    return mixed @ exact(made.out.kernel), weights


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_outputs_weights_and_single_rows_are_their_definition(settings: dict[str, Any]) -> None:
    made, x = built(settings), inputs(LENGTH, WIDTH)
    outputs, weights = defined(made, x)
    given, some = jnp.asarray(x, jnp.float32), np.array([2, 3, 9])
    every = np.arange(LENGTH)
    whole, shown, rows, few = jax.jit(
        lambda x: (made(x), made.weights(x, every), made.at(x, some), made.weights(x, some))
    )(given)
    for found, expected in (
        *((whole, outputs), (shown, weights)),
        *((rows, outputs[some]), (few, weights[:, some])),
    ):
        np.testing.assert_allclose(found, expected, atol=3e-5)


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_gradients_also_in_parts_are_those_of_the_plain_formula(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, x = built(settings), jnp.asarray(inputs(LENGTH, WIDTH), jnp.float32)
    definition, parameters = nnx.split(made)
    asked, added = np.array([0, 3, 4, 5, 18]), jnp.asarray(inputs(LENGTH, LENGTH), jnp.float32)

    def bias(positions: Integers | jax.Array) -> jax.Array:
        return added[positions]

    def ours(mixer: Attention, x: jax.Array) -> jax.Array:
        return mixer.biased_at(x, asked, bias)

    def plain(mixer: Attention, x: jax.Array) -> jax.Array:
        """What jax differentiates itself: weights, and values mixed by them."""
        values = mixer.value(x).reshape(LENGTH, HEADS, -1)
        mixed = jnp.einsum("hqk,khd->qhd", mixer.biased_weights(x, asked, bias), values)
        return mixer.out(mixed.reshape(len(asked), -1))

    def outcome(call: Any) -> Any:
        def loss(parameters: Any, x: jax.Array) -> jax.Array:
            return (call(nnx.merge(definition, parameters), x) ** 2).sum()

        return jax.tree.leaves(jax.jit(jax.grad(loss, argnums=(0, 1)))(parameters, x))

    expected, whole = outcome(plain), outcome(ours)
    monkeypatch.setattr(attention, "LARGEST_LOGITS", LENGTH)
    monkeypatch.setattr(attention, "FEWEST_QUERIES", 2)
    for one, two, three in zip(expected, whole, outcome(ours), strict=True):
        np.testing.assert_allclose(two, one, rtol=2e-4, atol=2e-4)
        np.testing.assert_allclose(three, one, rtol=2e-4, atol=2e-4)
        assert np.abs(one).max() > 0


def test_products_of_rotated_queries_and_keys_depend_on_the_distance_alone() -> None:
    query, key = (np.broadcast_to(inputs(2, 6)[[row]], (40, 1, 6)) for row in (0, 1))
    turned = [rotated(jnp.asarray(one, jnp.float32), np.arange(40))[:, 0] for one in (query, key)]
    scores = np.asarray(turned[0] @ turned[1].T)
    for distance in range(-39, 40):
        along = np.diagonal(scores, distance)
        np.testing.assert_allclose(along, along[0], atol=1e-5)
    np.testing.assert_allclose(scores[0, 0], query[0, 0] @ key[0, 0], rtol=1e-6)
    assert len(np.unique(scores[0].round(4))) > 30


def test_the_tables_are_those_of_their_papers() -> None:
    np.testing.assert_array_equal(alibi_slopes(8), [2.0**-power for power in range(1, 9)])
    np.testing.assert_allclose(alibi_slopes(16)[:3], [2**-0.5, 2**-1, 2**-1.5])
    assert buckets(300).tolist() == [bucket(distance) for distance in range(300)]
    table = sinusoidal(50, 8) * 8**0.5
    np.testing.assert_allclose(table[7, [0, 1]], [np.sin(7), np.cos(7)], rtol=1e-5)
    np.testing.assert_allclose(table[49, [6, 7]], [np.sin(0.049), np.cos(0.049)], rtol=1e-5)
    # An odd width has no cosine for its last wave.
    assert sinusoidal(3, 5).shape == (3, 5)


def test_settings_add_parameters_behind_the_others() -> None:
    """So that with the same seed, what variants share begins alike."""
    plain = nnx.state(Attention(WIDTH, LENGTH, rngs=nnx.Rngs(0), num_heads=HEADS), nnx.Param)
    for settings in VARIANTS:
        more = nnx.state(Attention(WIDTH, LENGTH, rngs=nnx.Rngs(0), num_heads=HEADS, **settings), nnx.Param)
        for path, leaf in nnx.to_flat_state(plain):
            np.testing.assert_array_equal(dict(nnx.to_flat_state(more))[path][...], leaf[...])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"relative_positions": "rotray"}, "relative_positions 'rotray' is unknown. Did you mean rotary"),
        ({"relative_positions": "rotary", "head_width": 3}, "head_width 3 is odd"),
    ],
)
def test_bad_relative_positions(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(AttnsearchError, match=message):
        Attention(WIDTH, LENGTH, rngs=nnx.Rngs(0), **settings)
