"""What TensorBoard's own reader finds of runs that were tracked."""

# Protobuf makes its classes when they are loaded: their types are not known.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from helpers.tracked import TWO, track, train
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from attnsearch.training.tracking.names import opened
from attnsearch.training.tracking.observer import Tracking

MASTERED, DIVERGED = TWO


def read(out: Path) -> list[EventAccumulator]:
    """The runs under the folder that is given to TensorBoard, by their names."""
    folders = sorted({path.parent for path in (out / "tracking" / "tensorboard").rglob("events*")})
    found = [EventAccumulator(str(folder), {"scalars": 0, "images": 0, "tensors": 0}) for folder in folders]
    return [one.Reload() for one in found]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[EventAccumulator]:
    out = tmp_path_factory.mktemp("results")
    track(opened("tensorboard", out))
    return read(out)


def test_each_run_has_its_curves(runs: list[EventAccumulator]) -> None:
    assert len(runs) == 2
    for found, run in zip(runs, TWO, strict=True):
        for target in range(4):
            points = found.Scalars(f"target_loss/{target}")
            assert [point.step for point in points] == run.curves.step.tolist()
            assert np.array_equal(
                [point.value for point in points], run.curves.loss[:, target], equal_nan=True
            )


def test_plateau_and_mastery_are_told_at_the_end(runs: list[EventAccumulator]) -> None:
    (length,) = runs[0].Scalars("plateau/length")
    assert (length.step, length.value) == (160, MASTERED.measures.plateau_length)
    assert [run.Tensors("status")[0].tensor_proto.string_val[0] for run in runs] == [b"mastered", b"diverged"]


def test_maps_are_pictures(runs: list[EventAccumulator]) -> None:
    for name in ("maps/measured", "maps/heads"):
        assert [picture.step for picture in runs[0].Images(name)] == MASTERED.maps.step.tolist()
    (true,) = runs[0].Images("maps/true")
    shown = np.asarray(Image.open(io.BytesIO(true.encoded_image_string)))
    assert np.array_equal(shown[::16, ::16] == 0, MASTERED.truth.attention_map)


def test_the_specification_is_a_row_of_hyperparameters(runs: list[EventAccumulator]) -> None:
    content = runs[1].SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    told = HParamsPluginData.FromString(content).session_start_info.hparams
    assert told["mixer"].string_value == "attention"
    assert told["seed"].number_value == 1
    assert told["early_stopping"].bool_value


def test_a_run_that_goes_on_doubles_no_point(tmp_path: Path) -> None:
    tracker = opened("tensorboard", tmp_path)
    with Tracking([tracker], pytest.fail) as tracking:
        train(tracking, [MASTERED], steps=120)
    # As a killed process leaves it: the last event is not whole.
    (events,) = (tmp_path / "tracking").rglob("events*")
    events.write_bytes(events.read_bytes()[:-7])
    with Tracking([tracker], pytest.fail) as tracking:
        train(tracking, [MASTERED], since=100)
    (found,) = read(tmp_path)
    assert [point.step for point in found.Scalars("loss/mean")] == MASTERED.curves.step.tolist()
    assert [picture.step for picture in found.Images("maps/measured")] == MASTERED.maps.step.tolist()
