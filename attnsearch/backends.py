"""The backends as one: a mixer's name says in which framework it is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnsearch.base import AttnsearchError
from attnsearch.generators.base import Generator
from attnsearch.mixers.base import Mixer
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec import plugins
from attnsearch.spec.grid import DEFAULT_SEEDS, FoundMixers, KnownMixers, grid
from attnsearch.spec.run import RunSpec, Value
from attnsearch.spec.task_file import TaskFile
from attnsearch.training import runner
from attnsearch.training.backend import Backend, Ended, Rate, Runs, Size, TrainingSettings, Trains
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.devices import use_every_core
from attnsearch.training.observer import Observer
from attnsearch.training.torch.names import PREFIX, TORCH_MIXERS

if TYPE_CHECKING:
    from attnsearch.training.ray.backend import RayBackend
    from attnsearch.training.ray.settings import ClusterSettings
    from attnsearch.training.torch.backend import TorchBackend


@dataclass(frozen=True, eq=False)
class Assigned:
    """A cohort of one framework, and the backend that trains it."""

    cohort: Any
    backend: Backend[Any]

    @property
    def specs(self) -> Sequence[RunSpec]:
        """All of its runs, stored or not."""
        return self.cohort.specs

    @property
    def static(self) -> Mapping[str, Value]:
        """What all of its runs share because it fixes shapes, by name."""
        return self.cohort.static

    @property
    def context_length(self) -> int:
        """Tokens of a sequence, L."""
        return self.cohort.context_length

    @property
    def batch_size(self) -> int:
        """Sequences of a step, B."""
        return self.cohort.batch_size


class Backends:
    """A `training.Backend` that hands `torch:...` mixers to the torch backend, and all others to jax.

    generators, mixers:  what specifications may name, as for `JaxBackend`
    torch_mixers:        classes in PyTorch by name, `torch:mine`, beside those that can be found; they are
                         trained in this process, one run at a time
    cores:               of this machine, how many mixers in PyTorch may use; all of them unless given

    torch is loaded when the first of its mixers is asked for.
    """

    def __init__(
        self,
        *,
        generators: Mapping[str, type[Generator]] | None = None,
        mixers: Mapping[str, type[Mixer]] | None = None,
        torch_mixers: Mapping[str, type] | None = None,
        cores: int | None = None,
    ):
        self.jax = JaxBackend(generators=generators, mixers=mixers)
        self._torch_mixers, self._cores = torch_mixers, cores

    @cached_property
    def torch(self) -> TorchBackend:
        """The torch backend. Errors: AttnsearchError where torch is not installed."""
        try:
            import_module("torch")
        except ImportError as error:
            raise AttnsearchError(
                f"mixers that are called {PREFIX}... need PyTorch: pip install 'attnsearch[torch]'"
            ) from error
        from attnsearch.training.torch.backend import TorchBackend

        return TorchBackend(self.jax.generator, self._torch_mixers, self._cores)

    @property
    def known_mixers(self) -> KnownMixers:
        """Each mixer's settings with their defaults. Lists the mixers in jax, and finds all others. It
        lists none in PyTorch, for torch takes seconds to load.

        Errors: AttnsearchError, when asked for a mixer that cannot be had.
        """
        return FoundMixers(self.jax.mixers, lambda name: self._of(name).known_mixers[name])

    def mixer(self, name: str) -> type:
        """The class of a mixer. Errors: AttnsearchError for one that cannot be had."""
        return self._of(name).mixer(name)

    def require_named(self, mixer: str) -> None:
        """Errors: AttnsearchError for a mixer of one's own: see `plugins.require_named`."""
        if mixer.removeprefix(PREFIX) not in TORCH_MIXERS:
            plugins.require_named(mixer, self.jax.mixers, Mixer)

    def cohorts(self, specs: Sequence[RunSpec]) -> list[Assigned]:
        """`specs` grouped by what fixes shapes: in order of first appearance, those in PyTorch last.

        Errors: AttnsearchError for a specification that cannot be trained.
        """
        in_torch = [spec for spec in specs if is_torch(spec.cell.mixer.name)]
        in_jax = [spec for spec in specs if not is_torch(spec.cell.mixer.name)]
        found = [Assigned(cohort, self.jax) for cohort in self.jax.cohorts(in_jax)]
        if in_torch:
            found += [Assigned(cohort, self.torch) for cohort in self.torch.cohorts(in_torch)]
        return found

    def train(
        self,
        cohort: Assigned,
        pending: Sequence[RunSpec],
        runs: Runs,
        observer: Observer,
        settings: TrainingSettings,
    ) -> Iterator[Ended]:
        """As the cohort's backend does it."""
        return cohort.backend.train(cohort.cohort, pending, runs, observer, settings)

    def rate(self, cohort: Assigned, pending: Sequence[RunSpec], seconds: float) -> Rate:
        """As the cohort's backend measures it."""
        return cohort.backend.rate(cohort.cohort, pending, seconds)

    def size(self, cohort: Assigned) -> Size:
        """As the cohort's backend counts."""
        return cohort.backend.size(cohort.cohort)

    def _of(self, mixer: str) -> JaxBackend | TorchBackend:
        """The backend that trains a mixer of this name."""
        return self.torch if is_torch(mixer) else self.jax


def is_torch(mixer: str) -> bool:
    """Whether a mixer of this name is written in PyTorch."""
    return mixer.startswith(PREFIX)


def on_cluster(settings: ClusterSettings) -> RayBackend:
    """What trains on a Ray cluster in place of `Backends`. Mixers of one's own are named as
    `package.module:Class`, and installed where the cluster trains.

    Errors: AttnsearchError where ray is not installed.
    """
    try:
        import_module("ray")
    except ImportError as error:
        raise AttnsearchError("training on a cluster needs Ray: pip install 'attnsearch[ray]'") from error
    from attnsearch.training.ray.backend import RayBackend

    return RayBackend(Backends(), on_worker, settings)


def on_worker(cores: int) -> Backends:
    """What trains on a worker of a cluster: a process that may use so many cores of its machine."""
    use_every_core(cores)
    return Backends(cores=cores)


def specify(
    tasks: Sequence[str | Path | TaskFile],
    mixers: Sequence[str],
    values: Mapping[str, Sequence[Value]],
    *,
    seeds: Iterable[int] = range(DEFAULT_SEEDS),
    rule_seed: int | None = None,
    backend: Backend[Any] | None = None,
) -> list[RunSpec]:
    """The runs of a grid (see `spec.grid.grid`) over mixers that `backend` knows."""
    known_mixers = (backend or Backends()).known_mixers
    return grid(tasks, mixers, values, known_mixers=known_mixers, seeds=seeds, rule_seed=rule_seed)


def run(
    specs: Sequence[RunSpec],
    store: Store,
    *,
    backend: Trains[Any] | None = None,
    observer: Observer | None = None,
    settings: TrainingSettings | None = None,
) -> list[StoredRun]:
    """Train the runs of `specs` that `store` does not hold; all in order, as `training.runner.run` has it."""
    return runner.run(specs, store, backend or Backends(), observer, settings)
