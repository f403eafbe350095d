"""The Ray backend: a sweep in shards, each trained by a worker of a cluster as it would be on one machine."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from attnsearch.base import AttnsearchError
from attnsearch.runs.checkpoints import Checkpoint
from attnsearch.runs.recorder import Recording
from attnsearch.spec.grid import KnownMixers
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import Cohort, Ended, Runs, TrainingSettings, Trains
from attnsearch.training.observer import ClusterWorker, Observer, Shards
from attnsearch.training.ray.cluster import Cluster, Failed, Over, Stream
from attnsearch.training.ray.messages import At, Message, Saved, Warned
from attnsearch.training.ray.settings import ClusterSettings
from attnsearch.training.ray.shards import ATTEMPTS, GivenUp, Plan, Shard, checkpoint_every

SENT_AHEAD = 2
"""Shards that are sent for each worker that there is room for. What waits makes a cluster grow that can."""

LANES_OF_A_GPU = 32
"""Runs that a shard should have for each GPU where the worker finds out how many it trains at once."""

TOLD_EVERY = 1.0
"""Seconds between two looks at the cluster."""


@dataclass(frozen=True)
class Cohorts:
    """All cohorts of a sweep: a cluster trains them at once."""

    members: Sequence[Cohort]

    @property
    def specs(self) -> Sequence[RunSpec]:
        """All runs, stored or not, cohort by cohort."""
        return [spec for cohort in self.members for spec in cohort.specs]


class RayBackend:
    """Trains on a Ray cluster; a `training.Trains`.

    inner:      groups runs into cohorts, and knows the mixers
    on_worker:  what trains in a process that may use so many cores; a function that workers can import
    settings:   which cluster, and what a worker asks for

    The cluster is asked for when the first run is trained. What a run is does not depend on its worker.
    """

    def __init__(
        self, inner: Trains[Any], on_worker: Callable[[int], Trains[Any]], settings: ClusterSettings
    ):
        self._inner, self._on_worker, self._settings = inner, on_worker, settings

    @property
    def known_mixers(self) -> KnownMixers:
        """Each mixer's settings with their defaults."""
        return self._inner.known_mixers

    def cohorts(self, specs: Sequence[RunSpec]) -> list[Cohorts]:
        """`specs` as one group of cohorts. Errors: AttnsearchError for one that cannot be trained."""
        return [Cohorts(self._inner.cohorts(specs))]

    def train(
        self,
        cohort: Cohorts,
        pending: Sequence[RunSpec],
        runs: Runs,
        observer: Observer,
        settings: TrainingSettings,
    ) -> Iterator[Ended]:
        """The `pending` runs that are free, each as it comes back from the cluster.

        A shard that fails is sent again, with the last checkpoints that came back from it. Errors:
        AttnsearchError, once all others have ended, where shards failed too often; KeyboardInterrupt when
        `observer` wants to stop: what was trained since the last checkpoints is lost.
        """
        wanted = set(pending)
        cohorts = [[spec for spec in member.specs if spec in wanted] for member in cohort.members]
        plan = Plan(cohorts, self._smallest(settings))
        yield from _Sweep(plan, self._cluster, self._on_worker, runs, observer, settings).run()
        if plan.given_up:
            raise AttnsearchError(_told(plan.given_up))

    @cached_property
    def _cluster(self) -> Cluster:
        return Cluster(self._settings)

    def _smallest(self, settings: TrainingSettings) -> int:
        asked = self._cluster.settings
        if asked.worker_gpus:
            return asked.worker_gpus * (settings.lanes or LANES_OF_A_GPU)
        return asked.worker_cpus * (settings.lanes or 1)


@dataclass
class _Sent:
    """A shard on the cluster, and what is known of it."""

    shard: Shard
    at: At | None = None
    ended: set[RunSpec] = field(default_factory=set)
    further: bool = False


class _Sweep:
    """The shards of a sweep on their way to the cluster, and what comes back."""

    def __init__(
        self,
        plan: Plan,
        cluster: Cluster,
        on_worker: Callable[[int], Trains[Any]],
        runs: Runs,
        observer: Observer,
        settings: TrainingSettings,
    ):
        self._plan, self._cluster, self._on_worker = plan, cluster, on_worker
        self._runs, self._observer, self._settings = runs, observer, settings
        self._sent: dict[Stream, _Sent] = {}
        self._taken: set[RunSpec] = set()
        self._furthest: dict[RunSpec, int] = {}
        self._ended = 0
        self._slots, self._lanes = 1, 1
        self._looked, self._crowded = float("-inf"), False

    def run(self) -> Iterator[Ended]:
        """Every run that no other process holds, as it comes back."""
        try:
            while self._send() or self._sent:
                for stream, message in self._cluster.received(list(self._sent), TOLD_EVERY):
                    if isinstance(message, Ended):
                        self._note_end(self._sent[stream], message.run.spec)
                        # A short run ends before a checkpoint of it has come.
                        self._observer.begun(Recording.of(message.run))
                        yield message
                    else:
                        self._take_in(stream, message)
                if self._observer.wants_to_stop():
                    raise KeyboardInterrupt
        finally:
            for spec in self._taken:
                self._runs.give_back(spec)
            for stream in self._sent:
                self._cluster.cancel(stream)

    def _send(self) -> bool:
        """Send what there is room for; whether anything was sent."""
        self._look()
        before = len(self._sent)
        while len(self._sent) < SENT_AHEAD * self._slots:
            shard = self._plan.next(self._slots)
            if shard is None:
                break
            mine = tuple(spec for spec in shard.specs if spec in self._taken or self._runs.take(spec))
            if not mine:
                continue
            self._taken.update(mine)
            saved = [self._runs.checkpoints.load(spec, self._observer.warned) for spec in mine]
            checkpoints = [pickle.dumps(checkpoint) for checkpoint in saved if checkpoint is not None]
            seconds = checkpoint_every(self._settings.checkpoint_every, self._lanes)
            settings = replace(self._settings, checkpoint_every=seconds)
            stream = self._cluster.send(mine, checkpoints, self._on_worker, settings)
            self._sent[stream] = _Sent(Shard(mine, shard.failures))
        return len(self._sent) > before

    def _look(self) -> None:
        """Now and then, see how large the cluster is, and tell what it does."""
        if time.monotonic() - self._looked < TOLD_EVERY:
            return
        self._looked = time.monotonic()
        room = self._cluster.room
        if not (room or self._crowded):
            asked = self._cluster.settings
            self._crowded = True
            self._observer.warned(
                f"the cluster has no room for a worker of {asked.worker_cpus} CPUs and"
                f" {asked.worker_gpus} GPUs: the sweep waits until it has"
            )
        self._slots = max(1, room)
        seen = [sent.at for sent in self._sent.values() if sent.at]
        self._lanes = max(self._slots, sum(at.num_lanes for at in seen))
        workers = [
            ClusterWorker(at.name, at.num_lanes, sum(run.steps_per_second for run in at.running))
            for at in seen
        ]
        shards = Shards(self._ended, len(self._sent), len(self._plan.given_up))
        self._observer.spread(workers, shards)
        if seen:
            running = [run for at in seen for run in at.running]
            self._observer.advanced(running, sum(at.num_lanes for at in seen))

    def _note_end(self, sent: _Sent, spec: RunSpec) -> None:
        sent.ended.add(spec)
        sent.further = True
        if sent.at:
            running = tuple(run for run in sent.at.running if run.spec != spec)
            sent.at = sent.at._replace(running=running)

    def _take_in(self, stream: Stream, message: Message | Failed | Over) -> None:
        sent = self._sent[stream]
        match message:
            case At():
                sent.at = message
            case Saved():
                self._save(sent, pickle.loads(message.checkpoint))
            case Warned():
                self._observer.warned(message.text)
            case Failed():
                del self._sent[stream]
                again = self._plan.failed(sent.shard, sent.ended, sent.further, message.reason)
                left = len(sent.shard.specs) - len(sent.ended)
                then = "it is sent again" if again else "it is given up"
                self._observer.warned(f"a shard with {left} runs left has failed: {message.reason}; {then}")
            case Over():
                del self._sent[stream]
                self._ended += 1

    def _save(self, sent: _Sent, checkpoint: Checkpoint) -> None:
        recording = checkpoint.recording
        # A shard that fails at the same step again and again gets no further.
        if recording.step > self._furthest.get(recording.spec, 0):
            self._furthest[recording.spec] = recording.step
            sent.further = True
        self._runs.checkpoints.save(checkpoint)
        self._observer.begun(recording)


def _told(given_up: Sequence[GivenUp]) -> str:
    runs = sum(len(one.shard.specs) for one in given_up)
    reasons = dict.fromkeys(one.reason for one in given_up)
    return (
        f"cannot train {runs} of the runs, whose shards have failed {ATTEMPTS} times: {'; '.join(reasons)}."
        " All others are stored; put that right, then give the same command again"
    )
