"""A cell as JSON values, in files of which nobody knows who wrote them. Numpy side; never imports jax."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from msgspec import Meta, Struct

from attnsearch.spec.grid import LARGEST_SEED, training_specs
from attnsearch.spec.reading import check_names
from attnsearch.spec.run import (
    BudgetSpec,
    CellSpec,
    InterventionSpec,
    MixerSpec,
    NetworkSpec,
    OptimizerSpec,
    PlateauRule,
    TaskSpec,
    is_told,
    left_untold,
    settings,
)
from attnsearch.spec.settings import LARGEST_VALUE

Text = Annotated[str, Meta(min_length=1, max_length=200)]
"""A name, or a word."""

Seed = Annotated[int, Meta(ge=0, le=LARGEST_SEED)]

Digest = Annotated[str, Meta(min_length=64, max_length=64)]
"""sha256, in hex digits."""

_Number = Meta(ge=-LARGEST_VALUE, le=LARGEST_VALUE)
_Value = (
    Annotated[int, _Number] | Annotated[float, _Number] | Annotated[str, Meta(max_length=200)] | bool | None
)
_Settings = Annotated[dict[Text, _Value], Meta(max_length=32)]


class MixerDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A mixer with every setting."""

    name: Text
    settings: _Settings

    def spec(self) -> MixerSpec:
        """The mixer. Errors: AttnsearchError for a name that may look like another."""
        check_names(self.name, *self.settings, *self.settings.values())
        return MixerSpec(self.name, settings(self.settings))


class TaskDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A task with every knob."""

    name: Text
    generator: Text
    knobs: _Settings
    plateau: PlateauRule


class QuestionDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A cell without its mixer."""

    task: TaskDocument
    network: NetworkSpec
    optimizer: OptimizerSpec
    budget: BudgetSpec
    intervention: InterventionSpec

    def cell(self, mixer: MixerSpec) -> CellSpec:
        """The cell of `mixer`.

        Errors: AttnsearchError for a setting that is out of range, and a name that may look like another.
        """
        check_names(self.task.name, self.task.generator, *self.task.knobs, *self.task.knobs.values())
        parts = (self.network, self.optimizer, self.budget, self.intervention)
        given = {name: value for part in parts for name, value in asdict(part).items()}
        untold = {name for name, value in given.items() if mixer.foreign and not is_told(value)}
        (training,) = training_specs({name: [value] for name, value in given.items() if name not in untold})
        network, optimizer, budget, intervention = training
        task = TaskSpec(self.task.name, self.task.generator, settings(self.task.knobs), self.task.plateau)
        network, optimizer = left_untold(network, untold), left_untold(optimizer, untold)
        return CellSpec(task, mixer, network, optimizer, budget, intervention)


def mixer_values(mixer: MixerSpec) -> dict[str, Any]:
    """The JSON values of which a `MixerDocument` is made."""
    return {"name": mixer.name, "settings": dict(mixer.settings)}


def question_values(cell: CellSpec) -> dict[str, Any]:
    """The JSON values of which a `QuestionDocument` is made."""
    values = asdict(cell)
    del values["mixer"]
    values["task"]["knobs"] = dict(cell.task.knobs)
    return values
