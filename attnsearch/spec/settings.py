"""The settings of every run: what each means, and the values that it may take."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError, nearest
from attnsearch.spec.positions import POSITIONS
from attnsearch.spec.reading import placed
from attnsearch.spec.run import BudgetSpec, InterventionSpec, NetworkSpec, OptimizerSpec, Value

LARGEST_VALUE = 2**31 - 1
"""Of any setting: what is counted on a device is counted in 32 bits."""

_MULTIPLE = r"-?[0-9]{1,10}(\.[0-9]{1,10})?x"
"""`4x` or `0.5x`: so many times another setting. The product is checked as any number is."""


@dataclass(frozen=True)
class Setting:
    """A setting of network, optimizer, budget or intervention: what it means, and the values it may take.

    minimum, above_minimum:  the least number, and whether it is excluded
    multiple_of:             of a whole number
    choices:                 of a setting that is one of a few words
    form, example:           of a setting that is any other word: a regular expression, and how it is told
    scales_with:             of a number: another setting, of which `4x` is four times the value
    """

    meaning: str
    default: Value
    minimum: float = 0
    above_minimum: bool = False
    multiple_of: int = 1
    choices: tuple[str, ...] = ()
    form: str = ""
    example: str = ""
    scales_with: str = ""

    def describe(self) -> str:
        """The values it may take, in a few words."""
        bound = "above" if self.above_minimum else "at least"
        multiple = f", a multiple of {self.multiple_of}" if self.multiple_of > 1 else ""
        scaled = f", or times the {self.scales_with}, as in 4x" if self.scales_with else ""
        return self.example or " or ".join(self.choices) or f"{bound} {self.minimum:g}{multiple}{scaled}"

    def check(self, name: str, value: Value, others: Mapping[str, Value]) -> Value:
        """`value`, as the type of the default. Errors: AttnsearchError.

        others:  the settings that are given beside it
        """
        if self.scales_with and isinstance(value, str):
            return self._scaled(name, value, others)
        if self.choices:
            if value not in self.choices:
                raise AttnsearchError(f"{name} {value!r} is unknown.{nearest(str(value), self.choices)}")
            return value
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
        if kind is int and int(value) % self.multiple_of:
            lower = int(value // self.multiple_of * self.multiple_of)
            raise AttnsearchError(
                f"{name} {value} is not a multiple of {self.multiple_of}:"
                f" use {lower} or {lower + self.multiple_of}"
            )
        return kind(value)

    def _scaled(self, name: str, value: str, others: Mapping[str, Value]) -> Value:
        if not re.fullmatch(_MULTIPLE, value):
            raise AttnsearchError(
                f"{name} {value!r} is neither a whole number"
                f" nor a multiple of the {self.scales_with}, as in 4x"
            )
        base = SETTINGS[self.scales_with]
        whole = base.check(self.scales_with, others.get(self.scales_with, base.default), others)
        assert isinstance(whole, int)
        exact = Fraction(value.removesuffix("x")) * whole
        with placed(f"{name} {value} of {self.scales_with} {whole}"):
            return self.check(name, int(exact) if exact.denominator == 1 else float(exact), others)


SETTINGS: dict[str, Setting] = {
    "learning_rate": Setting("AdamW learning rate", OptimizerSpec.learning_rate, 0, above_minimum=True),
    "weight_decay": Setting("AdamW weight decay", OptimizerSpec.weight_decay, 0),
    "warmup_steps": Setting("steps of linear warm-up", OptimizerSpec.warmup_steps, 0),
    "steps": Setting(
        "budget of a run, in steps", BudgetSpec.steps, RECORDING_INTERVAL, multiple_of=RECORDING_INTERVAL
    ),
    "tokens_per_step": Setting("tokens of a training step", BudgetSpec.tokens_per_step, 1),
    "early_stopping": Setting("end a run when it has mastered every target", BudgetSpec.early_stopping, 0),
    "width": Setting("features of a token, D", NetworkSpec.width, 1),
    "num_layers": Setting("blocks of the network", NetworkSpec.num_layers, 1),
    "mlp_width": Setting("hidden features of a block's MLP", NetworkSpec.mlp_width, 1, scales_with="width"),
    "positions": Setting(
        "what is added to tokens, so that a network knows where they are",
        NetworkSpec.positions,
        choices=POSITIONS,
    ),
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
"""Every setting that is neither the task's nor the mixer's. Defaults stand in `spec.run`."""
