"""What trains runs: the settings it is given, what it gives back, and the protocol that it fulfils."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from attnsearch.base import Floats
from attnsearch.runs.claims import SharedRuns
from attnsearch.runs.store import StoredRun
from attnsearch.spec.grid import KnownMixers
from attnsearch.spec.run import RunSpec
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


class Cohort(Protocol):
    """Runs that a backend trains together, because they share what it compiles."""

    @property
    def specs(self) -> Sequence[RunSpec]:
        """All of them, stored or not."""
        ...


CohortKind = TypeVar("CohortKind", bound=Cohort)


class Backend(Protocol[CohortKind]):
    """A framework in which networks are trained. The runner knows no other face of it."""

    @property
    def known_mixers(self) -> KnownMixers:
        """The mixers that it can train, each with its settings and their defaults."""
        ...

    def cohorts(self, specs: Sequence[RunSpec]) -> list[CohortKind]:
        """`specs` grouped by what they share, in order of first appearance.

        Errors: AttnsearchError for a specification that it cannot train.
        """
        ...

    def train(
        self,
        cohort: CohortKind,
        pending: Sequence[RunSpec],
        runs: SharedRuns,
        observer: Observer,
        settings: TrainingSettings,
    ) -> Iterator[Ended]:
        """Train the `pending` runs of `cohort` that it can take from `runs`, and give each as it ends.

        A run that another process holds is left out. Whatever goes wrong, a run that was taken and has not
        ended is given back. Errors: AttnsearchError where a run cannot be trained on this machine;
        KeyboardInterrupt when `observer` wants to stop, with every run in training checkpointed.
        """
        ...
