"""Numbers and curves that no run can have are refused, whoever sends them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers.entries import Change, complaint, curve, document, put, tiny, whole_numbers

from attnsearch.leaderboard.board import board
from attnsearch.leaderboard.candidates import Candidate
from attnsearch.leaderboard.entry_file import parsed
from attnsearch.leaderboard.page import page

WORST = 0.7
"""Nats, of four targets: their mean is 0.175 at least."""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            put("scored.0.task.knobs", {}),
            "task linear_map: knob 'state_size' of generator linear_map is missing",
        ),
        (put("scored.0.task.knobs.support_size", 9), "no support of 9 positions can be chosen from 4"),
        (
            put("scored.0.task.knobs.state_size", 5.5),
            "generator linear_map does not take these knobs: TypeError",
        ),
        (put("scored.0.task.knobs.state_size", 2**31 - 1), "a sequence has at most 1,048,576 tokens"),
        (put("scored.0.task.knobs.state_size", 5), "bits 2 must be 2.321928, which follows from the task"),
        (put("scored.0.bits", 3.0), "bits 3 must be 2, which follows from the task"),
        (put("scored.0.chance_loss", 5.0), "chance_loss 5 must be 0.6931472, which follows from the task"),
        (put("scored.0.targets", 400), "targets 400 must be 4, which follows from the task"),
    ],
)
def test_what_follows_from_a_known_task_is_computed_again(change: Change, reason: str) -> None:
    changed = document()
    change(changed)
    assert complaint(changed).startswith(f"scored[0]: {reason}")


def test_a_generator_that_does_not_ship_is_believed_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "planted.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
    changed = document()
    put("scored.0.task.generator", "planted:Generator")(changed)
    put("scored.0.bits", 3.0)(changed)
    # It is as far as the runs, whose digests hold the generator's name.
    assert complaint(changed).startswith("scored[0].runs[0]: digest must be ")
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    ("mean", "worst", "status", "reason"),
    [
        # Twelve points, chance 0.69.
        ([0.7] * 12, [0.7] * 12, "exhausted", None),
        ([0.7] * 11, [0.7] * 11, "exhausted", "status exhausted does not fit a curve of 11 points"),
        ([0.7] * 13, [0.7] * 13, "exhausted", "status exhausted does not fit a curve of 13 points"),
        ([0.7] * 13, [0.7] * 13, "diverged", "status diverged does not fit a curve of 13 points"),
        ([0.7] * 12, [0.7] * 12, "mastered", "status mastered does not fit"),
        ([0.7] * 5, [0.7] * 5, "diverged", None),
        ([0.01] * 3, [0.01] * 3, "mastered", None),
        ([0.01] * 2, [0.01] * 2, "mastered", "status mastered does not fit"),
        # It would have ended before.
        (
            [0.01] * 4,
            [0.01] * 4,
            "mastered",
            "status mastered does not fit a curve of 4 points, of a budget of",
        ),
        ([0.01] * 4, [0.01] * 4, "diverged", "status diverged does not fit"),
        ([0.01] * 12, [0.01] * 12, "exhausted", "status exhausted does not fit"),
        # Losses that targets cannot have.
        ([0.7] * 12, [0.6] * 12, "exhausted", "point 0: mean is above worst"),
        ([0.7] * 5 + [-0.01] * 7, [0.7] * 12, "exhausted", "point 5: mean is below 0, with Bayes' loss"),
        ([0.0] * 3, [-0.1] * 3, "mastered", "point 0: mean is above worst"),
        ([-0.1] * 3, [-0.1] * 3, "mastered", "point 0: mean is below 0, with Bayes' loss"),
        ([WORST / 4] * 12, [WORST] * 12, "exhausted", None),
        (
            [0.7, 0.17, *[0.7] * 10],
            [WORST] * 12,
            "exhausted",
            "point 1: mean is below worst / 4, and there are 4 targets",
        ),
        ([np.nan], [0.7], "diverged", "point 0: mean or worst is not finite"),
        ([0.1, 0.1], [0.1, np.inf], "diverged", "point 1: mean or worst is not finite"),
    ],
)
def test_a_curve_is_one_that_a_run_can_have(
    mean: list[float], worst: list[float], status: str, reason: str | None
) -> None:
    changed = document()
    # Three of four losses that are together as large as the worst are 0, and of small losses all are found.
    found = [10, 10, 10, 0 if worst[0] > 0.3 else 10] if mean[0] < 0.3 else [0] * 4
    changed["scored"][0]["runs"][0] |= {
        "mean": [curve(*mean)],
        "worst": [curve(*worst)],
        "found": whole_numbers(*found),
        "status": status,
    }
    if reason is None:
        assert parsed(json.dumps(changed).encode()).scored[0].runs[0].status == status
    else:
        assert complaint(changed).startswith(f"scored[0].runs[0]: {reason}")


def test_two_seeds_do_not_have_the_same_curves() -> None:
    changed = document()
    first, second = changed["scored"][0]["runs"]
    second |= {key: first[key] for key in ("mean", "worst", "found", "status")}
    assert complaint(changed) == "scored[0].runs: seeds 0 and 1 have the same curves"
    # Runs that diverge at once have none.
    for one in (first, second):
        one |= {"mean": [""], "worst": [""], "found": whole_numbers(0, 0, 0, 0), "status": "diverged"}
    assert len(parsed(json.dumps(changed).encode()).scored[0].runs[1].loss) == 0


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([10, 10, 10, 0], None),
        ([10, 10, 10, 15], "target 3 is found at a step that is not recorded"),
        ([10, 10, -10, 0], "target 2 is found at a step that is not recorded"),
        ([10, 10, 10, 130], "target 3 is found after the end of the curves"),
        # One target has the worst loss, and the others together nearly none.
        ([10, 0, 0, 0], "point 0: mean is too low for the targets that are not found"),
        ([10, 20, 20, 0], "point 0: mean is too low for the targets that are not found"),
        ([10, 10, 10], "found has 3 numbers, and there are 4 targets"),
    ],
)
def test_targets_are_found_where_the_curves_allow_it(found: list[int], reason: str | None) -> None:
    changed = document()
    changed["scored"][0]["runs"][0] |= {
        "mean": [curve(*[WORST / 4] * 12)],
        "worst": [curve(*[WORST] * 12)],
        "found": whole_numbers(*found),
        "status": "exhausted",
    }
    if reason is None:
        assert parsed(json.dumps(changed).encode()).scored[0].runs[0].found.tolist() == found
    else:
        assert complaint(changed) == f"scored[0].runs[0]: {reason}"


def test_what_the_worst_shows_to_be_found_is_found() -> None:
    changed = document()
    low = [curve(*[0.1] * 12)]
    changed["scored"][0]["runs"][0] |= {
        "mean": low,
        "worst": low,
        "found": whole_numbers(10, 10, 10, 20),
        "status": "exhausted",
    }
    reason = "scored[0].runs[0]: point 0: a target is not found, though worst is below the threshold"
    assert complaint(changed) == reason


def test_a_loss_however_large_is_shown() -> None:
    changed = document()
    changed["scored"][0]["runs"][0] |= {
        "mean": [curve(3e38)],
        "worst": [curve(3.2e38)],
        "found": whole_numbers(0, 0, 0, 0),
        "status": "diverged",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = board([tiny()], [Candidate(parsed(json.dumps(changed).encode()), "large.json")])
        assert "diverged" in page(made)
