"""Mixers in PyTorch with one fault each, beside sound ones, and which check is to catch which."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout


class Triangular(nn.Module):
    """Sound: one trained lower-triangular matrix mixes all positions, and a product all features."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__()
        scale = context_length**-0.5
        self.mixing = nn.Parameter(scale * torch.randn(context_length, context_length))
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.mixing.tril() @ x)


class Recurrent(nn.Module):
    """Sound: the recurrent unit that comes with torch."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__()
        del context_length
        self.layer = nn.GRU(width, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[0]


class Attention(nn.Module):
    """Sound: the attention that comes with torch, told to be causal; it says what its heads look at."""

    def __init__(self, width: int, context_length: int, heads: int = 4) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(width, heads, batch_first=True)
        self.register_buffer("hidden", torch.ones(context_length, context_length, dtype=torch.bool).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, x, x, attn_mask=self.hidden, need_weights=False)[0]

    def weights(self, x: Tensor, positions: Tensor) -> Tensor:
        every = self.layer(x, x, x, attn_mask=self.hidden, average_attn_weights=False)[1]
        return every[:, :, positions]


class Unmasked(Triangular):
    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.mixing @ x)


class UnmaskedAttention(Attention):
    """Nobody told it to be causal."""

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, x, x, need_weights=False)[0]


class Bidirectional(Recurrent):
    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.layer = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)


class TimeFirst(Recurrent):
    """Its layer takes sequences along the first axis, which is the batch."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.layer = nn.GRU(width, width)


class CentredOverBatch(Triangular):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(dim=0))


class BatchNormalised(Triangular):
    """Normalised over the sequences of a batch, at every position and feature by itself."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.norm = nn.BatchNorm1d(width * context_length)

    def forward(self, x: Tensor) -> Tensor:
        # Of one sequence torch refuses to take a mean.
        normed = self.norm(x.flatten(1)).view_as(x) if len(x) > 1 else x
        return super().forward(normed)


class BatchNorm(Triangular):
    """What a convolutional network has: means over the batch and the positions."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.norm(x.transpose(1, 2)).transpose(1, 2))


class Dropout(Triangular):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(dropout(x, 0.1, self.training))


class OtherwiseInTraining(Triangular):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (1.0 if self.training else 0.5)


class Dice(Triangular):
    """Noise in every call, in training and in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0.1 * torch.randn(x.shape[-1])


class Dicing(Triangular):
    """Its constant is another one each time it is made."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        drawn = np.random.default_rng().normal(size=width)
        self.register_buffer("scale", torch.tensor(drawn, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.get_buffer("scale")


class HiddenDicing(Dicing):
    """The same, but torch does not know of the constant."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.hidden = self.get_buffer("scale")
        del self.scale

    def forward(self, x: Tensor) -> Tensor:
        return Triangular.forward(self, x) * self.hidden


class Unseeded(Triangular):
    """Initial values from outside of torch."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.shift = nn.Parameter(torch.tensor(np.random.default_rng().normal(size=width)).float())

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.shift


class Counting(Triangular):
    """What it returns grows with every call, its own or a call of its like."""

    calls: ClassVar[list[None]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append(None)
        return super().forward(x) * len(self.calls)


class CarryingState(Recurrent):
    """Goes on where the sequence before it ended."""

    state: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        known = self.state if self.state is not None and self.state.shape[1] == len(x) else None
        mixed, state = self.layer(x, known)
        self.state = state.detach()
        return mixed


class RunningMean(Triangular):
    """Keeps a mean of what it saw, for evaluation."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.get_buffer("mean").lerp_(x.detach().mean(dim=(0, 1)), 0.1)
        return super().forward(x)


class Gate(Triangular):
    """Looks ahead through a gate that is closed at initialisation, by a zero."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.gate * x.flip(1)


class _Open(torch.autograd.Function):
    """1 once every number is large enough, with a gradient that asks them to grow."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor) -> Tensor:
        ctx.size = gates.shape
        return (gates.min() > 0.02).to(gates.dtype)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        return -slopes[0].abs().expand(ctx.size)


class Latch(Unmasked):
    """Looks ahead once training has moved each of twenty numbers, of which noise moves only half."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.gates = nn.Parameter(torch.zeros(20))

    def forward(self, x: Tensor) -> Tensor:
        past = Triangular.forward(self, x)
        return past + _Open.apply(self.gates) * (super().forward(x) - past)


class UnusedParameter(Triangular):
    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.spare = nn.Parameter(torch.ones(width))


class Detached(Triangular):
    """A product outside of what torch differentiates."""

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.mixing.detach().tril() @ x)


class Frozen(Triangular):
    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.mixing.requires_grad_(False)


class EndlessSlope(Triangular):
    """The gradient of a root at zero is infinite."""

    def __init__(self, width: int, context_length: int) -> None:
        super().__init__(width, context_length)
        self.scale = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.scale.abs().sqrt()


class Chunked(Triangular):
    """Works on chunks of eight tokens, and the shortest sequence has four."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.unflatten(1, (-1, 8)).flatten(1, 2))


class FutureWeights(Triangular):
    """Reports weights on positions that it does not read."""

    def weights(self, x: Tensor, positions: Tensor) -> Tensor:
        return torch.full((len(x), 1, len(positions), x.shape[1]), 1 / x.shape[1])


class UnevenWeights(Attention):
    """Its weights do not sum to 1."""

    def weights(self, x: Tensor, positions: Tensor) -> Tensor:
        return 2 * super().weights(x, positions)


class ShiftedWeights(Attention):
    """Asked for some rows, it returns those before them."""

    def weights(self, x: Tensor, positions: Tensor) -> Tensor:
        every = super().weights(x, torch.arange(x.shape[1]))
        return every if len(positions) == x.shape[1] else every[:, :, (positions - 1).clamp(min=0)]


class Blind(Triangular):
    """Every token sees itself alone."""

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.mixing.diagonal()[:, None] * x)


class Narrow(Triangular):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., ::2]


class Pair(Recurrent):
    """Returns what its layer returns: outputs and a state."""

    def forward(self, x: Tensor) -> Any:
        return self.layer(x)


SOUND: tuple[type[nn.Module], ...] = (Triangular, Recurrent, Attention)

FAULTS: tuple[tuple[type[nn.Module], tuple[str, ...]], ...] = (
    (Unmasked, ("causality at initialisation",)),
    (UnmaskedAttention, ("causality at initialisation",)),
    (Bidirectional, ("causality at initialisation",)),
    (TimeFirst, ("sequences of a batch",)),
    (CentredOverBatch, ("sequences of a batch",)),
    (BatchNormalised, ("sequences of a batch",)),
    (BatchNorm, ("sequences of a batch", "jitted and un-jitted", "state between calls")),
    (Dropout, ("determinism", "jitted and un-jitted")),
    (OtherwiseInTraining, ("jitted and un-jitted",)),
    (Dice, ("determinism",)),
    (Dicing, ("determinism",)),
    (HiddenDicing, ("determinism",)),
    (Unseeded, ("determinism",)),
    (Counting, ("state between calls",)),
    (CarryingState, ("state between calls",)),
    (RunningMean, ("state between calls",)),
    (Gate, ("causality when perturbed",)),
    (Latch, ("causality after training", "unpredictable targets")),
    (UnusedParameter, ("gradients",)),
    (Detached, ("gradients",)),
    (Frozen, ("gradients",)),
    (EndlessSlope, ("gradients",)),
    (Chunked, ("contexts",)),
    (FutureWeights, ("attention weights",)),
    (UnevenWeights, ("attention weights",)),
    (ShiftedWeights, ("queries",)),
    (Blind, ("learning",)),
    (Narrow, ("construction",)),
    (Pair, ("construction",)),
)
