"""What MLflow's own client finds of runs that were tracked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.tracked import TWO, begun, track
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

from attnsearch.training.tracking.entries import subject_of
from attnsearch.training.tracking.to_mlflow import MLflow

# MLflow asks SQLAlchemy for something that newer versions advise against.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

MASTERED, DIVERGED = TWO


class Stored:
    """What is in one file of MLflow."""

    def __init__(self, out: Path):
        self.out = out
        self.client = MlflowClient(f"sqlite:///{out / 'tracking' / 'mlflow' / 'mlflow.db'}")

    def runs(self) -> list[Run]:
        """In the order in which they began."""
        experiment = self.client.get_experiment_by_name("attnsearch")
        assert experiment is not None
        found = self.client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
        return sorted(found, key=lambda run: int(run.data.params["seed"]))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    out = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as environment:
        for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
            environment.delenv(variable, raising=False)
        environment.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        track(MLflow(out / "tracking"))
        yield Stored(out)


def test_each_run_has_its_curves(stored: Stored) -> None:
    runs = stored.runs()
    assert len(runs) == 2
    for found, run in zip(runs, TWO, strict=True):
        for target in range(4):
            points = stored.client.get_metric_history(found.info.run_id, f"target_loss/{target}")
            assert [point.step for point in points] == run.curves.step.tolist()
            assert np.array_equal(
                [point.value for point in points], run.curves.loss[:, target], equal_nan=True
            )


def test_plateau_and_mastery_are_metrics(stored: Stored) -> None:
    runs = stored.runs()
    assert runs[0].data.metrics["plateau/length"] == MASTERED.measures.plateau_length
    assert [run.data.tags["status"] for run in runs] == ["mastered", "diverged"]
    assert [run.info.status for run in runs] == ["FINISHED", "FAILED"]


def test_runs_are_found_as_the_page_says(stored: Stored) -> None:
    asked = "tags.mixer = 'attention' and metrics.\"plateau/length\" < 500"
    experiments = [run.info.experiment_id for run in stored.runs()[:1]]
    assert len(stored.client.search_runs(experiments, asked)) == 2


def test_maps_are_pictures(stored: Stored, tmp_path: Path) -> None:
    run = stored.runs()[0].info.run_id
    names = [file.path for file in stored.client.list_artifacts(run, "images") if file.path.endswith(".png")]
    for name in ("maps~measured", "maps~heads"):
        steps = [int(path.split("+")[2]) for path in names if path.startswith(f"images/{name}+")]
        assert sorted(steps) == MASTERED.maps.step.tolist()
    (true,) = [path for path in names if "maps~true" in path]
    shown = np.asarray(Image.open(stored.client.download_artifacts(run, true, str(tmp_path))))
    assert np.array_equal(shown[::16, ::16] == 0, MASTERED.truth.attention_map)


def test_the_specification_is_its_parameters(stored: Stored) -> None:
    run = stored.runs()[1]
    assert run.info.run_name is not None
    assert run.info.run_name.endswith("attention, steps 1000, seed 1")
    assert run.data.params["state_size"] == "4"
    assert run.data.params["learning_rate"] == "0.001"
    assert run.data.params["digest"] == DIVERGED.spec.digest
    assert run.data.tags["mixer"] == "attention"
    assert run.data.tags["mlflow.note.content"].startswith("attnsearch run --task linear_map")


def test_a_run_that_was_killed_is_not_left_running(stored: Stored) -> None:
    for _ in range(2):
        MLflow(stored.out / "tracking").begin(subject_of(begun(DIVERGED)))
    statuses = [run.info.status for run in stored.runs() if run.data.params["seed"] == "1"]
    assert sorted(statuses) == ["FAILED", "KILLED", "RUNNING"]
