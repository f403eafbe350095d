"""The jax backend: what it can train, and how it trains a cohort."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from attnsearch.base import AttnsearchError
from attnsearch.generators import GENERATORS
from attnsearch.generators.base import Generator
from attnsearch.mixers import MIXERS
from attnsearch.mixers.base import LogitMixer, Mixer, default_settings
from attnsearch.sequences.sequences import sequences_of_a_step
from attnsearch.spec import contract, plugins
from attnsearch.spec.grid import FoundMixers, KnownMixers
from attnsearch.spec.run import CellSpec, InterventionSpec, MixerSpec, NetworkSpec, RunSpec, TaskSpec
from attnsearch.training.backend import Ended, Rate, Runs, Size, TrainingSettings
from attnsearch.training.engine import Engine, OutOfDeviceMemory
from attnsearch.training.forecast import measure
from attnsearch.training.jax import devices
from attnsearch.training.jax.cohorts import JaxCohort
from attnsearch.training.jax.compiled import CompiledLanes, lanes_that_pay
from attnsearch.training.jax.lanes import JaxLanes
from attnsearch.training.jax.network import Network
from attnsearch.training.jax.size import size
from attnsearch.training.jax.trainer import Trainer
from attnsearch.training.observer import Observer


class JaxBackend:
    """Trains flax mixers in compiled lanes; a `training.Backend`.

    generators, mixers:  what specifications may name. To add one: `MIXERS | {"mine": Mine}`. Beside these
                         they may name entry points, and classes as `package.module:Class`

    It keeps what it traces, compiles and measures, so that one backend is made for a whole command.
    """

    def __init__(
        self,
        *,
        generators: Mapping[str, type[Generator]] | None = None,
        mixers: Mapping[str, type[Mixer]] | None = None,
    ):
        self.generators = GENERATORS if generators is None else generators
        self.mixers = MIXERS if mixers is None else mixers
        self._kept: set[Generator] = set()
        self._networks: dict[tuple[NetworkSpec, MixerSpec, Generator], Network] = {}
        self._trainers: dict[CellSpec, Trainer] = {}
        self._programs: dict[tuple[Trainer, int, int], CompiledLanes] = {}
        self._lanes_per_device: dict[tuple[Trainer, int | None], int] = {}

    @property
    def known_mixers(self) -> KnownMixers:
        """Each mixer's settings with their defaults. Lists the registered ones, and finds all others.

        Errors: AttnsearchError, when asked for a mixer that cannot be had.
        """
        return FoundMixers(self.mixers, lambda name: default_settings(self.mixer(name)))

    def mixer(self, name: str) -> type[Mixer]:
        """The class of a mixer. Errors: AttnsearchError for one that cannot be had."""
        return plugins.find(name, self.mixers, Mixer)

    def generator(self, task: TaskSpec) -> Generator:
        """The generator of a task.

        Errors: AttnsearchError for one that is unknown or lacks a knob, and for one's own that breaks the
        contract: see `spec.contract`. Those that ship are known to keep it.
        """
        made = plugins.generator(task, self.generators)
        if type(made) not in GENERATORS.values() and made not in self._kept:
            knobs = dict(task.knobs)
            contract.check(made, {name: knobs[name] for name in made.traced_knobs})
            self._kept.add(made)
        return made

    def trainer(self, cell: CellSpec) -> Trainer:
        """The trainer of a cell; equal for cells that differ in traced values alone.

        Errors: AttnsearchError where a generator or mixer refuses its settings.
        """
        if cell not in self._trainers:
            self._trainers[cell] = self._made(cell)
        return self._trainers[cell]

    def cohorts(self, specs: Sequence[RunSpec]) -> list[JaxCohort]:
        """`specs` grouped by what fixes shapes, in order of first appearance.

        Errors: AttnsearchError where a generator or mixer refuses its settings.
        """
        grouped: dict[Trainer, list[RunSpec]] = {}
        for spec in specs:
            grouped.setdefault(self.trainer(spec.cell), []).append(spec)
        return [JaxCohort(trainer, tuple(members)) for trainer, members in grouped.items()]

    def train(
        self,
        cohort: JaxCohort,
        pending: Sequence[RunSpec],
        runs: Runs,
        observer: Observer,
        settings: TrainingSettings,
    ) -> Iterator[Ended]:
        """The `pending` runs of `cohort` that are free, in fewer lanes where memory is short."""
        left = dict.fromkeys(pending)
        while left:
            missing = replace(cohort, specs=tuple(left))
            asked = (cohort.trainer, settings.lanes)
            if asked not in self._lanes_per_device:
                # Once for each cohort: finding out may compile, and held runs are asked for again and again.
                self._lanes_per_device[asked] = settings.lanes or lanes_that_pay(missing)
            count = self._lanes_per_device[asked]
            lanes = JaxLanes(missing, self._compiled(missing, count))
            engine = Engine(missing.specs, lanes, runs, observer, settings)
            try:
                for ended in engine.run():
                    del left[ended.run.spec]
                    yield ended
                return
            except OutOfDeviceMemory as error:
                if count == 1:
                    raise AttnsearchError(
                        "the device has not enough memory for one run: use a smaller network or a smaller"
                        " --tokens-per-step"
                    ) from error
                observer.warned(
                    f"{count} lanes do not fit into the device's memory: going on with {count // 2}"
                )
                # Those of other cohorts too, for they take memory as well.
                self._programs.clear()
                self._lanes_per_device[asked] = count // 2

    def rate(self, cohort: JaxCohort, pending: Sequence[RunSpec], seconds: float) -> Rate:
        """What the `pending` runs of `cohort` would take; compiles as training would."""
        missing = replace(cohort, specs=tuple(pending))
        lanes = JaxLanes(missing, self._compiled(missing, lanes_that_pay(missing)))
        return measure(lanes, missing.specs, seconds)

    def size(self, cohort: JaxCohort) -> Size:
        """How large the network of `cohort` is, by the compiler's count."""
        return size(cohort.trainer.network)

    def _compiled(self, cohort: JaxCohort, lanes_per_device: int) -> CompiledLanes:
        """The lanes of a cohort; the same ones for all of its runs that keep as many devices busy."""
        used = devices.needed(len(cohort.specs), lanes_per_device)
        program = (cohort.trainer, len(used), lanes_per_device)
        if program not in self._programs:
            self._programs[program] = CompiledLanes(cohort.trainer, used, lanes_per_device)
        return self._programs[program]

    def _made(self, cell: CellSpec) -> Trainer:
        made, mixer = self.generator(cell.task), self.mixer(cell.mixer.name)
        static = (cell.network, cell.mixer, made)
        if static not in self._networks:
            self._networks[static] = Network.of(cell.network, mixer, cell.mixer.settings, made)
        network = self._networks[static]
        batch_size = sequences_of_a_step(cell, made)
        biased = cell.intervention != InterventionSpec()
        if biased and not issubclass(mixer, LogitMixer):
            able = [name for name, known in self.mixers.items() if issubclass(known, LogitMixer)]
            raise AttnsearchError(
                f"mixer {cell.mixer.name} has no attention logits to which a map could be added:"
                f" --map-bias works with {', '.join(able)}"
            )
        if biased:
            network.contract.check_bias()
        return Trainer(made, network, batch_size, biased=biased)
