"""Where networks of torch mixers are made and trained for a verification. Loads torch when it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnsearch.backends import Backends
from attnsearch.base import RECORDING_INTERVAL
from attnsearch.generators.base import Generator
from attnsearch.probing.apart import importable
from attnsearch.probing.subject import Network, Trained
from attnsearch.runs.recorder import Recording
from attnsearch.sequences.sequences import Sequences
from attnsearch.spec.run import RunSpec, TaskSpec
from attnsearch.training.torch.names import PREFIX

if TYPE_CHECKING:
    from attnsearch.training.torch.cohorts import TorchCohort


@dataclass(frozen=True, eq=False)
class TorchFramework:
    """A `probing.subject.Framework` of the mixers that the torch backend knows or finds."""

    backend: Backends

    def found_at(self, mixer: str) -> str | None:
        kind = self.backend.mixer(mixer)
        return f"{PREFIX}{kind.__module__}:{kind.__qualname__}" if importable(kind) else None

    def generator(self, task: TaskSpec) -> Generator:
        return self.backend.jax.generator(task)

    def network(self, run: RunSpec) -> Network:
        from attnsearch.training.torch.called import CalledNetwork

        return CalledNetwork(self._cohort(run).network)

    def train(self, run: RunSpec) -> Trained:
        from attnsearch.training.torch.trainer import Batches, TorchTrainer

        cohort = self._cohort(run)
        sequences, trainer = Sequences.of(cohort.generator, run), TorchTrainer(cohort.run(run))
        recording = Recording(run, sequences.truth())
        while recording.status is None:
            tokens, answers = sequences.steps(recording.step, RECORDING_INTERVAL)
            recording.add(*trainer.advance(Batches(tokens, answers, None)))
        return Trained(trainer.parameters(), recording)

    def _cohort(self, run: RunSpec) -> TorchCohort:
        (cohort,) = self.backend.torch.cohorts([run])
        return cohort
