"""Runs that share a compilation, and what each of them hands to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from attnsearch.sequences.sequences import traced_knobs
from attnsearch.spec.run import CellSpec, RunSpec, Value
from attnsearch.training.backend import static_of
from attnsearch.training.jax.intervention import MapBias
from attnsearch.training.jax.trainer import RunInputs, Trainer


@dataclass(frozen=True)
class JaxCohort:
    """Runs that share every static shape, hence one compilation."""

    trainer: Trainer
    specs: tuple[RunSpec, ...]

    @property
    def static(self) -> Mapping[str, Value]:
        """What all of its runs share because it fixes shapes, by name."""
        generator, network = self.trainer.generator, self.trainer.network
        biased = self.trainer.biased
        return static_of(generator, network.mixer_settings, network.spec, self.batch_size, biased)

    @property
    def context_length(self) -> int:
        """Tokens of a sequence, L."""
        return self.trainer.generator.context_length

    @property
    def batch_size(self) -> int:
        """Sequences of a step, B."""
        return self.trainer.batch_size

    def inputs(self, spec: RunSpec) -> RunInputs:
        """What makes this run differ from the others of its cohort, as scalars on the host."""
        optimizer = spec.cell.optimizer
        return RunInputs(
            seed=np.int32(spec.seed),
            rule_seed=np.int32(spec.rule_seed),
            knobs=traced_knobs(self.trainer.generator, spec),
            learning_rate=np.float32(optimizer.learning_rate),
            weight_decay=np.float32(optimizer.weight_decay),
            warmup_steps=np.int32(optimizer.warmup_steps),
            map_bias=_map_bias(spec.cell) if self.trainer.biased else None,
        )


def _map_bias(cell: CellSpec) -> MapBias:
    given = cell.intervention
    first, last = given.steps(cell.budget.steps)
    return MapBias(
        strength=np.float32(given.map_bias) * np.array(given.layers(cell.network.num_layers), np.float32),
        first=np.int32(first),
        last=np.int32(last),
        placebo=np.bool_(given.map_bias_placebo),
    )
