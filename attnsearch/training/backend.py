"""What trains runs: the settings it is given, what it gives back, and the protocol that it fulfils."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import NamedTuple, Protocol, TypeVar

from attnsearch.base import RECORDING_INTERVAL, Floats
from attnsearch.generators.base import Generator
from attnsearch.runs.checkpoints import Checkpoint
from attnsearch.runs.store import StoredRun
from attnsearch.spec.grid import KnownMixers
from attnsearch.spec.run import NetworkSpec, RunSpec, Settings, Value
from attnsearch.training.observer import Observer


@dataclass(frozen=True)
class TrainingSettings:
    """How runs are trained; nothing here changes what is measured.

    lanes:             runs trained at once on each device; chosen for the device unless given
    checkpoint_every:  seconds between two checkpoints of the runs in training
    save_parameters:   keep each trained network; runs stored without it are trained again
    """

    lanes: int | None = None
    checkpoint_every: float = 30.0
    save_parameters: bool = False


class Ended(NamedTuple):
    """A run that has ended, and the parameters of its network by name, None where none are kept."""

    run: StoredRun
    parameters: Mapping[str, Floats] | None


class Rate(NamedTuple):
    """What a cohort was measured to take on this machine, in seconds.

    lanes:        runs that were trained at once
    compilation:  before the first step; next to nothing where programs were compiled before
    point:        ten steps of every lane
    map:          one measured map of every lane
    """

    lanes: int
    compilation: float
    point: float
    map: float

    @property
    def steps_per_second(self) -> float:
        """Of all lanes together."""
        return self.lanes * RECORDING_INTERVAL / self.point


class Size(NamedTuple):
    """How large the network of a cohort is.

    parameters:       trained numbers
    flops_per_token:  floating-point operations of a forward pass over one sequence, for each of its tokens;
                      None where they cannot be counted
    device:           what it would be trained on, in words
    """

    parameters: int
    flops_per_token: float | None
    device: str


class Saved(Protocol):
    """The last checkpoint of each run in training; `runs.Checkpoints` keeps them on disk."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Put `checkpoint` in the place of the run's last one."""
        ...

    def load(self, spec: RunSpec, on_unreadable: Callable[[str], None]) -> Checkpoint | None:
        """The run of `spec` where it was last saved, or None where it starts anew."""
        ...


class Runs(Protocol):
    """The runs that a backend may train; `runs.SharedRuns` shares the runs of a store with others."""

    @property
    def checkpoints(self) -> Saved:
        """Where runs in training are saved."""
        ...

    def take(self, spec: RunSpec) -> bool:
        """Whether this process is to train `spec`."""
        ...

    def give_back(self, spec: RunSpec) -> None:
        """Let others train a run that was taken and is not finished here."""
        ...


class Group(Protocol):
    """Runs that are handed to a trainer at once."""

    @property
    def specs(self) -> Sequence[RunSpec]:
        """All of them, stored or not."""
        ...


class Cohort(Group, Protocol):
    """Runs that a backend trains together, because they share what fixes shapes."""

    @property
    def static(self) -> Mapping[str, Value]:
        """What all of its runs share because it fixes shapes, by name."""
        ...

    @property
    def context_length(self) -> int:
        """Tokens of a sequence, L."""
        ...

    @property
    def batch_size(self) -> int:
        """Sequences of a step, B."""
        ...


def static_of(
    generator: Generator, mixer_settings: Settings, network: NetworkSpec, batch_size: int, map_bias: bool
) -> dict[str, Value]:
    """What fixes the shapes of a cohort, by name; see `Cohort.static`."""
    assert is_dataclass(generator)
    return {
        **{field.name: getattr(generator, field.name) for field in fields(generator)},
        **dict(mixer_settings),
        **asdict(network),
        "batch_size": batch_size,
        "map_bias": map_bias,
    }


GroupKind = TypeVar("GroupKind", bound=Group)
CohortKind = TypeVar("CohortKind", bound=Cohort)


class Trains(Protocol[GroupKind]):
    """What trains networks, here or elsewhere. The runner knows no other face of it."""

    @property
    def known_mixers(self) -> KnownMixers:
        """The mixers that it can train, each with its settings and their defaults."""
        ...

    def cohorts(self, specs: Sequence[RunSpec]) -> list[GroupKind]:
        """`specs` grouped by what they share, in order of first appearance.

        Errors: AttnsearchError for a specification that it cannot train.
        """
        ...

    def train(
        self,
        cohort: GroupKind,
        pending: Sequence[RunSpec],
        runs: Runs,
        observer: Observer,
        settings: TrainingSettings,
    ) -> Iterator[Ended]:
        """Train the `pending` runs of `cohort` that it can take from `runs`, and give each as it ends.

        A run that another process holds is left out. Whatever goes wrong, a run that was taken and has not
        ended is given back. Errors: AttnsearchError where a run cannot be trained on this machine;
        KeyboardInterrupt when `observer` wants to stop, with every run in training checkpointed.
        """
        ...


class Backend(Trains[CohortKind], Protocol[CohortKind]):
    """A framework in which networks are trained, on this machine."""

    def rate(self, cohort: CohortKind, pending: Sequence[RunSpec], seconds: float) -> Rate:
        """What the `pending` runs of `cohort` would take: trained for about `seconds`, for nothing."""
        ...

    def size(self, cohort: CohortKind) -> Size:
        """How large the network of `cohort` is."""
        ...
