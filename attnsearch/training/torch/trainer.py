"""One run in PyTorch: a network, its optimizer, and what they are asked for. Knows torch and numpy alone.

It trains on sequences that it is handed, so that a process that does nothing but this needs no jax.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from attnsearch.base import Floats, Integers
from attnsearch.spec.run import OptimizerSpec
from attnsearch.training.torch.network import LayerBiases, TorchNetwork


@dataclass(frozen=True)
class TorchRun:
    """What a run is made of, besides its sequences.

    init_seed:     of the parameters
    bias_layers:   what a set position of a map adds to the logits of each layer; empty without a map bias
    """

    network: TorchNetwork
    optimizer: OptimizerSpec
    init_seed: int
    bias_layers: tuple[float, ...] = ()


class Batches(NamedTuple):
    """The sequences of some steps.

    tokens:   `i32[n, B, L]`
    answers:  `i32[n, B, Q]`
    added:    `f32[n, B, L, L]`, the map that is added, 0 or 1; None without a map bias
    """

    tokens: Integers
    answers: Integers
    added: Floats | None


class Recorded(NamedTuple):
    """Means over some steps: `loss` in nats and `accuracy`, `f32[Q]` each, and `update_norm`, `f32[]`, as in
    `base.Updates`."""

    loss: Floats
    accuracy: Floats
    update_norm: Floats


class TorchTrainer:
    """A run in training, on the device of this process: a GPU where there is one, else one core.

    One core, for then the numbers of a run do not depend on how many others train beside it.
    """

    def __init__(self, run: TorchRun):
        torch.set_num_threads(1)
        self._run = run
        self._device = device()
        self._model = run.network.build(run.init_seed).to(self._device)
        self._parameters = list(self._model.parameters())
        given = run.optimizer
        self._optimizer = torch.optim.AdamW(
            self._model.parameters(),
            lr=given.learning_rate,
            betas=(0.9, 0.999),
            eps=1e-8,
            weight_decay=given.weight_decay,
            fused=True,
        )
        # The moments are there from the first step on, so that a checkpoint always has the same arrays.
        for parameter in self._model.parameters():
            self._optimizer.state[parameter] = {
                "step": torch.zeros((), device=self._device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        self._step = 0

    def advance(self, batches: Batches) -> Recorded:
        """Train one step on each batch."""
        tokens, answers = self._put(batches.tokens).long(), self._put(batches.answers).long()
        added = None if batches.added is None else self._put(batches.added)
        recorded, before = [], self._flat()
        for n in range(len(tokens)):
            trained = self._trained(tokens[n], answers[n], None if added is None else added[n])
            # The optimizer changes parameters in place and tells nobody by how much.
            after = self._flat()
            recorded.append((*trained, torch.linalg.vector_norm(after - before)))
            before = after
        means = (torch.stack(field).mean(dim=0) for field in zip(*recorded, strict=True))
        return Recorded(*(mean.cpu().numpy() for mean in means))

    def probabilities(self, tokens: Integers, added: Floats | None) -> Floats:
        """`f32[B, Q, V]`: the answers in sequences `i32[B, L]`."""
        with torch.no_grad():
            logits = self._model(self._put(tokens).long(), self._biases(self._maybe(added)))
            return torch.softmax(logits, dim=-1).cpu().numpy()

    def weights(self, tokens: Integers, added: Floats | None, positions: Integers) -> Floats:
        """`f32[B, A, P, L]`: what every head's query at `positions`, `i64[P]`, gives every position."""
        with torch.no_grad():
            given = self._put(tokens).long(), self._put(positions), self._biases(self._maybe(added))
            return self._model.weights(*given).cpu().numpy()

    def parameters(self) -> dict[str, Floats]:
        """Every array of parameters, by its name in the network."""
        return {name: _host(one) for name, one in self._model.named_parameters()}

    def leaves(self) -> tuple[np.ndarray, ...]:
        """Parameters, buffers, moments and steps done."""
        return (*map(_host, self._tensors()), np.array(self._step))

    def fits(self, leaves: Sequence[np.ndarray]) -> bool:
        """Whether `leaves` have the shapes and types of this run's."""
        mine = self.leaves()
        return [(one.shape, one.dtype) for one in mine] == [(one.shape, one.dtype) for one in leaves]

    def restore(self, leaves: Sequence[np.ndarray]) -> None:
        """Go on from `leaves`, which fit."""
        *arrays, step = leaves
        with torch.no_grad():
            for tensor, array in zip(self._tensors(), arrays, strict=True):
                tensor.copy_(torch.tensor(array))
        self._step = int(step)

    def _trained(self, tokens: Tensor, answers: Tensor, added: Tensor | None) -> tuple[Tensor, Tensor]:
        """One step; its loss and its share of right answers, `f32[Q]` each."""
        given = self._run.optimizer
        warmed = min(1.0, (self._step + 1) / max(given.warmup_steps, 1))
        for group in self._optimizer.param_groups:
            group["lr"] = given.learning_rate * warmed
        logits = self._model(tokens, self._biases(added))
        losses = cross_entropy(logits.flatten(0, 1), answers.flatten(), reduction="none")
        loss = losses.view_as(answers).mean(dim=0)
        self._optimizer.zero_grad()
        loss.mean().backward()
        self._optimizer.step()
        self._step += 1
        with torch.no_grad():
            right = (logits.argmax(dim=-1) == answers).float().mean(dim=0)
        return loss.detach(), right

    def _flat(self) -> Tensor:
        """All parameters as one vector, which is a copy."""
        return torch.cat([one.detach().flatten() for one in self._parameters])

    def _biases(self, added: Tensor | None) -> LayerBiases:
        return None if added is None else [strength * added for strength in self._run.bias_layers]

    def _tensors(self) -> list[Tensor]:
        """Everything that training changes."""
        moments = [
            self._optimizer.state[parameter][name]
            for parameter in self._model.parameters()
            for name in ("step", "exp_avg", "exp_avg_sq")
        ]
        return [*self._model.parameters(), *self._model.buffers(), *moments]

    def _put(self, array: np.ndarray) -> Tensor:
        # A copy, for arrays that come from elsewhere may not be written to, which torch warns of.
        return torch.tensor(array, device=self._device)

    def _maybe(self, array: Floats | None) -> Tensor | None:
        return None if array is None else self._put(array)


def device() -> torch.device:
    """Where this process trains."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _host(tensor: Tensor) -> np.ndarray:
    """A copy."""
    return np.array(tensor.detach().cpu().numpy())
