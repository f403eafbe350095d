"""The torch backend: what it can train, and how it trains a cohort."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from torch import nn

from attnsearch.base import AttnsearchError
from attnsearch.generators.base import Generator
from attnsearch.sequences.sequences import sequences_of_a_step
from attnsearch.spec.grid import FoundMixers, KnownMixers
from attnsearch.spec.run import CellSpec, InterventionSpec, RunSpec, TaskSpec
from attnsearch.training import machine
from attnsearch.training.backend import Ended, Rate, Runs, Size, TrainingSettings
from attnsearch.training.engine import Engine
from attnsearch.training.forecast import measure
from attnsearch.training.observer import Observer
from attnsearch.training.torch import mixer as contract
from attnsearch.training.torch.cohorts import TorchCohort
from attnsearch.training.torch.lanes import TorchLanes, describe
from attnsearch.training.torch.names import PREFIX, TORCH_MIXERS
from attnsearch.training.torch.network import TorchNetwork
from attnsearch.training.torch.size import size
from attnsearch.training.torch.trainer import device
from attnsearch.training.torch.worker import Apart, Here, Worker, can_be_sent


class TorchBackend:
    """Trains mixers in PyTorch, each run in a process of its own; a `training.Backend`.

    generator:  finds the generator of a task
    mixers:     classes that specifications may name, beside those that ship and `torch:package.module:Class`;
                they are trained in this process, one run at a time
    cores:      of this machine, how many may be used; all of them unless given

    Processes that it has started serve one cohort after another, until it is closed or collected.
    """

    def __init__(
        self,
        generator: Callable[[TaskSpec], Generator],
        mixers: Mapping[str, type[nn.Module]] | None = None,
        cores: int | None = None,
    ):
        self.mixers = mixers or {}
        self._cores = cores or machine.cores()
        self._generator = generator
        self._made: dict[CellSpec, tuple[TorchNetwork, Generator]] = {}
        self._networks: dict[object, TorchNetwork] = {}
        self._pool: list[Worker] = []
        weakref.finalize(self, _close, self._pool)

    @property
    def known_mixers(self) -> KnownMixers:
        """Each mixer's settings with their defaults. Lists the mixers that ship, and finds all others.

        Errors: AttnsearchError, when asked for a mixer that cannot be had.
        """
        names = [*self.mixers, *(f"{PREFIX}{name}" for name in TORCH_MIXERS)]
        return FoundMixers(names, lambda name: contract.default_settings(self.mixer(name)))

    def mixer(self, name: str) -> type[nn.Module]:
        """The class of a mixer. Errors: AttnsearchError for one that cannot be had."""
        return contract.find(name, self.mixers)

    def cohorts(self, specs: Sequence[RunSpec]) -> list[TorchCohort]:
        """`specs` grouped by what fixes shapes, in order of first appearance.

        Errors: AttnsearchError where a generator or mixer refuses its settings.
        """
        grouped: dict[tuple[TorchNetwork, Generator, int, bool], list[RunSpec]] = {}
        for spec in specs:
            network, generator = self._parts(spec.cell)
            batch_size = sequences_of_a_step(spec.cell, generator)
            biased = spec.cell.intervention != InterventionSpec()
            grouped.setdefault((network, generator, batch_size, biased), []).append(spec)
        return [
            TorchCohort(network, generator, batch_size, tuple(members))
            for (network, generator, batch_size, _), members in grouped.items()
        ]

    def train(
        self,
        cohort: TorchCohort,
        pending: Sequence[RunSpec],
        runs: Runs,
        observer: Observer,
        settings: TrainingSettings,
    ) -> Iterator[Ended]:
        """The `pending` runs of `cohort` that are free."""
        lanes = TorchLanes(cohort, self._workers(cohort, len(pending), settings.lanes))
        try:
            yield from Engine(pending, lanes, runs, observer, settings).run()
        except AttnsearchError:
            # A worker that has failed, or ended, may still have answers to questions nobody remembers.
            self.close_workers()
            raise

    def rate(self, cohort: TorchCohort, pending: Sequence[RunSpec], seconds: float) -> Rate:
        """What the `pending` runs of `cohort` would take, starting processes included."""
        return measure(TorchLanes(cohort, self._workers(cohort, len(pending), None)), pending, seconds)

    def size(self, cohort: TorchCohort) -> Size:
        """How large the network of `cohort` is, as torch counts."""
        return size(cohort.network, machine.in_words(describe(1)))

    def close_workers(self) -> None:
        """End the processes; others are started when they are needed."""
        _close(self._pool)

    def _workers(self, cohort: TorchCohort, pending: int, asked: int | None) -> list[Worker]:
        """A process for each lane; this process alone where there is one lane, or where no other can have
        the class of the mixer. Another process would import a class that was handed over, and find it without
        what has been changed here."""
        count, network = min(pending, asked or self._places), cohort.network
        handed_over = network.mixer in self.mixers.values()
        if count == 1 or handed_over or not can_be_sent(network, network.mixer):
            return [Here()]
        self._pool.extend(Apart() for _ in range(count - len(self._pool)))
        return self._pool[:count]

    @cached_property
    def _places(self) -> int:
        """Runs that are trained at once unless it is said: one a core, or one a GPU's process."""
        return 1 if device().type == "cuda" else self._cores

    def _parts(self, cell: CellSpec) -> tuple[TorchNetwork, Generator]:
        if cell not in self._made:
            generator, mixer = self._generator(cell.task), self.mixer(cell.mixer.name)
            key = (cell.network, mixer, cell.mixer.settings, generator)
            if key not in self._networks:
                self._networks[key] = TorchNetwork.of(cell.network, mixer, cell.mixer.settings, generator)
            if cell.intervention != InterventionSpec():
                self._networks[key].require_logits(cell.mixer.name)
            self._made[cell] = self._networks[key], generator
        return self._made[cell]


def _close(workers: list[Worker]) -> None:
    while workers:
        workers.pop().close()
