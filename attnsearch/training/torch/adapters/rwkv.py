"""The time mixing of RWKV-4, from the transformers package."""

from __future__ import annotations

from torch import Tensor, nn

from attnsearch.training.torch.adapters.families import ONE_BLOCK, family


class RWKV(nn.Module):
    """Time mixing of RWKV-4 (arXiv:2305.13048), by `transformers`, as in a model's first block."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__()
        models = family("rwkv")
        # How a layer starts depends on its place among the layers: a model of one has no such place.
        blocks = ONE_BLOCK | {"num_hidden_layers": 2}
        config = models.RwkvConfig(hidden_size=width, context_length=context_length, **blocks)
        self.layer = models.RwkvModel(config).blocks[0].attention

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[0]
