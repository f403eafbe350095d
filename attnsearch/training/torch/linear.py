"""Linear layers that start as they do in jax."""

from __future__ import annotations

from torch import Tensor, nn

STANDARD_DEVIATION = 0.87962566103423978
"""Of a standard normal distribution that is cut off at -2 and 2."""


def lecun_normal_(weight: Tensor) -> Tensor:
    """Fill `weight`, `f32[O, I]`, as flax does: normal with variance 1 / I, cut off at two deviations."""
    scale = weight.shape[1] ** -0.5 / STANDARD_DEVIATION
    return nn.init.trunc_normal_(weight, std=scale, a=-2 * scale, b=2 * scale)


class Linear(nn.Linear):
    """`nn.Linear` with weights from `lecun_normal_` and a bias of 0."""

    def reset_parameters(self) -> None:
        lecun_normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
