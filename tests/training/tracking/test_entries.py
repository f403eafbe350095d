"""What trackers are told of a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.hand_made import run_of, spec_of
from helpers.tracked import TWO, begun, grow
from helpers.truths import whole

from attnsearch.runs.recorder import Recording
from attnsearch.training.tracking import images
from attnsearch.training.tracking.entries import MOST_TARGETS, ending_of, entries, subject_of

MASTERED, DIVERGED = TWO


def trained(number: int) -> Recording:
    recording = begun(TWO[number])
    grow(recording, TWO[number], 10_000)
    return recording


def test_every_point_is_told_as_it_was_recorded() -> None:
    told = entries(trained(0), -1, 160)
    assert [entry.step for entry in told] == [0, *MASTERED.curves.step]
    for point, entry in enumerate(told[1:]):
        loss = MASTERED.curves.loss[point]
        assert [entry.values[f"target_loss/{target}"] for target in range(4)] == loss.tolist()
        assert entry.values["loss/mean"] == pytest.approx(loss.mean())
        assert entry.values["loss/worst"] == loss.max()
        assert entry.values["accuracy/mean"] == MASTERED.curves.accuracy[point].mean()
        assert entry.values["targets/found"] == (loss < 0.5 * np.log(2)).sum()


def test_the_norm_of_updates_is_told_where_it_is_known() -> None:
    recording = trained(0)
    assert not any("updates/norm" in entry.values for entry in entries(recording, -1, 160))
    recording.update_norm[10:] = [np.float32(0.5)] * 6
    told = entries(recording, 100, 160)
    assert [entry.values["updates/norm"] for entry in told] == [0.5] * 6


def test_maps_and_heads_are_told_where_they_were_measured() -> None:
    told = {entry.step: entry for entry in entries(trained(0), -1, 160)}
    assert [step for step, entry in told.items() if entry.images] == MASTERED.maps.step.tolist()
    for at, step in enumerate(MASTERED.maps.step):
        values = told[step].values
        assert values["maps/mass"] == pytest.approx(MASTERED.maps.mass[at].mean())
        for head in range(3):
            assert values[f"attention_mass/head_{head}"] == pytest.approx(
                MASTERED.heads.mass[at, head].mean()
            )
    assert {step for step, entry in told.items() if "maps/true" in entry.images} == {0}
    assert {"maps/measured", "maps/heads"} <= told[160].images.keys()


@pytest.mark.parametrize("cut", [0, 50, 100, 150])
def test_nothing_is_told_twice_or_left_out(cut: int) -> None:
    recording = trained(0)
    parts = [*entries(recording, -1, cut), *entries(recording, cut, 160)]
    whole = entries(recording, -1, 160)
    assert [entry.step for entry in parts] == [entry.step for entry in whole]
    assert [entry.values for entry in parts] == [entry.values for entry in whole]


def test_a_run_that_diverged_is_told_to_its_end() -> None:
    last = entries(trained(1), -1, 400)[-1]
    assert last.step == 400
    assert np.isnan(last.values["loss/mean"])
    assert ending_of(DIVERGED).status == "diverged"
    assert not ending_of(DIVERGED).succeeded


def test_of_many_targets_some_are_told_one_by_one() -> None:
    size = 100
    truth = whole(
        attention_map=np.ones((size, size), bool),
        query_positions=np.arange(size),
        is_target=np.ones(size, bool),
        replaceable=np.ones(size, bool),
        log2_search_space=np.ones(size),
        nominal_log2_search_space=1.0,
        chance_loss=0.7,
    )
    recording = Recording(spec_of(), truth)
    recording.add(np.arange(size, dtype=np.float32), np.zeros(size, np.float32))
    told = entries(recording, -1, 10)[0].values
    single = {name: value for name, value in told.items() if name.startswith("target_loss/")}
    assert len(single) == MOST_TARGETS
    assert single["target_loss/00"] == 0
    assert single["target_loss/99"] == 99
    assert told["loss/mean"] == 49.5


def test_the_measures_end_a_run() -> None:
    assert ending_of(MASTERED).measures == {
        "plateau/length": float(MASTERED.measures.plateau_length),
        "plateau/escaped": 1.0,
        "mastery/step": float(MASTERED.measures.mastery_step),
        "mastery/mastered": 1.0,
    }


def test_a_run_is_named_by_itself_whatever_else_is_trained() -> None:
    subject = subject_of(begun(MASTERED))
    assert subject.name == "linear_map, state size 4, support size 2, attention, steps 1000, seed 0"
    assert subject.seed == "seed-0"
    assert subject.settings["learning_rate"] == 1e-3
    assert subject.settings["digest"] == MASTERED.spec.digest
    assert subject.command.startswith("attnsearch run --task linear_map ")


def test_cells_and_runs_have_names_of_their_own() -> None:
    specs = [spec_of(), spec_of(seed=1), spec_of(num_heads=4), replace(spec_of(), rule_seed=5)]
    subjects = [subject_of(begun(run_of(spec, [100] * 4))) for spec in specs]
    assert len({subject.cell for subject in subjects}) == 2
    assert len({(subject.cell, subject.seed) for subject in subjects}) == 4
    assert subjects[3].seed == "seed-0-rule-seed-5"


def test_pictures_are_dark_where_values_are_large() -> None:
    assert images.shaded(np.array([[0.0, 0.5], [np.nan, 2.0]])).tolist() == [[255, 191], [255, 0]]
    assert images.shaded(np.zeros((1, 2))).tolist() == [[255, 255]]
    assert images.enlarged(np.zeros((4, 8), np.uint8)).shape == (64, 128)
    assert images.enlarged(np.zeros((4, 1000), np.uint8)).shape == (4, 1000)


def test_heads_stand_side_by_side() -> None:
    sheet = images.tiled(np.stack([np.full((2, 3), shade, np.uint8) for shade in (0, 50, 255)]))
    assert sheet.shape == (5, 7)
    assert sheet[0].tolist() == [0, 0, 0, 160, 50, 50, 50]
    assert sheet[4].tolist() == [255, 255, 255, 160, 160, 160, 160]
