"""Trains what is not stored yet, and stores each run as it ends: every cohort, alone or with others.

The one bridge between the jax side and the numpy side.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from attnsearch.base import AttnsearchError
from attnsearch.runs.ledger import Ledger
from attnsearch.runs.parameters import require_safetensors
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import RunSpec
from attnsearch.training.jax.calibration import lanes_that_pay
from attnsearch.training.jax.cohorts import Cohort, Registries, cohorts
from attnsearch.training.jax.engine import Ended, Engine, EngineSettings, OutOfDeviceMemory
from attnsearch.training.jax.trainer import Trainer
from attnsearch.training.observer import Observer

POLLING_INTERVAL = 0.5
"""Seconds between two looks at runs that another process is training."""


def run(
    specs: Sequence[RunSpec],
    store: Store,
    registries: Registries | None = None,
    observer: Observer | None = None,
    settings: EngineSettings | None = None,
) -> list[StoredRun]:
    """Train every run of `specs` that `store` does not hold, and return all of them in order.

    Each run is stored as soon as it ends, and checkpointed while it trains, so that the same call after
    an interruption goes on where it was. Several processes may work on one store: they share the runs.
    Errors: AttnsearchError, before anything is trained, if a specification cannot be met, and when a run
    cannot be stored; KeyboardInterrupt when `observer` wants to stop.
    """
    observer, settings = observer or Observer(), settings or EngineSettings()
    if settings.save_parameters:
        require_safetensors()
    planned = cohorts(specs, registries or Registries())
    ledger = Ledger(store, observer.warned, settings.save_parameters)
    done = {spec: found for spec in specs if (found := ledger.find(spec)) is not None}
    if ledger.incomplete:
        observer.warned(
            f"{len(ledger.incomplete)} of {len(specs)} runs are stored without their parameters: they are"
            " trained again to the same end, and stay as they are stored"
        )
    observer.planned([spec for spec in specs if spec not in done], list(done.values()))
    # Once for each cohort: finding out may compile, and what is held elsewhere is asked for again and again.
    lanes: dict[Trainer, int] = {}
    while True:
        held: list[RunSpec] = []
        progressed = False
        for cohort in planned:
            pending = tuple(spec for spec in cohort.specs if spec not in done)
            if not pending:
                continue
            missing = replace(cohort, specs=pending)
            if cohort.trainer not in lanes:
                lanes[cohort.trainer] = settings.lanes or lanes_that_pay(missing)
            for ended in _train(missing, lanes, ledger, observer, settings, held):
                stored = ledger.finish(ended.run, ended.parameters)
                done[stored.spec] = stored
                observer.finished(stored)
                progressed = True
        # What was held may have been stored by its holder, or its holder may have been killed.
        for spec in held:
            found = ledger.find(spec)
            if found is not None:
                done[spec] = found
                observer.finished(found)
                progressed = True
        left = [spec for spec in specs if spec not in done]
        if not left:
            return [done[spec] for spec in specs]
        if observer.wants_to_stop():
            raise KeyboardInterrupt
        if not progressed:
            observer.waiting(left)
            time.sleep(POLLING_INTERVAL)


def _train(
    cohort: Cohort,
    lanes: dict[Trainer, int],
    ledger: Ledger,
    observer: Observer,
    settings: EngineSettings,
    held: list[RunSpec],
) -> Iterator[Ended]:
    """Every run of `cohort` that is free, in `lanes` of each device, or fewer where memory is short, which
    is then noted there; what is not free is added to `held`."""
    left = dict.fromkeys(cohort.specs)
    while left:
        count = lanes[cohort.trainer]
        engine = Engine(replace(cohort, specs=tuple(left)), ledger, observer, settings, count)
        try:
            for ended in engine.run():
                del left[ended.run.spec]
                yield ended
        except OutOfDeviceMemory as error:
            if count == 1:
                raise AttnsearchError(
                    "the device has not enough memory for one run: use a smaller network or --tokens-per-step"
                ) from error
            observer.warned(f"{count} lanes do not fit into the device's memory: going on with {count // 2}")
            lanes[cohort.trainer] = count // 2
        else:
            held += engine.held
            return
