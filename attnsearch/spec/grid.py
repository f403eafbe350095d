"""From lists of values to the runs of a grid: one flat namespace of settings, every one checked here."""

from __future__ import annotations

import inspect
import itertools
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError, nearest
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
    settings,
)
from attnsearch.spec.task_file import TaskFile, find_task

DEFAULT_SEEDS = 8
"""Seeds of a quick run; below this many a distribution is guesswork."""

LARGEST_SEED = 2**31 - 1

LARGEST_VALUE = 2**31 - 1
"""Of any setting: what is counted on a device is counted in 32 bits."""


@dataclass(frozen=True)
class Setting:
    """A setting of network, optimizer, budget or intervention: what it means, and the values it may take.

    minimum, above_minimum:  the least number, and whether it is excluded
    form, example:           of a setting that is a word: a regular expression, and how it is told
    """

    meaning: str
    default: Value
    minimum: float = 0
    above_minimum: bool = False
    form: str = ""
    example: str = ""

    def describe(self) -> str:
        """The values it may take, in a few words."""
        bound = "above" if self.above_minimum else "at least"
        return self.example or f"{bound} {self.minimum:g}"

    def check(self, name: str, value: Value) -> Value:
        """`value`, as the type of the default. Errors: AttnsearchError."""
        if self.form:
            if isinstance(value, bool | float) or not re.fullmatch(self.form, str(value)):
                raise AttnsearchError(f"{name} {value!r} is not of the form {self.example}")
            return str(value)
        if isinstance(self.default, bool):
            if isinstance(value, bool):
                return value
            raise AttnsearchError(f"{name} {value!r} is neither true nor false")
        kind = float if isinstance(self.default, float) else int
        if (
            isinstance(value, bool | str | None)
            or not isinstance(value, int | kind)
            or (isinstance(value, float) and not math.isfinite(value))
        ):
            word = "number" if kind is float else "whole number"
            raise AttnsearchError(f"{name} {value!r} is not a {word}")
        if value < self.minimum or (self.above_minimum and value == self.minimum):
            bound = "above" if self.above_minimum else "at least"
            raise AttnsearchError(f"{name} {value} must be {bound} {self.minimum:g}")
        if value > LARGEST_VALUE:
            raise AttnsearchError(f"{name} {value} must be at most {LARGEST_VALUE}")
        return kind(value)


SETTINGS: dict[str, Setting] = {
    "learning_rate": Setting("AdamW learning rate", OptimizerSpec.learning_rate, 0, above_minimum=True),
    "weight_decay": Setting("AdamW weight decay", OptimizerSpec.weight_decay, 0),
    "warmup_steps": Setting("steps of linear warm-up", OptimizerSpec.warmup_steps, 0),
    "steps": Setting("budget of a run, in steps", BudgetSpec.steps, RECORDING_INTERVAL),
    "tokens_per_step": Setting("tokens of a training step", BudgetSpec.tokens_per_step, 1),
    "early_stopping": Setting("end a run when it has mastered every target", BudgetSpec.early_stopping, 0),
    "width": Setting("features of a token, D", NetworkSpec.width, 1),
    "num_layers": Setting("blocks of the network", NetworkSpec.num_layers, 1),
    "mlp_width": Setting("hidden features of a block's MLP", NetworkSpec.mlp_width, 1),
    "map_bias": Setting(
        "added to attention logits where the true map is, c; 0: nothing", InterventionSpec.map_bias
    ),
    "map_bias_layers": Setting(
        "layers with the bias, from 0",
        InterventionSpec.map_bias_layers,
        form=r"all|\d+(:\d+)?(\+\d+(:\d+)?)*",
        example="all, 2, 0+2 or 1:3",
    ),
    "map_bias_steps": Setting(
        "steps with the bias",
        InterventionSpec.map_bias_steps,
        form=r"all|\d+:\d+",
        example="all or first:last, as in 0:500",
    ),
    "map_bias_placebo": Setting("a wrong map instead, the control", InterventionSpec.map_bias_placebo),
}
"""Every setting that is neither the task's nor the mixer's. Defaults stand in `specs`."""

_Item = TypeVar("_Item")

Lists = Mapping[str, Sequence[Value]]
"""Values by setting name, each list a dimension of a grid."""

Training = tuple[NetworkSpec, OptimizerSpec, BudgetSpec, InterventionSpec]

KnownMixers = Mapping[str, Mapping[str, Value]]
"""Mixer names, each with its settings and their defaults."""


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
                   One that only some of the tasks or mixers have makes a grid for those alone
    known_mixers:  what mixers there are, with their settings' defaults
    seeds:         initialisation and data order of each run; equal ones are paired across cells
    rule_seed:     the hidden rule of every run; each seed draws its own unless given

    Errors: AttnsearchError for anything unknown or out of range, naming what would be right.
    """
    files = [task if isinstance(task, TaskFile) else find_task(str(task)) for task in tasks]
    for mixer in mixers:
        if mixer not in known_mixers:
            raise AttnsearchError(f"unknown mixer {mixer!r}.{nearest(mixer, known_mixers)}")
    check_meanings(files, mixers, known_mixers)
    _check_names(values, files, mixers, known_mixers)
    seeds = list(seeds)
    runs: list[RunSpec] = []
    for file in files:
        own = {**{name: [value] for name, value in file.defaults}, **values}
        specs = [spec for name in mixers for spec in mixer_specs(name, known_mixers[name], own)]
        runs += product(task_specs(file, values), training_specs(own), specs, seeds, rule_seed)
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


def check_meanings(files: Sequence[TaskFile], mixers: Sequence[str], known_mixers: KnownMixers) -> None:
    """Settings have one namespace. Errors: AttnsearchError for a name that means two things."""
    of_tasks, of_mixers = _names(files, mixers, known_mixers)
    for name in sorted(of_tasks & (of_mixers | set(SETTINGS)) | of_mixers & set(SETTINGS)):
        kinds = [("a knob of the task", of_tasks), ("a setting of the mixer", of_mixers)]
        meanings = [kind for kind, names in kinds if name in names]
        meanings += ["a setting of every run"] * (name in SETTINGS)
        raise AttnsearchError(f"{name!r} is {' and '.join(meanings)}: rename one")


def _check_names(
    values: Lists, files: Sequence[TaskFile], mixers: Sequence[str], known_mixers: KnownMixers
) -> None:
    of_tasks, of_mixers = _names(files, mixers, known_mixers)
    known = of_tasks | of_mixers | set(SETTINGS)
    for name, listed in values.items():
        if name not in known:
            users = [f"mixer {mixer}" for mixer, has in known_mixers.items() if name in has]
            place = f"; it is a setting of {' and '.join(users)}" if users else ""
            asked = ", ".join([file.name for file in files] + list(mixers))
            raise AttnsearchError(f"no setting {name!r} in {asked}{place}.{nearest(name, known)}")
        if not listed:
            raise AttnsearchError(f"{name} has no values")


def _names(
    files: Sequence[TaskFile], mixers: Sequence[str], known_mixers: KnownMixers
) -> tuple[set[str], set[str]]:
    """What the tasks' settings are called, and the mixers'."""
    return (
        {name for file in files for name in file.setting_names},
        {name for mixer in mixers for name in known_mixers[mixer]},
    )


def _checked_seeds(seeds: Iterable[int]) -> list[int]:
    unique = _unique(seeds)
    if not unique:
        raise AttnsearchError("seeds is 0: at least 1 run is needed, 8 for a distribution")
    for seed in unique:
        if not 0 <= seed <= LARGEST_SEED:
            raise AttnsearchError(f"seed {seed} is outside 0 to {LARGEST_SEED}")
    return unique


def task_specs(file: TaskFile, values: Lists) -> list[TaskSpec]:
    """The task with every combination of those of `values` that are its settings."""
    return [file.resolve(given) for given in _combinations(values, file.setting_names)]


def mixer_specs(name: str, defaults: Mapping[str, Value], values: Lists) -> list[MixerSpec]:
    """The mixer with every combination of those of `values` that are its settings."""
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
    """Every combination of those of `values` that are `SETTINGS`."""
    trainings = []
    for given in _combinations(values, set(SETTINGS)):
        checked = {name: SETTINGS[name].check(name, value) for name, value in given.items()}
        network = _of(NetworkSpec, checked)
        optimizer = _of(OptimizerSpec, checked)
        budget = _of(BudgetSpec, checked)
        if budget.steps % RECORDING_INTERVAL:
            lower = budget.steps // RECORDING_INTERVAL * RECORDING_INTERVAL
            raise AttnsearchError(
                f"steps {budget.steps} is not a multiple of {RECORDING_INTERVAL},"
                f" the steps of a recorded point: use {lower} or {lower + RECORDING_INTERVAL}"
            )
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
    """A specification of `kind`, a dataclass, from those of `checked` that are its fields."""
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
