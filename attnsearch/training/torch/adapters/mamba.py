"""The mixer of Mamba, from the transformers package."""

from __future__ import annotations

from torch import Tensor, nn

from attnsearch.training.torch.adapters.families import ONE_BLOCK, family


class Mamba(nn.Module):
    """Selective state space layer (arXiv:2312.00752), by `transformers`, as in a model's first block.

    state_size:   numbers that each inner feature remembers
    expand:       inner features for each feature; at 1, the parameters are about as many as in attention
    conv_kernel:  positions that the convolution before the recurrence reads
    """

    def __init__(
        self, width: int, context_length: int, state_size: int = 16, expand: int = 1, conv_kernel: int = 4
    ) -> None:
        super().__init__()
        del context_length  # a recurrence serves any length
        models = family("mamba")
        sizes = {"state_size": state_size, "expand": expand, "conv_kernel": conv_kernel}
        config = models.MambaConfig(hidden_size=width, **ONE_BLOCK, **sizes)
        self.layer = models.MambaModel(config).layers[0].mixer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)
