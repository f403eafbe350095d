"""A causal MLP-Mixer."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attnsearch.base import AttnsearchError, Integers
from attnsearch.mixers.base import Mixer, rows


class MLPMixer(Mixer):
    """Causal two-layer MLP over the positions, shared by all features (arXiv:2105.01601, section 2).

    Made causal by masks as in MADE (Germain et al. 2015, arXiv:1502.03509, section 3). Each position
    owns `expansion` hidden units. The units of position i read positions 0 ... i, and output t reads
    the hidden units of positions 0 ... t. Both matrices are block-lower-triangular, so that no path leads
    from a later position to an earlier one::

        positions read   0 1 2        hidden units of   0 1 2
        hidden of 0      #            output 0          #
        hidden of 1      # #          output 1          # #
        hidden of 2      # # #        output 2          # # #

    The output has no bias: one value for all features of a token is what the next normalisation removes.

    expansion:  hidden units per position, e
    """

    def __init__(self, width: int, context_length: int, *, rngs: nnx.Rngs, expansion: int = 4):
        del width  # the same MLP serves every feature
        if expansion < 1:
            raise AttnsearchError(f"expansion {expansion} must be at least 1")
        length = context_length
        visible = np.arange(1, length + 1, dtype=np.float32)
        # Scaled by the inputs each unit really has, so that early and late positions start alike.
        self.inward = nnx.Param(
            jax.random.normal(rngs.params(), (length, expansion, length)) / np.sqrt(visible)[:, None, None]
        )
        self.inward_bias = nnx.Param(jnp.zeros((length, expansion)))
        self.outward = nnx.Param(
            jax.random.normal(rngs.params(), (length, length, expansion))
            / np.sqrt(visible * expansion)[:, None, None]
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.at(x, np.arange(len(x)))

    def at(self, x: jax.Array, positions: Integers) -> jax.Array:
        length, expansion = self.inward_bias.shape
        index = np.arange(length)
        inward = jnp.where((index <= index[:, None])[:, None, :], self.inward[...], 0.0)
        outward = jnp.where(
            (index <= positions[:, None])[:, :, None], rows(self.outward[...], positions), 0.0
        )
        hidden = inward.reshape(length * expansion, length) @ x + self.inward_bias[...].reshape(-1, 1)
        return outward.reshape(len(positions), length * expansion) @ jax.nn.gelu(hidden)
