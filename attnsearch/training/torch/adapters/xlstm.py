"""The matrix memory of xLSTM, from the transformers package."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad

from attnsearch.base import AttnsearchError
from attnsearch.training.torch.adapters.families import LONGEST_CHUNK, ONE_BLOCK, family


class XLSTM(nn.Module):
    """mLSTM layer of xLSTM (arXiv:2405.04517), by `transformers`, as in a model's first block.

    num_heads:  heads, each with a matrix as its memory
    """

    def __init__(self, width: int, context_length: int, num_heads: int = 4) -> None:
        super().__init__()
        if width % (2 * num_heads):
            raise AttnsearchError(
                f"width {width} must divide by twice num_heads {num_heads}: keys have half of it"
            )
        models, self.chunk = family("xlstm"), min(context_length, LONGEST_CHUNK)
        kernel = {"mode": "train", "chunk_size": self.chunk}
        config = models.xLSTMConfig(hidden_size=width, num_heads=num_heads, **ONE_BLOCK, **kernel)
        self.layer = models.xLSTMModel(config).blocks[0].mlstm_layer

    def forward(self, x: Tensor) -> Tensor:
        # Whole chunks are asked for: what is added at the end, nothing before it reads.
        return self.layer(pad(x, (0, 0, 0, -x.shape[1] % self.chunk)))[0][:, : x.shape[1]]
