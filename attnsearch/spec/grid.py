"""From lists of values to the runs of a grid: one flat namespace of settings, every one checked here."""

from __future__ import annotations

import inspect
import itertools
import math
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from attnsearch.base import AttnsearchError, nearest
from attnsearch.spec.reading import check_names
from attnsearch.spec.run import (
    BudgetSpec,
    CellSpec,
    InterventionSpec,
    MixerSpec,
    NetworkSpec,
    OptimizerSpec,
    RunSpec,
    TaskSpec,
    Value,
    of_mixer,
    settings,
)
from attnsearch.spec.settings import SETTINGS
from attnsearch.spec.task_file import TaskFile, find_task

DEFAULT_SEEDS = 8
"""Seeds of a quick run; below this many a distribution is guesswork."""

LARGEST_SEED = 2**31 - 1

MOST_SEEDS = 100_000
"""Each is a run at least; more would fill the memory before anything is said."""

_Item = TypeVar("_Item")

Lists = Mapping[str, Sequence[Value]]
"""Values by setting name, each list a dimension of a grid."""

Training = tuple[NetworkSpec, OptimizerSpec, BudgetSpec, InterventionSpec]

KnownMixers = Mapping[str, Mapping[str, Value]]
"""Mixer names, each with its settings and their defaults."""


@dataclass(frozen=True, eq=False)
class FoundMixers(Mapping[str, Mapping[str, Value]]):
    """`KnownMixers` that lists `names`, and finds any other by its name.

    settings_of:  a mixer's settings with their defaults. It raises AttnsearchError for one that cannot be had
    """

    names: Collection[str]
    settings_of: Callable[[str], Mapping[str, Value]]

    def __getitem__(self, name: str) -> Mapping[str, Value]:
        return self.settings_of(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def grid(
    tasks: Sequence[str | Path | TaskFile],
    mixers: Sequence[str],
    values: Lists,
    *,
    known_mixers: KnownMixers,
    seeds: Iterable[int] = range(DEFAULT_SEEDS),
    rule_seed: int | None = None,
) -> list[RunSpec]:
    """Every combination of tasks, mixers, `values` and seeds, cell by cell, seeds innermost.

    values:        lists by setting name: knobs of the tasks, settings of the mixers, and `SETTINGS`.
                   A setting that only some tasks or mixers have makes a grid for those alone. The name
                   `mixer.<name>` always means a mixer's setting. It is needed where a knob or one of
                   `SETTINGS` is called so too
    known_mixers:  what mixers there are, with their settings' defaults
    seeds:         initialisation and data order of each run; equal ones are paired across cells
    rule_seed:     the hidden rule of every run; each seed draws its own unless given

    Errors: AttnsearchError for anything unknown or out of range, naming what would be right.
    """
    files = [task if isinstance(task, TaskFile) else find_task(str(task)) for task in tasks]
    for mixer in mixers:
        if mixer not in known_mixers:
            raise AttnsearchError(f"unknown mixer {mixer!r}.{nearest(mixer, known_mixers)}")
    check_knobs(files)
    taken = {name for file in files for name in file.setting_names} | SETTINGS.keys()
    _check_names(values, files, mixers, known_mixers)
    seeds = list(seeds)
    runs: list[RunSpec] = []
    for file in files:
        own = {name: [value] for name, value in file.defaults}
        of_mixers = {**_of_mixers(own, SETTINGS), **_of_mixers(values, taken)}
        specs = [spec for name in mixers for spec in mixer_specs(name, known_mixers[name], of_mixers)]
        trainings = training_specs({**own, **values})
        runs += product(task_specs(file, values), trainings, specs, seeds, rule_seed)
    return _unique(runs)


def product(
    tasks: Iterable[TaskSpec],
    trainings: Iterable[Training],
    mixers: Iterable[MixerSpec],
    seeds: Iterable[int],
    rule_seed: int | None,
) -> list[RunSpec]:
    """Every combination once: tasks outermost, then trainings, mixers, and seeds innermost.

    Errors: AttnsearchError for seeds out of range, or none.
    """
    # Seeds may come from numpy, but are written as JSON.
    seeds = _checked_seeds(map(operator.index, seeds))
    rules = seeds if rule_seed is None else _checked_seeds([operator.index(rule_seed)]) * len(seeds)
    trainings, mixers = _unique(trainings), _unique(mixers)
    cells = [
        CellSpec(task, mixer, *training)
        for task in _unique(tasks)
        for training in trainings
        for mixer in mixers
    ]
    return [RunSpec(cell, seed, rule) for cell in cells for seed, rule in zip(seeds, rules, strict=True)]


def check_knobs(files: Sequence[TaskFile]) -> None:
    """Errors: AttnsearchError for a knob that is called like a setting of every run."""
    for file in files:
        for name in sorted(file.setting_names & (SETTINGS.keys() | {"task", "mixer", "generator"})):
            raise AttnsearchError(
                f"knob {name!r} of task {file.name} is called like a setting of every run: rename the knob"
            )


def _check_names(
    values: Lists, files: Sequence[TaskFile], mixers: Sequence[str], known_mixers: KnownMixers
) -> None:
    """Errors: AttnsearchError for a name that nothing at hand has, that is given twice, or has no values."""
    of_mixers = {name for mixer in mixers for name in known_mixers[mixer]}
    taken = {name for file in files for name in file.setting_names} | SETTINGS.keys()
    known = taken | {of_mixer(name, taken) for name in of_mixers}
    for name, listed in values.items():
        plain = name.removeprefix("mixer.")
        if name not in known | {f"mixer.{one}" for one in of_mixers}:
            users = [f"mixer {mixer}" for mixer, has in known_mixers.items() if plain in has]
            place = f"; it is a setting of {' and '.join(users)}" if users else ""
            asked = ", ".join([file.name for file in files] + list(mixers))
            raise AttnsearchError(f"no setting {name!r} in {asked}{place}.{nearest(name, known)}")
        if name != plain and plain in values and plain not in taken:
            raise AttnsearchError(f"give {plain} or {name}, not both: they are the same setting")
        if not listed:
            raise AttnsearchError(f"{name} has no values")


def _of_mixers(values: Lists, taken: Collection[str]) -> Lists:
    """The `values` that may be a mixer's, by the names that the mixer itself gives them."""
    own = {name: listed for name, listed in values.items() if name not in taken}
    return {name.removeprefix("mixer."): listed for name, listed in own.items()}


def _checked_seeds(seeds: Iterable[int]) -> list[int]:
    unique = _unique(seeds)
    if not unique:
        raise AttnsearchError("seeds is 0: at least 1 run is needed, 8 for a distribution")
    for seed in unique:
        if not 0 <= seed <= LARGEST_SEED:
            raise AttnsearchError(f"seed {seed} is outside 0 to {LARGEST_SEED}")
    return unique


def task_specs(file: TaskFile, values: Lists) -> list[TaskSpec]:
    """The task with every combination of the `values` that are its settings."""
    return [file.resolve(given) for given in _combinations(values, file.setting_names)]


def mixer_specs(name: str, defaults: Mapping[str, Value], values: Lists) -> list[MixerSpec]:
    """The mixer with every combination of the `values` that are its settings.

    Errors: AttnsearchError for a value of another type than its default, and a name that may look like
    another.
    """
    check_names(name)
    return [
        MixerSpec(name, settings({**defaults, **_checked_mixer(name, defaults, given)}))
        for given in _combinations(values, set(defaults))
    ]


def _checked_mixer(mixer: str, defaults: Mapping[str, Value], given: Mapping[str, Value]) -> dict[str, Value]:
    """`given`, each as the type of its default. Where that is None, the mixer itself must judge."""
    checked: dict[str, Value] = {}
    for name, value in given.items():
        default = defaults[name]
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        finite = not isinstance(value, float) or math.isfinite(value)
        if not finite or (default is not None and type(value) is not type(default)):
            words = {bool: "true or false", int: "a whole number", str: "a word"}.get(
                type(default), "a number"
            )
            raise AttnsearchError(f"{name} {value!r} of mixer {mixer} is not {words}")
        checked[name] = value
    return checked


def training_specs(values: Lists) -> list[Training]:
    """Every combination of the `values` that are `SETTINGS`."""
    trainings = []
    for given in _combinations(values, set(SETTINGS)):
        checked = {name: SETTINGS[name].check(name, value, given) for name, value in given.items()}
        network = _of(NetworkSpec, checked)
        optimizer = _of(OptimizerSpec, checked)
        budget = _of(BudgetSpec, checked)
        trainings.append((network, optimizer, budget, _intervention(checked, network, budget)))
    return trainings


def _intervention(checked: Mapping[str, Value], network: NetworkSpec, budget: BudgetSpec) -> InterventionSpec:
    intervention = _of(InterventionSpec, checked)
    if not intervention.map_bias:
        if "map_bias" not in checked and intervention != InterventionSpec():
            named = next(name for name in checked if name.startswith("map_bias_"))
            raise AttnsearchError(f"{named} says how a map bias is given, and there is none: give map_bias")
        # In a grid that has runs without bias, how it is given makes no difference to these.
        return InterventionSpec()
    try:
        intervention.layers(network.num_layers)
        intervention.steps(budget.steps)
    except ValueError as error:
        raise AttnsearchError(str(error)) from error
    return intervention


def _of(kind: Callable[..., _Item], checked: Mapping[str, Value]) -> _Item:
    """A specification of `kind`, a dataclass, from the `checked` values that are its fields."""
    names = inspect.signature(kind).parameters
    return kind(**{name: value for name, value in checked.items() if name in names})


def _combinations(values: Lists, names: set[str]) -> list[dict[str, Value]]:
    """Every choice of one value for each of `names` that has any."""
    present = [name for name in values if name in names]
    return [
        dict(zip(present, choice, strict=True))
        for choice in itertools.product(*(values[name] for name in present))
    ]


def _unique(items: Iterable[_Item]) -> list[_Item]:
    return list(dict.fromkeys(items))
