"""Embedding, pre-norm blocks, unembedding in PyTorch: the network of `training.jax.network`, on a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, gelu, one_hot

from attnsearch.base import AttnsearchError
from attnsearch.generators.base import Generator
from attnsearch.spec.positions import sinusoidal
from attnsearch.spec.run import NetworkSpec, Settings
from attnsearch.training.embedding import LARGEST_ONE_HOT
from attnsearch.training.torch import mixer as mixers
from attnsearch.training.torch.linear import Linear
from attnsearch.training.torch.mixer import Biased

LAYER_NORM_EPSILON = 1e-6
"""As in flax."""

LayerBiases = Sequence[Tensor] | None
"""What is added to the attention logits of each layer, `f32[B, L, L]`."""


@dataclass(frozen=True)
class TorchNetwork:
    """What a network is made of. `query_positions` are the positions at which logits are computed."""

    spec: NetworkSpec
    mixer: type[nn.Module]
    mixer_settings: Settings
    vocab_size: int
    context_length: int
    query_positions: tuple[int, ...]

    @classmethod
    def of(
        cls, spec: NetworkSpec, mixer: type[nn.Module], mixer_settings: Settings, generator: Generator
    ) -> TorchNetwork:
        """The network for `generator`'s sequences and queries.

        Errors: AttnsearchError where the mixer refuses its settings or the call, or returns another shape.
        """
        queries = tuple(int(position) for position in generator.query_positions)
        mixers.check(mixer, mixer_settings, spec.width, generator.context_length, len(queries))
        return cls(spec, mixer, mixer_settings, generator.vocab_size, generator.context_length, queries)

    def require_logits(self, name: str) -> None:
        """Errors: AttnsearchError where the mixer, called `name`, has no logits for a map to be added to."""
        if not issubclass(self.mixer, Biased):
            raise AttnsearchError(
                f"mixer {name} has no attention logits to which a map could be added: --map-bias works with"
                " mixers that define biased(x, bias) and biased_weights(x, positions, bias)"
            )

    def build(self, seed: int) -> Model:
        """A freshly initialised network."""
        with mixers.seeded(seed):
            return Model(self)


class Model(nn.Module):
    """A network with its parameters, called on a batch: `i64[B, L]` gives `f32[B, Q, V]`."""

    def __init__(self, network: TorchNetwork):
        super().__init__()
        spec = network.spec
        self.tokens = nn.Parameter(_embedding(network.vocab_size, spec.width))
        self.positions = _positions(spec, network.context_length)
        self.blocks = nn.ModuleList(_Block(network) for _ in range(spec.num_layers))
        self.norm = nn.LayerNorm(spec.width, eps=LAYER_NORM_EPSILON)
        self.unembedding = Linear(spec.width, network.vocab_size, bias=False)
        self.register_buffer("queries", torch.tensor(network.query_positions), persistent=False)

    def forward(self, tokens: Tensor, biases: LayerBiases = None) -> Tensor:
        x = self._embedded(tokens)
        *others, last = self._with(biases)
        for block, bias in others:
            x = block(x, bias)
        block, bias = last
        # Beyond the last mixer, the queries are all that is read.
        x = block.at(x, bias, self.get_buffer("queries"))
        return self.unembedding(self.norm(x))

    def weights(self, tokens: Tensor, positions: Tensor, biases: LayerBiases = None) -> Tensor:
        """`f32[B, A, Q, L]`: the weights of every layer's mixer at `positions`, `i64[Q]`, layer by layer."""
        x, found = self._embedded(tokens), []
        for block, bias in self._with(biases):
            found.append(block.weights(x, positions, bias))
            x = block(x, bias)
        return torch.cat(found, dim=1)

    def _with(self, biases: LayerBiases) -> list[tuple[_Block, Tensor | None]]:
        """Every block, and the bias of its layer."""
        blocks = [cast("_Block", block) for block in self.blocks]
        return list(zip(blocks, biases or [None] * len(blocks), strict=True))

    def _embedded(self, tokens: Tensor) -> Tensor:
        embedded = _rows_of(self.tokens, tokens)
        return embedded if self.positions is None else embedded + self.positions


def _rows_of(table: Tensor, tokens: Tensor) -> Tensor:
    """`f32[B, L, D]`: the rows of `table`, `f32[V, D]`, that `tokens` name.

    The gradient of a look-up adds up in no fixed order on a GPU, and a product does.
    """
    if len(table) <= LARGEST_ONE_HOT:
        return one_hot(tokens, len(table)).to(table.dtype) @ table
    return embedding(tokens, table)


class _Block(nn.Module):
    """x + mixer(norm(x)), then x + MLP(norm(x)) (pre-norm, GELU)."""

    def __init__(self, network: TorchNetwork):
        super().__init__()
        spec = network.spec
        self.mixer_norm = nn.LayerNorm(spec.width, eps=LAYER_NORM_EPSILON)
        self.mixer = mixers.build(network.mixer, network.mixer_settings, spec.width, network.context_length)
        self.mlp_norm = nn.LayerNorm(spec.width, eps=LAYER_NORM_EPSILON)
        self.mlp_in = Linear(spec.width, spec.mlp_width)
        self.mlp_out = Linear(spec.mlp_width, spec.width)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        return self._mlp(x + self._mixed(x, bias))

    def at(self, x: Tensor, bias: Tensor | None, positions: Tensor) -> Tensor:
        """The rows `positions` of `self(x, bias)`."""
        return self._mlp((x + self._mixed(x, bias))[:, positions])

    def weights(self, x: Tensor, positions: Tensor, bias: Tensor | None) -> Tensor:
        """`f32[B, H, Q, L]`: its mixer's weights; H = 0 where it has none."""
        normed = self.mixer_norm(x)
        if bias is not None:
            return mixers.biased(self.mixer).biased_weights(normed, positions, bias)
        if (heads := mixers.weighing(self.mixer)) is not None:
            return heads.weights(normed, positions)
        return x.new_zeros(len(x), 0, len(positions), x.shape[1])

    def _mixed(self, x: Tensor, bias: Tensor | None) -> Tensor:
        normed = self.mixer_norm(x)
        return self.mixer(normed) if bias is None else mixers.biased(self.mixer).biased(normed, bias)

    def _mlp(self, x: Tensor) -> Tensor:
        return x + self.mlp_out(gelu(self.mlp_in(self.mlp_norm(x)), approximate="tanh"))


def _positions(spec: NetworkSpec, context_length: int) -> nn.Parameter | nn.Buffer | None:
    """`f32[L, D]`, trained or fixed; None for a network that adds nothing to its tokens."""
    if spec.positions == "learned":
        return nn.Parameter(_embedding(context_length, spec.width))
    if spec.positions == "sinusoidal":
        return nn.Buffer(torch.from_numpy(sinusoidal(context_length, spec.width)), persistent=False)
    return None


def _embedding(rows: int, width: int) -> Tensor:
    """`f32[rows, D]`, as flax draws it: normal with variance 1 / D."""
    return torch.randn(rows, width) * width**-0.5
