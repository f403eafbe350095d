"""What happens on a worker: it trains one shard, and tells what comes of it. Knows nothing of Ray."""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from queue import SimpleQueue
from threading import Event
from typing import Any

from attnsearch.runs.checkpoints import Checkpoint
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import TrainingSettings, Trains
from attnsearch.training.observer import Observer, Progress
from attnsearch.training.ray.messages import At, Message, Saved, Warned, packed

TOLD_EVERY = 1.0
"""Seconds between two messages about runs that go on."""

Send = Callable[[Message], None]


def trained(
    specs: Sequence[RunSpec],
    checkpoints: Sequence[bytes],
    on_worker: Callable[[int], Trains[Any]],
    cores: int,
    settings: TrainingSettings,
) -> Generator[bytes, None, None]:
    """Train `specs`, those with `checkpoints` from there on; packed messages.

    on_worker:  what trains in a process that may use so many `cores`

    It trains in a thread of its own, so that messages leave while it trains. Errors: what training raises.
    """
    messages: SimpleQueue[Message | None] = SimpleQueue()
    stop = Event()

    def train() -> None:
        try:
            _train(specs, checkpoints, _backend(on_worker, cores), settings, messages.put, stop)
        finally:
            messages.put(None)

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(train)
        try:
            while (message := messages.get()) is not None:
                yield packed(message)
        finally:
            # Where nobody listens any more, it ends at the next recorded point.
            stop.set()
        ended.result()


@cache
def _backend(on_worker: Callable[[int], Trains[Any]], cores: int) -> Trains[Any]:
    """One for all shards that this process trains, for it keeps what it has compiled."""
    return on_worker(cores)


def _train(
    specs: Sequence[RunSpec],
    checkpoints: Sequence[bytes],
    backend: Trains[Any],
    settings: TrainingSettings,
    send: Send,
    stop: Event,
) -> None:
    observer, runs = _Teller(send, stop), _ShardRuns(checkpoints, send)
    # A worker that nobody needs any more has nothing to say of that.
    with suppress(KeyboardInterrupt):
        for cohort in backend.cohorts(specs):
            for ended in backend.train(cohort, cohort.specs, runs, observer, settings):
                runs.checkpoints.forget(ended.run.spec)
                send(ended)


class _Teller(Observer):
    """Tells the sender what training tells here."""

    def __init__(self, send: Send, stop: Event):
        self._send, self._stop = send, stop
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._told = float("-inf")

    def advanced(self, running: Sequence[Progress], num_lanes: int) -> None:
        if time.monotonic() - self._told >= TOLD_EVERY:
            self._told = time.monotonic()
            self._send(At(self._name, tuple(running), num_lanes))

    def warned(self, message: str) -> None:
        self._send(Warned(message))

    def wants_to_stop(self) -> bool:
        return self._stop.is_set()


class _ShardRuns:
    """The runs of a shard: all of them are this worker's, for the sender has claimed them."""

    def __init__(self, checkpoints: Sequence[bytes], send: Send):
        self.checkpoints = _SentCheckpoints(checkpoints, send)

    def take(self, spec: RunSpec) -> bool:
        return True

    def give_back(self, spec: RunSpec) -> None:
        pass


class _SentCheckpoints:
    """Checkpoints in memory; each new one is sent. They are pickled, for a recording goes on growing."""

    def __init__(self, checkpoints: Sequence[bytes], send: Send):
        self._send = send
        self._kept = {pickle.loads(content).recording.spec: content for content in checkpoints}

    def save(self, checkpoint: Checkpoint) -> None:
        content = self._kept[checkpoint.recording.spec] = pickle.dumps(checkpoint)
        self._send(Saved(content))

    def load(self, spec: RunSpec, on_unreadable: Callable[[str], None]) -> Checkpoint | None:
        content = self._kept.get(spec)
        return None if content is None else pickle.loads(content)

    def forget(self, spec: RunSpec) -> None:
        """Of a run that has ended."""
        self._kept.pop(spec, None)
