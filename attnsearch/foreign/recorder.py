"""Records a training loop that attnsearch does not run: it gives the batches, and takes the losses."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, AttnsearchError, Bools, Floats, Integers
from attnsearch.foreign.given import by_query, check_step, loss_and_accuracy, query_logits
from attnsearch.foreign.measuring import Logits, measured
from attnsearch.runs.checkpoints import Checkpoint
from attnsearch.runs.claims import SharedRuns
from attnsearch.runs.recorder import Recording, is_map_step
from attnsearch.runs.store import Status, Store, StoredRun
from attnsearch.sequences.sequences import Sequences
from attnsearch.spec.foreign import foreign_run
from attnsearch.spec.reading import placed
from attnsearch.spec.run import RunSpec, Value
from attnsearch.spec.task_file import TaskFile, find_task
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.devices import describe

KEPT_EVERY = 30.0
"""Seconds between two times at which what was recorded so far is written to the disk."""

NOTHING: Mapping[str, Value] = MappingProxyType({})

_FRAMEWORKS = ("torch", "tensorflow", "mlx")
"""Their versions are noted where a loop has imported them; the versions of jax and flax always are."""


class Batch(NamedTuple):
    """The sequences of one step: `tokens`, `i32[B, L]`, and the answers that are right, `i32[B, Q]`."""

    tokens: Integers
    answers: Integers


class Recorder:
    """One run, trained by your loop: `batches` gives what it trains on, and `record` takes what it lost.

    task:      a task by name, or the path of a task file
    name:      what is trained; the mixer of the run is called `foreign:<name>`
    seed:      of the data; rule_seed: of the hidden rule, the same unless given
    out:       the folder that keeps the run
    settings:  knobs of the task, and settings of every run: `steps`, `tokens_per_step`, `early_stopping`.
               `width`, `num_layers`, `mlp_width`, `positions`, `learning_rate`, `weight_decay` and
               `warmup_steps` are told of your network and optimizer; what is not told stays unknown
    about:     whatever else tells this network from others of its name
    backend:   knows the generators of tasks; `JaxBackend()` unless given

    The batches are those that a run of attnsearch with this task and seed sees, in the same order. The run
    ends as any other: when it has mastered every target, has diverged, or has used up its budget.

    Use it as a context manager: at the end of the block a run that has ended is stored. Of any other, what
    was recorded is kept, and `resume` goes on with it. A run that is stored already has no batches left, and
    `finish` returns it.

    Errors: AttnsearchError for settings that are unknown or out of range, where nothing can be stored in
    `out`, and where another process records this very run.
    """

    def __init__(
        self,
        task: str | Path | TaskFile,
        name: str,
        *,
        seed: int = 0,
        rule_seed: int | None = None,
        out: str | os.PathLike[str] = "results",
        settings: Mapping[str, Value] = NOTHING,
        about: Mapping[str, Value] = NOTHING,
        backend: JaxBackend | None = None,
    ):
        file = task if isinstance(task, TaskFile) else find_task(str(task))
        self.spec: RunSpec = foreign_run(file, name, settings, about, seed, rule_seed)
        self._generator = (backend or JaxBackend()).generator(self.spec.cell.task)
        self._sequences = Sequences.of(self._generator, self.spec)
        names = self._generator.route_names
        self._recording = Recording(self.spec, self._sequences.truth(), names)
        self._runs = SharedRuns(Store.open(Path(out)), _warned)
        self._stored = self._runs.find(self.spec)
        self._interval: list[tuple[Floats, Floats]] = []
        self._batch: Batch | None = None
        self._logits: Logits | None = None
        self._map_is_due = True
        self._closed = self._finished = False
        self._kept = time.monotonic()
        if self._stored is None and not self._runs.take(self.spec):
            raise AttnsearchError(
                f"run {self._digest} is being recorded in {out}, by another process or by a Recorder that was"
                " not left: use each in a with block, or give another seed, name or folder"
            )

    @property
    def vocab_size(self) -> int:
        """V: number of token values."""
        return self._generator.vocab_size

    @property
    def context_length(self) -> int:
        """L: tokens of a sequence."""
        return self._generator.context_length

    @property
    def query_positions(self) -> Integers:
        """`i32[Q]`: the positions whose logits give the answers."""
        return self._generator.query_positions

    @property
    def is_target(self) -> Bools:
        """`bool[Q]`: which queries are targets; the others cannot be predicted."""
        return self._generator.is_target

    @property
    def step(self) -> int:
        """Steps recorded so far."""
        return self._recording.step + len(self._interval)

    @property
    def status(self) -> Status | None:
        """How the run ended; None while it trains."""
        return self._recording.status if self._stored is None else self._stored.status

    def resume(self, step: int) -> None:
        """Go on at `step` with what was recorded of this run before, and forget what came after.

        Your network and optimizer must be as they were at `step`; nobody else has them. Errors:
        AttnsearchError where that many steps were not recorded, or batches were drawn already.
        """
        if self._stored is not None:
            return
        if self.step or self._batch is not None:
            raise AttnsearchError("resume comes before the first batch")
        found = self._runs.checkpoints.load(self.spec, _warned)
        have = 0 if found is None else found.recording.step
        if found is None or step % RECORDING_INTERVAL or not 0 < step <= have:
            raise AttnsearchError(
                f"cannot go on at step {step}: {have:,} steps of run {self._digest} are recorded."
                f" Give a multiple of {RECORDING_INTERVAL} up to that, or begin without resume"
            )
        self._recording = found.recording.until(step)
        self._map_is_due = is_map_step(step) and step not in self._recording.map_steps

    def batches(self, logits: Logits | None = None) -> Iterator[Batch]:
        """What to train on, step by step, until the run has ended: tokens `i32[B, L]`, answers `i32[B, Q]`.

        logits:  the network as it is when it is called: from tokens `i32[B, L]`, an array of numpy, to logits
                 `f32[B, Q, V]` or `f32[B, L, V]`. With it, maps are measured before the step that follows

        Record each batch before you take the next one. Errors: AttnsearchError where that was not done, and
        for logits of another shape.
        """
        self._logits = logits
        while self.status is None:
            self._measure()
            tokens, answers = self._sequences.steps(self._recording.step, RECORDING_INTERVAL)
            for place in range(len(self._interval), RECORDING_INTERVAL):
                self._batch = Batch(tokens[place], answers[place])
                yield self._batch
                if self._batch is not None:
                    raise AttnsearchError(
                        f"step {self.step} was not recorded: call record or record_logits once for each batch"
                    )
                if self.status is not None:
                    break
        self._measure()

    def record(self, loss: Any, accuracy: Any = None) -> None:
        """Take in the step of the last batch.

        loss:      `f32[Q]` or `f32[B, Q]`: cross entropy of each query in nats, before the step's update
        accuracy:  the same shapes: share of answers that are right, or whether each is; unknown unless given

        Where no loss at all is finite, the run has diverged and ends. Errors: AttnsearchError, with nothing
        taken in, for a step that was recorded already, other shapes, losses of which some are not finite,
        and numbers that cannot be.
        """
        self._awaited()
        with placed(f"step {self.step}"):
            lost = by_query(self._sequences, "loss", loss)
            right = np.full_like(lost, np.nan)
            if accuracy is not None:
                right = by_query(self._sequences, "accuracy", accuracy)
            check_step(lost, right)
        self._batch = None
        self._interval.append((lost, right))
        if len(self._interval) == RECORDING_INTERVAL or not np.isfinite(lost).all():
            self._add_point()

    def record_logits(self, logits: Any) -> None:
        """Take in the step of the last batch by the logits of the network before the step's update,
        `f32[B, Q, V]` or `f32[B, L, V]`. Errors: as of `record`."""
        answers = self._awaited().answers
        with placed(f"step {self.step}"):
            found = query_logits(self._sequences, logits, len(answers))
        self.record(*loss_and_accuracy(found, answers))

    def finish(self) -> StoredRun:
        """Store the run, which has ended, and return it as `attnsearch.run` does.

        Errors: AttnsearchError where it has not ended, was finished before, or cannot be stored.
        """
        if self._finished:
            raise AttnsearchError(f"run {self._digest} is finished: finish comes once")
        if self._stored is None:
            if self.status is None:
                self._keep()
                raise AttnsearchError(
                    f"run {self._digest} is not finished: {self.step:,} of {self.spec.cell.budget.steps:,}"
                    " steps are recorded, and not every target is mastered. Train on, or give fewer steps;"
                    " what was recorded is kept"
                )
            self._measure()
            self._stored = self._runs.finish(self._recording.stored(_environment()))
        self._finished = True
        return self._stored

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        try:
            if self._stored is not None:
                return
            if self.status is None:
                self._keep()
                return
            if kind is not None:
                # The network may be what failed.
                self._map_is_due = False
            self.finish()
            self._finished = False
        finally:
            self._runs.give_back(self.spec)

    def _awaited(self) -> Batch:
        """The batch that waits to be recorded. Errors: AttnsearchError where there is none."""
        if self._closed:
            raise AttnsearchError(f"run {self._digest} is closed: record within the block of its Recorder")
        if self._batch is None:
            raise AttnsearchError(
                f"no batch waits to be recorded: {self.step} steps are recorded, each once. Take the next of"
                " batches"
            )
        return self._batch

    @property
    def _digest(self) -> str:
        return self.spec.digest[:12]

    def _add_point(self) -> None:
        loss, accuracy = (np.mean(part, axis=0) for part in zip(*self._interval, strict=True))
        self._interval.clear()
        self._map_is_due = self._recording.add(loss, accuracy)
        if self.status is None and time.monotonic() - self._kept >= KEPT_EVERY:
            self._keep()

    def _measure(self) -> None:
        """Measure the map where one is due. A network that has diverged has none."""
        if self._map_is_due and self._logits is not None and self.status != "diverged":
            self._recording.add_map(measured(self._sequences, self._logits, self._recording.step))
        self._map_is_due = False

    def _keep(self) -> None:
        """Write what was recorded so far to the disk, in points of `RECORDING_INTERVAL` steps."""
        self._kept = time.monotonic()
        if self._recording.step:
            self._runs.checkpoints.save(Checkpoint(self._recording, ()))


def _warned(message: str) -> None:
    warnings.warn(message, stacklevel=2)


def _environment() -> dict[str, Any]:
    """As of any run, with what is known of a loop that is not ours."""
    known = describe(1)
    loaded = {}
    for name in _FRAMEWORKS:
        # Some are installed under another name, which says their platform.
        with suppress(metadata.PackageNotFoundError):
            if name in sys.modules:
                loaded[name] = metadata.version(name)
    return {**known, "versions": {**known["versions"], **loaded}, "device": "unknown", "loop": "foreign"}
