"""Trains what is not stored yet, and stores each run as it ends: every cohort, alone or with others."""

from __future__ import annotations

import time
from collections.abc import Sequence

from attnsearch.runs.claims import SharedRuns
from attnsearch.runs.index import WORTHWHILE
from attnsearch.runs.parameters import require_safetensors
from attnsearch.runs.plans import planning
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import GroupKind, TrainingSettings, Trains
from attnsearch.training.observer import Observer

POLLING_INTERVAL = 0.5
"""Seconds between two looks at runs that another process is training."""


def run(
    specs: Sequence[RunSpec],
    store: Store,
    backend: Trains[GroupKind],
    observer: Observer | None = None,
    settings: TrainingSettings | None = None,
) -> list[StoredRun]:
    """Train every run of `specs` that `store` does not hold, and return all of them in order.

    Each run is stored as soon as it ends, and checkpointed while it trains, so that the same call after
    an interruption goes on where it was. Several processes may work on one store: they share the runs.
    Arrays of trained runs are in memory; of `WORTHWHILE` runs or more, they are read when they are asked for.
    Errors: AttnsearchError, before anything is trained, if a specification cannot be met, and when a run
    cannot be stored; KeyboardInterrupt when `observer` wants to stop.
    """
    observer, settings = observer or Observer(), settings or TrainingSettings()
    if settings.save_parameters:
        require_safetensors()
    planned = backend.cohorts(specs)
    runs = SharedRuns(store, observer.warned, settings.save_parameters)
    done = runs.find_all(specs)
    if runs.incomplete:
        observer.warned(
            f"{len(runs.incomplete)} of {len(specs)} runs are stored without their parameters: they are"
            " trained again to the same end, and stay as they are stored"
        )
    pending = [spec for spec in specs if spec not in done]
    observer.planned(pending, list(done.values()))
    with planning(store.root, pending):
        while True:
            before = len(done)
            for cohort in planned:
                pending = [spec for spec in cohort.specs if spec not in done]
                if not pending:
                    continue
                for ended in backend.train(cohort, pending, runs, observer, settings):
                    stored = runs.finish(ended.run, ended.parameters)
                    # The arrays of all runs of a large sweep would not fit into memory together.
                    large = len(specs) >= WORTHWHILE
                    done[stored.spec] = runs.without_arrays(stored) if large else stored
                    observer.finished(stored)
            # What another process held may be stored by now, or its holder may have been killed.
            left = [spec for spec in specs if spec not in done]
            for spec in left:
                found = runs.find(spec)
                if found is not None:
                    done[spec] = found
                    observer.finished(found)
            left = [spec for spec in specs if spec not in done]
            if not left:
                return [done[spec] for spec in specs]
            if observer.wants_to_stop():
                raise KeyboardInterrupt
            if len(done) == before:
                observer.waiting(left)
                time.sleep(POLLING_INTERVAL)
