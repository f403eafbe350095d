"""The question that a foreign run answers: a run that a loop of one's own trains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields

from attnsearch.base import AttnsearchError, nearest
from attnsearch.spec.grid import check_knobs, product, task_specs, training_specs
from attnsearch.spec.reading import check_names
from attnsearch.spec.run import (
    FOREIGN,
    BudgetSpec,
    InterventionSpec,
    MixerSpec,
    NetworkSpec,
    OptimizerSpec,
    RunSpec,
    Value,
    left_untold,
    settings,
)
from attnsearch.spec.settings import SETTINGS
from attnsearch.spec.task_file import TaskFile

LONGEST_NAME = 100
"""Characters of the name of what is trained."""

_BUDGET, _TOLD = (
    {field.name for kind in kinds for field in fields(kind)}
    for kinds in ((BudgetSpec,), (NetworkSpec, OptimizerSpec))
)


def foreign_run(
    file: TaskFile,
    name: str,
    given: Mapping[str, Value],
    about: Mapping[str, Value],
    seed: int,
    rule_seed: int | None,
) -> RunSpec:
    """The run of what is called `name` on the task of `file`.

    given:  knobs of the task, and settings of every run. A setting of network or optimizer that is not among
            them stays untold, since nobody here knows it
    about:  what else tells the network from others of its name

    Errors: AttnsearchError for anything unknown or out of range, naming what would be right.
    """
    check_knobs([file])
    _check_name(name)
    _check_about(about)
    known = file.setting_names | _BUDGET | _TOLD
    for setting in given:
        if setting not in known:
            raise AttnsearchError(
                f"no setting {setting!r} in a run on {file.name}.{nearest(setting, known)}"
                " What only your network has belongs into about"
            )
    defaults = {key: value for key, value in file.defaults if key in _BUDGET}
    lists = {key: [value] for key, value in {**defaults, **given}.items()}
    ((network, optimizer, budget, _),) = training_specs(
        {key: values for key, values in lists.items() if key in _BUDGET | _TOLD}
    )
    _check_multiples(given)
    untold = _TOLD - given.keys()
    training = (left_untold(network, untold), left_untold(optimizer, untold), budget, InterventionSpec())
    mixer = MixerSpec(f"{FOREIGN}{name}", settings(about))
    (run,) = product(task_specs(file, lists), [training], [mixer], [seed], rule_seed)
    return run


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise AttnsearchError(
            f"{name!r} is not a name for what is trained: give 1 to {LONGEST_NAME} letters, digits and signs"
        )
    check_names(name)


def _check_multiples(given: Mapping[str, Value]) -> None:
    """Errors: AttnsearchError for a multiple of a setting that is not `given`, and so not known."""
    for name in given.keys() & SETTINGS.keys():
        base = SETTINGS[name].scales_with
        if base and base not in given and isinstance(given[name], str):
            raise AttnsearchError(
                f"{name} {given[name]} is a multiple of the {base}, which is not told: give {base} as well"
            )


def _check_about(about: Mapping[str, Value]) -> None:
    for name, value in about.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise AttnsearchError(
                f"about: {name!r} is not a name: give letters, digits and _, as in num_heads"
            )
        plain = value is None or type(value) in (bool, int, float, str)
        if not plain or (isinstance(value, float) and not math.isfinite(value)):
            raise AttnsearchError(f"about: {name} is {value!r}: give a number, a text, True, False or None")
