"""A run's specification: fully resolved, frozen, with a digest that is its name.

Numpy side; never imports jax. Task files are read by `attnsearch.spec.task_file`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Self, TypeVar

from msgspec import Meta

FORMAT_VERSION = 3
"""Version of the specification and of what is stored under its digest."""

Value = int | float | str | bool | None
Settings = tuple[tuple[str, Value], ...]
"""Names and values, sorted by name: a mapping that is hashable and has one written form."""


FOREIGN = "foreign:"
"""How the name of a mixer begins that a loop of one's own trains; `attnsearch.Recorder` records its runs."""

UNTOLD, UNTOLD_WORD = -1, "untold"
"""A setting of network or optimizer that whoever recorded a foreign run has not told: a number, or a word."""


def is_told(value: Value) -> bool:
    """Whether a setting of network or optimizer is known."""
    return value not in (UNTOLD, UNTOLD_WORD)


def settings(mapping: Mapping[str, Value]) -> Settings:
    """`mapping` as sorted pairs."""
    return tuple(sorted(mapping.items()))


_Fraction = Annotated[float, Meta(gt=0, le=1)]


def of_mixer(name: str, taken: Collection[str]) -> str:
    """What a mixer's setting is called among others: its own name, or `mixer.<name>` if that is `taken`."""
    return f"mixer.{name}" if name in taken else name


@dataclass(frozen=True)
class PlateauRule:
    """Loss thresholds as fractions of chance. They are applied to stored curves, after the fact, so
    a run's digest does not cover them.

    escape:   of the mean target loss (1.3 / ln 4, arXiv:2606.25010, cellular automata)
    found:    of one target's loss
    mastery:  of every target's loss, less Bayes' own
    """

    escape: _Fraction = 0.938
    found: _Fraction = 0.5
    mastery: _Fraction = 0.1


@dataclass(frozen=True)
class TaskSpec:
    """A task with every knob set. `knobs` are the generator's, static and traced alike."""

    name: str
    generator: str
    knobs: Settings
    plateau: PlateauRule = PlateauRule()


@dataclass(frozen=True)
class MixerSpec:
    """A mixer with every setting of its constructor, or what a loop of one's own trains, as it told."""

    name: str
    settings: Settings

    @property
    def foreign(self) -> bool:
        """Whether a loop of one's own trained it, so that it cannot be trained here."""
        return self.name.startswith(FOREIGN)


@dataclass(frozen=True)
class NetworkSpec:
    """The network round the mixer. Widths count features; `mlp_width` is the hidden layer's. `positions` says
    what is added to tokens."""

    width: int = 128
    num_layers: int = 1
    mlp_width: int = 512
    positions: str = "learned"


@dataclass(frozen=True)
class OptimizerSpec:
    """AdamW, linear warm-up over `warmup_steps`, then a constant learning rate."""

    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup_steps: int = 100


_Part = TypeVar("_Part", NetworkSpec, OptimizerSpec)


def left_untold(part: _Part, names: Collection[str]) -> _Part:
    """`part` with the settings called `names` untold, as far as it has them."""
    values = {name: value for name, value in asdict(part).items() if name in names}
    return replace(
        part, **{name: UNTOLD_WORD if isinstance(value, str) else UNTOLD for name, value in values.items()}
    )


@dataclass(frozen=True)
class BudgetSpec:
    """How long a run may train. `early_stopping` ends it when it has mastered every target."""

    steps: int = 10_000
    tokens_per_step: int = 2_048
    early_stopping: bool = True


@dataclass(frozen=True)
class InterventionSpec:
    """What is done to a network while it trains; by default nothing.

    map_bias:          c: what is added, c times the ground-truth map, to the attention logits of the queries
    map_bias_layers:   in which layers, from 0: "all", "2", "0+2", or "1:3" for 1 and 2
    map_bias_steps:    "all", or "0:500" for the first 500 steps
    map_bias_placebo:  a wrong map of the same shape instead, the control
    """

    map_bias: float = 0.0
    map_bias_layers: str = "all"
    map_bias_steps: str = "all"
    map_bias_placebo: bool = False

    def layers(self, num_layers: int) -> tuple[bool, ...]:
        """Which of the layers have the bias. Errors: ValueError where one is named that is not there."""
        named: set[int] = set()
        for part in self.map_bias_layers.split("+"):
            first, colon, last = (f"0:{num_layers}" if part == "all" else part).partition(":")
            layers = range(int(first), int(last) if colon else int(first) + 1)
            # Before they are listed: whoever sent the text may have meant to fill the memory.
            if layers.stop > num_layers or not layers:
                raise ValueError(
                    f"map_bias_layers {self.map_bias_layers} are not among the layers, 0 to {num_layers - 1}"
                )
            named |= set(layers)
        return tuple(layer in named for layer in range(num_layers))

    def steps(self, budget: int) -> tuple[int, int]:
        """The first step with the bias, and the one after the last. Errors: ValueError for none."""
        named = f"0:{budget}" if self.map_bias_steps == "all" else self.map_bias_steps
        first, last = map(int, named.split(":"))
        if not first < min(last, budget):
            raise ValueError(f"map_bias_steps {self.map_bias_steps} holds no step of a run's {budget}")
        # A map that is measured when the budget is used up shows the network as it was trained.
        return first, last if last < budget else budget + 1


@dataclass(frozen=True)
class CellSpec:
    """One cell of a grid: everything but the seed. The runs of a cell are what statistics compare."""

    task: TaskSpec
    mixer: MixerSpec
    network: NetworkSpec
    optimizer: OptimizerSpec
    budget: BudgetSpec
    intervention: InterventionSpec = InterventionSpec()

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Once a cell: runs are grouped by it, and the hash of all its settings takes longer than all else.
        parts = self.task, self.mixer, self.network, self.optimizer, self.budget, self.intervention
        return hash(parts)

    def __getstate__(self) -> dict[str, Any]:
        # Hashes of texts differ between processes.
        return {name: value for name, value in vars(self).items() if name != "_hash"}

    def flat(self, others: Collection[str] = ()) -> dict[str, Value]:
        """Every setting by its one name, as flags and columns call it; without what is not told.

        others:  names of the knobs of other cells at hand, if any
        """
        named = {"task": self.task.name, **dict(self.task.knobs), "mixer": self.mixer.name}
        training = {
            **asdict(self.network),
            **asdict(self.optimizer),
            **asdict(self.budget),
            **asdict(self.intervention),
        }
        taken = {"generator", *named, *training, *others}
        mixer = {of_mixer(name, taken): value for name, value in self.mixer.settings}
        told = {name: value for name, value in training.items() if is_told(value)}
        return {**named, **mixer, **told}


@dataclass(frozen=True)
class RunSpec:
    """One training of one network on one task: the unit that is stored.

    seed:       initialisation and data order
    rule_seed:  the hidden rule; equal to `seed` unless one rule is fixed for all
    """

    cell: CellSpec
    seed: int
    rule_seed: int

    def to_json(self) -> dict[str, Any]:
        """The specification as JSON values, from which `from_json` makes an equal one."""
        document = asdict(self.cell)
        document["task"]["knobs"] = dict(self.cell.task.knobs)
        document["mixer"]["settings"] = dict(self.cell.mixer.settings)
        return {
            "format_version": FORMAT_VERSION,
            **document,
            "seed": self.seed,
            "rule_seed": self.rule_seed,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`. Errors: ValueError, KeyError or TypeError on anything else."""
        if document["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format version {document['format_version']}, expected {FORMAT_VERSION}")
        task, mixer = document["task"], document["mixer"]
        cell = CellSpec(
            task=TaskSpec(
                task["name"], task["generator"], settings(task["knobs"]), PlateauRule(**task["plateau"])
            ),
            mixer=MixerSpec(mixer["name"], settings(mixer["settings"])),
            network=NetworkSpec(**document["network"]),
            optimizer=OptimizerSpec(**document["optimizer"]),
            budget=BudgetSpec(**document["budget"]),
            intervention=InterventionSpec(**document["intervention"]),
        )
        return cls(cell, document["seed"], document["rule_seed"])

    @property
    def digest(self) -> str:
        """64 hex digits: sha256 of the canonical JSON. The same question has the same digest."""
        document = self.to_json()
        del document["task"]["plateau"]
        canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
