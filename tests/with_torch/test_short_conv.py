"""The gated short convolution in jax computes what the layer of `transformers` computes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from transformers.models.lfm2.configuration_lfm2 import Lfm2Config
from transformers.models.lfm2.modeling_lfm2 import Lfm2ShortConv

from attnsearch.mixers.short_conv import ShortConv

WIDTH, LENGTH, KERNEL = 12, 37, 3


def test_outputs_and_gradients_of_inputs_agree() -> None:
    torch.manual_seed(0)
    config = Lfm2Config(
        hidden_size=WIDTH, num_hidden_layers=1, conv_L_cache=KERNEL, conv_bias=False, layer_types=["conv"]
    )
    theirs = Lfm2ShortConv(config, 0)
    ours = ShortConv(WIDTH, LENGTH, rngs=nnx.Rngs(0), kernel_size=KERNEL)
    # Theirs holds the three projections in one matrix, transposed, and the kernel from the oldest token on.
    projections = theirs.in_proj.weight.detach().numpy().reshape(3, WIDTH, WIDTH).swapaxes(1, 2)
    for layer, kernel in zip((ours.before, ours.after, ours.value), projections, strict=True):
        layer.kernel[...] = jnp.asarray(kernel)
    ours.kernel[...] = jnp.asarray(theirs.conv.weight.detach().numpy()[:, 0, ::-1].T)
    ours.out.kernel[...] = jnp.asarray(theirs.out_proj.weight.detach().numpy().T)

    x, direction = np.random.default_rng(0).normal(size=(2, LENGTH, WIDTH)).astype(np.float32)
    given = torch.tensor(x[None], requires_grad=True)
    expected = theirs(given)
    (expected * torch.tensor(direction)).sum().backward()
    mixed, back = jax.vjp(lambda x: ours(x), jnp.asarray(x))
    assert given.grad is not None
    np.testing.assert_allclose(mixed, expected[0].detach().numpy(), atol=1e-4)
    np.testing.assert_allclose(back(jnp.asarray(direction))[0], given.grad[0].numpy(), atol=1e-4)
