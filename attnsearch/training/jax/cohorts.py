"""Which runs share a compilation, and what each cohort is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path

import numpy as np

from attnsearch.base import AttnsearchError, nearest
from attnsearch.generators import GENERATORS
from attnsearch.generators.base import Generator
from attnsearch.mixers import MIXERS
from attnsearch.mixers.base import LogitMixer, Mixer, default_settings
from attnsearch.spec import plugins
from attnsearch.spec.grid import DEFAULT_SEEDS, KnownMixers, grid
from attnsearch.spec.run import CellSpec, InterventionSpec, RunSpec, TaskSpec, Value
from attnsearch.spec.task_file import TaskFile
from attnsearch.training.jax.network import Network
from attnsearch.training.jax.trainer import MapBias, RunInputs, Trainer


@dataclass(frozen=True)
class Registries:
    """The generators and mixers that specifications may name. To add one: `MIXERS | {"mine": Mine}`.

    Beside these they may name entry points, and classes as `package.module:Class` (see `plugins.find`).
    """

    generators: Mapping[str, type[Generator]] = field(default_factory=lambda: GENERATORS)
    mixers: Mapping[str, type[Mixer]] = field(default_factory=lambda: MIXERS)

    def known_mixers(self) -> KnownMixers:
        """Each mixer's settings with their defaults. Lists those of the registry, and finds all others.

        Errors: AttnsearchError, when asked for a mixer that cannot be had.
        """
        return _KnownMixers(self.mixers)


@dataclass(frozen=True, eq=False)
class _KnownMixers(Mapping[str, Mapping[str, Value]]):
    mixers: Mapping[str, type[Mixer]]

    def __getitem__(self, name: str) -> Mapping[str, Value]:
        return default_settings(plugins.find(name, self.mixers, Mixer))

    def __iter__(self) -> Iterator[str]:
        return iter(self.mixers)

    def __len__(self) -> int:
        return len(self.mixers)


def specify(
    tasks: Sequence[str | Path | TaskFile],
    mixers: Sequence[str],
    values: Mapping[str, Sequence[Value]],
    *,
    seeds: Iterable[int] = range(DEFAULT_SEEDS),
    rule_seed: int | None = None,
    registries: Registries | None = None,
) -> list[RunSpec]:
    """The runs of a grid (see `attnsearch.spec.grid.grid`) over the mixers of `registries`."""
    known_mixers = (registries or Registries()).known_mixers()
    return grid(tasks, mixers, values, known_mixers=known_mixers, seeds=seeds, rule_seed=rule_seed)


@dataclass(frozen=True)
class Cohort:
    """Runs that share every static shape, hence one compilation."""

    trainer: Trainer
    specs: tuple[RunSpec, ...]

    def inputs(self, spec: RunSpec) -> RunInputs:
        """What makes this run differ from the others of its cohort, as scalars on the host."""
        knobs = dict(spec.cell.task.knobs)
        optimizer = spec.cell.optimizer
        return RunInputs(
            seed=np.int32(spec.seed),  # pyright: ignore[reportArgumentType]
            rule_seed=np.int32(spec.rule_seed),  # pyright: ignore[reportArgumentType]
            knobs={name: np.asarray(knobs[name]) for name in self.trainer.generator.traced_knobs},  # pyright: ignore[reportArgumentType]
            learning_rate=np.float32(optimizer.learning_rate),  # pyright: ignore[reportArgumentType]
            weight_decay=np.float32(optimizer.weight_decay),  # pyright: ignore[reportArgumentType]
            warmup_steps=np.int32(optimizer.warmup_steps),  # pyright: ignore[reportArgumentType]
            map_bias=_map_bias(spec.cell) if self.trainer.biased else None,
        )


def _map_bias(cell: CellSpec) -> MapBias:
    given = cell.intervention
    first, last = given.steps(cell.budget.steps)
    return MapBias(
        strength=np.float32(given.map_bias) * np.float32(given.layers(cell.network.num_layers)),  # pyright: ignore[reportArgumentType]
        first=np.int32(first),  # pyright: ignore[reportArgumentType]
        last=np.int32(last),  # pyright: ignore[reportArgumentType]
        placebo=np.bool_(given.map_bias_placebo),  # pyright: ignore[reportArgumentType]
    )


def cohorts(specs: Sequence[RunSpec], registries: Registries) -> list[Cohort]:
    """`specs` grouped by what fixes shapes, in order of first appearance.

    Errors: AttnsearchError where a generator or mixer refuses its settings.
    """
    trainers: dict[CellSpec, Trainer] = {}
    grouped: dict[Trainer, list[RunSpec]] = {}
    for spec in specs:
        if spec.cell not in trainers:
            trainers[spec.cell] = trainer(spec.cell, registries)
        grouped.setdefault(trainers[spec.cell], []).append(spec)
    return [Cohort(shared, tuple(members)) for shared, members in grouped.items()]


def trainer(cell: CellSpec, registries: Registries) -> Trainer:
    """The trainer of a cell; equal for cells that differ in traced values only."""
    made = generator(cell.task, registries.generators)
    mixer = plugins.find(cell.mixer.name, registries.mixers, Mixer)
    network = Network.of(cell.network, mixer, cell.mixer.settings, made)
    tokens = cell.budget.tokens_per_step
    if tokens < made.context_length:
        raise AttnsearchError(
            f"tokens_per_step {tokens} is less than one sequence of {cell.task.name}:"
            f" at least {made.context_length}"
        )
    biased = cell.intervention != InterventionSpec()
    if biased and not issubclass(mixer, LogitMixer):
        able = [name for name, known in registries.mixers.items() if issubclass(known, LogitMixer)]
        raise AttnsearchError(
            f"mixer {cell.mixer.name} has no attention logits to which a map could be added:"
            f" --map-bias works with {', '.join(able)}"
        )
    if biased:
        network.contract.check_bias()
    return Trainer(made, network, tokens // made.context_length, biased=biased)


def generator(task: TaskSpec, generators: Mapping[str, type[Generator]]) -> Generator:
    """The generator of a task. Errors: AttnsearchError for one that is unknown or lacks a knob."""
    kind = plugins.find(task.generator, generators, Generator)
    assert is_dataclass(kind)
    static = {field.name for field in fields(kind)}
    knobs = dict(task.knobs)
    for name in knobs:
        if name not in static | set(kind.traced_knobs):
            known = nearest(name, static | set(kind.traced_knobs))
            raise AttnsearchError(
                f"task {task.name}: generator {task.generator} has no knob {name!r}.{known}"
            )
    for name in (static | set(kind.traced_knobs)) - set(knobs):
        raise AttnsearchError(f"task {task.name}: knob {name!r} of generator {task.generator} is missing")
    return kind(**{name: value for name, value in knobs.items() if name in static})
