"""A command that trains, and tells every tracker at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.tiny import RUN

from attnsearch.cli import main as cli
from attnsearch.runs.store import Store

# MLflow asks SQLAlchemy for something that newer versions advise against.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


def test_every_tracker_is_told_of_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import wandb
    from mlflow import MlflowClient
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    for name, value in {"WANDB_MODE": "offline", "MLFLOW_DISABLE_TELEMETRY": "true"}.items():
        monkeypatch.setenv(name, value)
    tracked = [word for name in ("tensorboard", "wandb", "mlflow") for word in ("--track", name)]
    with pytest.raises(SystemExit) as ended:
        cli.main([*RUN, *tracked, "--no-plots", "--quiet", "--json", "--out", str(tmp_path)])
    assert not ended.value.code
    wandb.teardown()
    out, err = capfd.readouterr()
    assert len(json.loads(out)["cells"]) == 1
    assert err == ""

    folder = tmp_path / "tracking"
    stored = {run.spec.seed: run for run in Store(tmp_path).runs(pytest.fail)}
    board = EventMultiplexer().AddRunsFromDirectory(str(folder / "tensorboard")).Reload()
    assert len(board.Runs()) == 2
    for name in board.Runs():
        run = stored[int(name.rpartition("-")[2])]
        told = [point.value for point in board.Scalars(name, "target_loss/2")]
        assert told == run.curves.loss[:, run.truth.is_target][:, 2].tolist()
    assert len(list((folder / "wandb").glob("offline-run-*"))) == 2
    client = MlflowClient(f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}")
    experiments = [one.experiment_id for one in client.search_experiments()]
    assert [run.info.status for run in client.search_runs(experiments)] == ["FINISHED"] * 2
