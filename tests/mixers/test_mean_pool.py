"""The mean of the past is what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from flax import nnx
from helpers.definitions import assert_as_large_as_attention, assert_defined_by, exact, noisy

from attnsearch.base import AttnsearchError, Floats
from attnsearch.mixers.mean_pool import MeanPool

WIDTH = 4


def definition(mixer: MeanPool, x: Floats) -> Floats:
    values = x @ exact(mixer.value.kernel)
    return np.array([values[: token + 1].mean(axis=0) for token in range(len(x))]) @ exact(mixer.out.kernel)


def test_it_is_its_definition() -> None:
    assert_defined_by(noisy(MeanPool(WIDTH, 131, rngs=nnx.Rngs(0))), definition, WIDTH)


def test_size() -> None:
    assert_as_large_as_attention("mean_pool")


def test_bad_expansion() -> None:
    with pytest.raises(AttnsearchError, match="expansion 0 must be at least 1"):
        MeanPool(WIDTH, 9, rngs=nnx.Rngs(0), expansion=0)
