"""The only module that speaks to Ray: where it is, what it has room for, shards to it, messages from it."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayError, RayTaskError

from attnsearch import files
from attnsearch.base import AttnsearchError
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import TrainingSettings, Trains
from attnsearch.training.ray.messages import Message, unpacked
from attnsearch.training.ray.settings import ClusterSettings
from attnsearch.training.ray.worker import trained

Stream = Any
"""What Ray gives back for a task that yields: `ray.ObjectRefGenerator`."""


class Failed(NamedTuple):
    """A task has failed; nothing more comes from it."""

    reason: str


class Over(NamedTuple):
    """A task has ended as it should."""


class Cluster:
    """The connection of this process to Ray: the one that it has, else a new one. It ends with the process.

    Errors: AttnsearchError where the cluster cannot be reached.
    """

    def __init__(self, settings: ClusterSettings):
        if not ray.is_initialized():
            # Of a Ray that is started here: it tells nobody.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            try:
                with without_warning_of_forks():
                    ray.init(
                        settings.address,
                        include_dashboard=False,
                        log_to_driver=False,
                        logging_level=logging.WARNING,
                    )
            except (ConnectionError, OSError, RuntimeError, ValueError) as error:
                place = settings.address or os.environ.get("RAY_ADDRESS") or "on this machine"
                raise AttnsearchError(
                    f"cannot reach a Ray cluster {place}: {files.reason(error)}; give the --address that"
                    " `ray start --head` has told"
                ) from error
        gpus = settings.worker_gpus
        if gpus is None:
            gpus = 1 if ray.cluster_resources().get("GPU", 0) >= 1 else 0
        self.settings = replace(settings, worker_gpus=gpus)
        # Not Ray's own retries: these repeat a task with what it was given first, and from its first message.
        self._trained = ray.remote(
            max_retries=0, num_cpus=settings.worker_cpus, num_gpus=gpus, num_returns="streaming"
        )(trained)

    @property
    def room(self) -> int:
        """Workers that the cluster has room for now. It may grow."""
        there, asked = ray.cluster_resources(), self.settings
        room = [there.get("CPU", 0) / asked.worker_cpus]
        if asked.worker_gpus:
            room.append(there.get("GPU", 0) / asked.worker_gpus)
        return int(min(room))

    def send(
        self,
        specs: Sequence[RunSpec],
        checkpoints: Sequence[bytes],
        on_worker: Callable[[int], Trains[Any]],
        settings: TrainingSettings,
    ) -> Stream:
        """Let a worker train `specs`; see `worker.trained`."""
        return self._trained.remote(specs, checkpoints, on_worker, self.settings.worker_cpus, settings)

    def received(
        self, streams: Sequence[Stream], seconds: float
    ) -> list[tuple[Stream, Message | Failed | Over]]:
        """The next message of each stream that has one, once there is any, or after so many seconds."""
        ray.wait(list(streams), num_returns=1, timeout=seconds)
        ready, _ = ray.wait(list(streams), num_returns=len(streams), timeout=0)
        return [(stream, _next(stream)) for stream in ready]

    def cancel(self, stream: Stream) -> None:
        """End a task, whatever it does."""
        ray.cancel(stream, force=True)


@contextmanager
def without_warning_of_forks() -> Iterator[None]:
    """Around what starts programs of Ray: jax warns of forks, which do no harm where a program follows."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "os.fork")
        yield


def _next(stream: Stream) -> Message | Failed | Over:
    try:
        content: Any = ray.get(next(stream))
        return unpacked(content)
    except StopIteration:
        return Over()
    except RayTaskError as error:
        cause = error.cause
        return Failed(files.reason(cause) if isinstance(cause, Exception) else files.reason(error))
    except RayError as error:
        return Failed(files.reason(error))
