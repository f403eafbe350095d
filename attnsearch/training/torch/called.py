"""A network whose first mixer is called from outside of torch: numpy goes in, and numpy comes out.

Mixers are in training mode, as they are trained and measured, and hold no numbers of an earlier question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from attnsearch.base import AttnsearchError, Floats, Integers
from attnsearch.training.torch import mixer as mixers
from attnsearch.training.torch.mixer import Biased, weighing
from attnsearch.training.torch.network import TorchNetwork
from attnsearch.training.torch.trainer import device

_Arrays = Mapping[str, Floats]

_MIXER = "blocks.0.mixer"


@dataclass(frozen=True, eq=False)
class CalledNetwork:
    """A `probing.subject.Network`; its other mode is evaluation, without gradients."""

    made: TorchNetwork

    @property
    def context_length(self) -> int:
        return self.made.context_length

    @property
    def vocab_size(self) -> int:
        return self.made.vocab_size

    @property
    def query_positions(self) -> Sequence[int]:
        return self.made.query_positions

    @property
    def takes_bias(self) -> bool:
        return issubclass(self.made.mixer, Biased)

    def resized(self, num_layers: int, context_length: int, query_positions: Sequence[int]) -> CalledNetwork:
        made, spec = self.made, replace(self.made.spec, num_layers=num_layers)
        mixers.check(made.mixer, made.mixer_settings, spec.width, context_length, len(query_positions))
        queries = tuple(query_positions)
        return CalledNetwork(replace(made, spec=spec, context_length=context_length, query_positions=queries))

    def init(self) -> _Arrays:
        return _arrays(self._built().named_parameters())

    def constants(self) -> Mapping[str, npt.NDArray[Any]]:
        return _arrays(self._built().get_submodule(_MIXER).named_buffers())

    def outputs(self, parameters: _Arrays, inputs: Floats) -> Floats:
        return _one_by_one(self._mixer(parameters), inputs)

    def batched(self, parameters: _Arrays, inputs: Floats) -> Floats:
        return _array(self._mixer(parameters)(_tensor(inputs)))

    def calls(self, parameters: _Arrays, inputs: Floats) -> Floats:
        mixer = self._mixer(parameters)
        before = _held(mixer)
        outputs = _one_by_one(mixer, inputs)
        for name, array in _held(mixer).items():
            # One that a call adds may be a table that is computed once.
            if name in before and not np.array_equal(array, before[name], equal_nan=True):
                raise AttnsearchError(f"a call changes {name}: a mixer keeps no state between calls")
        return outputs

    def other_mode(self, parameters: _Arrays, inputs: Floats) -> Floats:
        with torch.no_grad():
            return _one_by_one(self._mixer(parameters).eval(), inputs)

    def rows(
        self, parameters: _Arrays, x: Floats, choices: Sequence[Sequence[int]]
    ) -> Mapping[str, Sequence[Floats]]:
        weights = [self._weights(parameters, x, choice) for choice in (range(len(x)), *choices)]
        return {"weights": [heads.swapaxes(0, 1) for heads in weights]} if len(weights[0]) else {}

    def weights(self, parameters: _Arrays, x: Floats, bias: Floats | None = None) -> Floats:
        if bias is None:
            return self._weights(parameters, x, range(len(x)))
        heads, positions = mixers.biased(self._mixer(parameters)), torch.arange(len(x), device=device())
        return _array(heads.biased_weights(_tensor(x[None]), positions, _tensor(bias[None])))[0]

    def slopes(self, parameters: _Arrays, x: Floats, directions: Floats) -> Floats:
        given = _tensor(x[None]).requires_grad_()
        answers = (self._mixer(parameters)(given) * _tensor(directions)).sum(dim=(1, 2))
        found = [
            torch.autograd.grad(answer, given, retain_graph=True, materialize_grads=True)[0]
            for answer in answers
        ]
        return np.concatenate([_array(slope) for slope in found])

    def gradients(self, parameters: _Arrays, inputs: Floats, direction: Floats) -> tuple[Floats, _Arrays]:
        network = self._network(parameters)
        outputs = network.get_submodule(_MIXER)(_tensor(inputs))
        trained = {name: one for name, one in network.named_parameters() if one.requires_grad}
        seen = (outputs * _tensor(direction)).sum()
        found = torch.autograd.grad(seen, list(trained.values()), materialize_grads=True)
        nothing = {name: np.zeros_like(array) for name, array in parameters.items()}
        return _array(outputs), nothing | _arrays(zip(trained, found, strict=True))

    def logits(self, parameters: _Arrays, tokens: Integers) -> Floats:
        return _one_by_one(self._network(parameters), tokens.astype(np.int64))

    def mapped(self, parameters: _Arrays, tokens: Integers, bias: Floats | None = None) -> Floats:
        given, biases = _tensor(tokens.astype(np.int64)), None
        if bias is not None:
            biases = [_tensor(bias).expand(len(given), -1, -1)] * self.made.spec.num_layers
        return _array(self._network(parameters)(given, biases))

    def differentiated(self, parameters: _Arrays, tokens: Integers) -> Floats:
        network = self._network(parameters)
        logits = network(_tensor(tokens.astype(np.int64)))
        logits.log_softmax(dim=-1).mean().backward()
        return _array(logits)

    def _built(self) -> nn.Module:
        # As in training: some ways to draw parameters round by the number of cores.
        torch.set_num_threads(1)
        return self.made.build(0).to(device())

    def _network(self, parameters: _Arrays) -> nn.Module:
        """The network, made anew, with these parameters."""
        network = self._built()
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(_tensor(parameters[name]))
        return network

    def _mixer(self, parameters: _Arrays) -> nn.Module:
        return self._network(parameters).get_submodule(_MIXER)

    def _weights(self, parameters: _Arrays, x: Floats, positions: Sequence[int]) -> Floats:
        """`f32[H, Q, L]`; H = 0 where the mixer has none."""
        heads = weighing(self._mixer(parameters))
        if heads is None:
            return np.zeros((0, len(positions), len(x)), np.float32)
        return _array(heads.weights(_tensor(x[None]), _tensor(np.array(positions))))[0]


def _one_by_one(function: nn.Module, given: npt.NDArray[Any]) -> Floats:
    return np.concatenate([_array(function(_tensor(one[None]))) for one in given])


def _held(mixer: nn.Module) -> dict[str, npt.NDArray[Any]]:
    """All numbers that torch knows of."""
    return _arrays([*mixer.named_parameters(), *mixer.named_buffers()])


def _tensor(array: npt.NDArray[Any]) -> Tensor:
    """A copy."""
    return torch.tensor(array, device=device())


def _arrays(tensors: Iterable[tuple[str, Tensor]]) -> dict[str, npt.NDArray[Any]]:
    return {name: _array(tensor) for name, tensor in tensors}


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    """A copy."""
    return np.array(tensor.detach().cpu().numpy())
