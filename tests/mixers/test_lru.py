"""The linear RNN is its recurrence, and the scan's gradient is what a derived one would be."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.definitions import assert_as_large_as_attention, assert_defined_by, exact, noisy

from attnsearch.base import AttnsearchError, Floats
from attnsearch.mixers.lru import LRU
from attnsearch.mixers.scan import linear_recurrence

WIDTH = 6


def definition(mixer: LRU, x: Floats) -> Floats:
    inward, outward = exact(mixer.inward.kernel), exact(mixer.outward.kernel)
    count = len(outward) // 2
    b, c = inward[:, :count] + 1j * inward[:, count:], outward[:count] + 1j * outward[count:]
    decay = np.exp(-np.exp(exact(mixer.decay_rate)) + 1j * np.exp(exact(mixer.angle)))
    state, mixed = np.zeros(count, complex), []
    for token in x:
        state = decay * state + np.exp(exact(mixer.input_scale)) * (token @ b)
        mixed.append((state @ c).real + exact(mixer.skip) * token)
    return np.array(mixed)


def test_it_is_its_recurrence() -> None:
    mixer = noisy(LRU(WIDTH, 131, rngs=nnx.Rngs(0), state_width=5, smallest_radius=0.5))
    assert_defined_by(mixer, definition, WIDTH)


def test_size() -> None:
    assert_as_large_as_attention("lru")


def test_it_starts_on_the_ring_and_with_inputs_scaled_to_it() -> None:
    mixer = LRU(WIDTH, 9, rngs=nnx.Rngs(0), state_width=50, smallest_radius=0.5, largest_radius=0.9)
    radius = np.exp(-np.exp(exact(mixer.decay_rate)))
    assert (radius >= 0.5).all()
    assert (radius <= 0.9).all()
    np.testing.assert_allclose(np.exp(exact(mixer.input_scale)), np.sqrt(1 - radius**2), rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"state_width": 0}, "state_width 0 must be"),
        ({"largest_radius": 1.0}, "largest_radius 1.0 are not a ring"),
    ],
)
def test_bad_settings(settings: dict[str, float], text: str) -> None:
    with pytest.raises(AttnsearchError, match=text):
        LRU(WIDTH, 9, rngs=nnx.Rngs(0), **settings)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("length", [7, 131])
def test_the_gradient_of_the_scan_is_the_derived_one(length: int) -> None:
    random = np.random.default_rng(0)
    decay, added, weights = (
        jnp.asarray(random.normal(size=(length, 2)) + 1j * random.normal(size=(length, 2)), jnp.complex64)
        for _ in range(3)
    )
    decay = decay / (1.05 * jnp.abs(decay))

    def plain(decay: jax.Array, added: jax.Array) -> jax.Array:
        def step(state: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            state = now[0] * state + now[1]
            return state, state

        return jax.lax.scan(step, jnp.zeros_like(added[0]), (decay, added))[1]

    ways = [
        jax.jit(jax.grad(lambda d, a, way=way: (way(d, a) * weights).real.sum(), argnums=(0, 1)))
        for way in (plain, linear_recurrence)
    ]
    for one, other in zip(*(way(decay, added) for way in ways), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
