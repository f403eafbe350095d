"""MLflow: a run of it for each run, in one experiment; without a server, in a file of SQLite."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from attnsearch.spec.names import written
from attnsearch.training.tracking.tracker import Ending, Entry, Subject

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MOST_METRICS, _MOST_PARAMETERS = 1000, 100
"""That MLflow takes at once."""

_STATUSES = {"diverged": "FAILED", "interrupted": "KILLED"}


class MLflow:
    """`Tracker` for `mlflow ui --backend-store-uri sqlite:///<folder>/mlflow/mlflow.db`.

    It writes there, and pictures beside it, unless the user's environment names another place.
    """

    name = "mlflow"

    def __init__(self, folder: Path):
        import alembic  # noqa: F401
        import mlflow  # noqa: F401
        import PIL  # noqa: F401

        self._folder = (folder / "mlflow").resolve()

    def begin(self, subject: Subject) -> _Run:
        from mlflow.entities import Param

        # A process that was killed leaves its runs as if they went on.
        digest = subject.spec.digest
        left = (
            f"tags.digest = '{digest}' and tags.folder = '{self._folder}' and attributes.status = 'RUNNING'"
        )
        for abandoned in self._client.search_runs([self._experiment], left):
            self._client.set_terminated(abandoned.info.run_id, _STATUSES["interrupted"])
        task, mixer = subject.tags
        tags = {"task": task, "mixer": mixer, "cell": subject.cell, "digest": digest}
        tags |= {"folder": str(self._folder), "mlflow.note.content": subject.command}
        run = self._client.create_run(self._experiment, tags=tags, run_name=subject.name).info.run_id
        settings = [Param(name, written(value, 17)) for name, value in subject.settings.items()]
        for first in range(0, len(settings), _MOST_PARAMETERS):
            self._client.log_batch(run, params=settings[first : first + _MOST_PARAMETERS])
        return _Run(self._client, run)

    @cached_property
    def _client(self) -> MlflowClient:
        from mlflow import MlflowClient

        if "MLFLOW_TRACKING_URI" in os.environ:
            return MlflowClient()
        # They tell of every table that is made.
        for talkative in ("alembic", "mlflow.store.db.utils"):
            logging.getLogger(talkative).setLevel(logging.WARNING)
        self._folder.mkdir(parents=True, exist_ok=True)
        return MlflowClient(f"sqlite:///{self._folder / 'mlflow.db'}")

    @cached_property
    def _experiment(self) -> str:
        if chosen := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return chosen
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "attnsearch")
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return found.experiment_id
        own = "MLFLOW_TRACKING_URI" not in os.environ
        return self._client.create_experiment(name, (self._folder / "artifacts").as_uri() if own else None)


class _Run:
    """`Journal` of one run."""

    def __init__(self, client: MlflowClient, run: str):
        self._client, self._run = client, run

    def write(self, entries: Sequence[Entry]) -> None:
        from mlflow.entities import Metric
        from PIL import Image as pillow

        now = int(1000 * time.time())
        metrics = [
            Metric(name, value, now, entry.step) for entry in entries for name, value in entry.values.items()
        ]
        for first in range(0, len(metrics), _MOST_METRICS):
            self._client.log_batch(self._run, metrics=metrics[first : first + _MOST_METRICS])
        for entry in entries:
            for name, image in entry.images.items():
                self._client.log_image(self._run, pillow.fromarray(image), key=name, step=entry.step)

    def end(self, ending: Ending) -> None:
        self.write([Entry(ending.step, ending.measures, {})])
        self._client.set_tag(self._run, "status", ending.status)
        self._client.set_terminated(self._run, _STATUSES.get(ending.status, "FINISHED"))
