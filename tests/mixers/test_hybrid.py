"""A hybrid is its parts side by side."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.definitions import assert_as_large_as_attention, inputs

from attnsearch.base import AttnsearchError
from attnsearch.mixers import MIXERS
from attnsearch.mixers.attention import Attention
from attnsearch.mixers.base import default_settings
from attnsearch.mixers.hybrid import PARTS, Hybrid

WIDTH, LENGTH = 12, 7


def test_each_part_mixes_its_own_share_of_the_features() -> None:
    mixer = Hybrid(WIDTH, LENGTH, rngs=nnx.Rngs(0), parts="attention+short_conv+hyena", num_heads=2)
    x, asked = jnp.asarray(inputs(LENGTH, WIDTH), jnp.float32), np.array([0, 3, 6])
    whole, some, weights = jax.jit(lambda x: (mixer(x), mixer.at(x, asked), mixer.weights(x, asked)))(x)
    dealt = x @ mixer.inward.kernel[...]
    attention, short_conv, hyena = mixer.parts
    assert [type(part) for part in mixer.parts] == [
        PARTS[name] for name in ("attention", "short_conv", "hyena")
    ]
    mixed = [attention(dealt[:, :4]), short_conv(dealt[:, 4:8]), hyena(dealt[:, 8:])]
    expected = np.concatenate(mixed, axis=1) @ mixer.out.kernel[...]
    np.testing.assert_allclose(whole, expected, atol=1e-5)
    np.testing.assert_allclose(some, expected[asked], atol=1e-5)
    assert isinstance(attention, Attention)
    np.testing.assert_allclose(weights, attention.weights(dealt[:, :4], asked), atol=1e-6)
    assert len(weights) == attention.num_heads == 2


def test_parts_are_mixers_of_the_registry_by_the_same_names() -> None:
    assert {name: MIXERS[name] for name in PARTS} == PARTS
    assert set(str(default_settings(Hybrid)["parts"]).split("+")) <= set(PARTS)


def test_size() -> None:
    assert_as_large_as_attention("hybrid")


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ("attention+hyana", "'hyana' cannot be a part. Known: attention, hyena"),
        ("attention", "a hybrid has two or more. Join their names by"),
        ("+".join(["attention"] * 5), "width 12 does not divide by 5, the parts of"),
    ],
)
def test_bad_parts(parts: str, text: str) -> None:
    with pytest.raises(AttnsearchError, match=text):
        Hybrid(WIDTH, LENGTH, rngs=nnx.Rngs(0), parts=parts)
