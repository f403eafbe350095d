"""Causal convolutions of each feature on its own, in whichever form is fast."""

from __future__ import annotations

import jax
import jax.numpy as jnp

WHOLE = 128
"""Tokens up to which a long kernel is one product with a matrix. Beyond, a Fourier transform is faster."""

CHUNK = 32
"""Tokens of a chunk, in which the context is taken where the kernel is no longer than one."""


def convolved(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`y_t = sum_j kernel_j * x_(t-j)`, feature by feature: `f32[L, D]` of `f32[L, D]` and `f32[K, D]`.

    Row j of the kernel is multiplied with the token j before. Nothing is before the first token.
    """
    length, kernel = len(x), kernel[: len(x)]
    if length <= CHUNK or (len(kernel) > CHUNK and length <= WHOLE):
        return _product(_band(kernel, length)[:, :, len(kernel) - 1 :], x)
    if len(kernel) <= CHUNK:
        return _in_chunks(x, kernel)
    return _by_transform(x, kernel)


def _product(matrices: jax.Array, x: jax.Array) -> jax.Array:
    """`f32[T, D]`: a matrix of each feature, `f32[D, T, L]`, times that feature of `x`, `f32[L, D]`."""
    # In this order of axes a batch of sequences is one matrix product a feature, and so are its gradients.
    return jnp.einsum("dts,ds->dt", matrices, x.T).T


def _in_chunks(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Chunk after chunk, each beside the end of the one before."""
    length, before = len(x), len(kernel) - 1
    chunks = jnp.pad(x, ((0, -length % CHUNK), (0, 0))).reshape(-1, CHUNK, x.shape[1])
    ends = jnp.pad(chunks[:-1, CHUNK - before :], ((1, 0), (0, 0), (0, 0)))
    seen = jnp.concatenate([ends, chunks], axis=1)
    mixed = jnp.einsum("dts,dcs->dct", _band(kernel, CHUNK), seen.transpose(2, 0, 1))
    return mixed.reshape(x.shape[1], -1)[:, :length].T


def _by_transform(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """By the Fourier transform, in a circle so large that its end does not reach its start."""
    length = len(x)
    size = 2 * length
    transformed = jnp.fft.rfft(x.T, size) * jnp.fft.rfft(kernel.T, size)
    return jnp.fft.irfft(transformed, size)[:, :length].T


def _band(kernel: jax.Array, count: int) -> jax.Array:
    """The matrices of `count` tokens and the K - 1 before: `f32[D, count, count + K - 1]` of `f32[K, D]`.

    Row t holds the kernel backwards, from column t on. Rows are cut from one repeated sequence, each a step
    later: the gradient of such a cut is a sum. The gradient of a look-up is a scatter, slow on a CPU.
    """
    size, features = kernel.shape
    row = jnp.pad(kernel[::-1].T, ((0, 0), (0, count)))
    repeated = jnp.broadcast_to(row[:, None], (features, count, size + count)).reshape(features, -1)
    return repeated[:, : count * (size + count - 1)].reshape(features, count, size + count - 1)
