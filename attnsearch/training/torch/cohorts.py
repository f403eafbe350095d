"""Runs in PyTorch that differ in nothing that fixes shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from attnsearch.generators.base import Generator
from attnsearch.sequences.added_map import strengths
from attnsearch.spec.run import RunSpec, Value
from attnsearch.training.backend import static_of
from attnsearch.training.torch.network import TorchNetwork
from attnsearch.training.torch.trainer import TorchRun

INIT = 1
"""Of a seed's uses here; the sequences are drawn from the seed by the generator of jax."""


@dataclass(frozen=True)
class TorchCohort:
    """Runs of one network, generator and batch size."""

    network: TorchNetwork
    generator: Generator
    batch_size: int
    specs: tuple[RunSpec, ...]

    @property
    def static(self) -> Mapping[str, Value]:
        """What all of its runs share because it fixes shapes."""
        network, biased = self.network, bool(strengths(self.specs[0]))
        return static_of(self.generator, network.mixer_settings, network.spec, self.batch_size, biased)

    @property
    def context_length(self) -> int:
        """Tokens of a sequence, L."""
        return self.generator.context_length

    def run(self, spec: RunSpec) -> TorchRun:
        """What a worker must know of a run, besides its sequences."""
        seed = int(np.random.SeedSequence([spec.seed, INIT]).generate_state(1, np.uint64)[0] >> 1)
        return TorchRun(self.network, spec.cell.optimizer, seed, strengths(spec))
