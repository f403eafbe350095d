"""The simulations of early signals, few of them."""

from __future__ import annotations

import numpy as np

from benchmarks.foretelling import CORRELATION, PLANTED, Design, experiment, half_of_cell, row


def test_a_cell_of_four_runs_with_one_target_each_can_claim_nothing() -> None:
    line = row(3, Design(1, 0.5, 1, 4))
    assert line.startswith("| 1 | each target | 1 | 4 | 0.0 (0.0 to ")
    assert line.count("| 0.0 (0.0 to ") == 3


def test_a_signal_that_outweighs_the_noise_is_found() -> None:
    assert experiment(np.random.default_rng(0), Design(4, 0.5, 1, 8), 5.0).both


def test_a_signal_of_the_run_is_one_number_for_its_targets() -> None:
    runs = half_of_cell(np.random.default_rng(0), Design(3, 1.0, 1, 5), 0)
    assert [len(set(run.signal)) for run in runs] == [1] * 5
    assert len({run.signal[0] for run in runs}) == 5


def test_the_planted_signal_goes_with_waits_as_far_as_it_says() -> None:
    runs = half_of_cell(np.random.default_rng(0), Design(1, 0.5, 1, 1_000), PLANTED)
    signal = np.concatenate([run.signal for run in runs])
    ended = np.concatenate([run.waited.observed for run in runs])
    assert abs(ended.mean() - 0.6) < 0.05
    # Of two normal variables: the share of pairs in one order, which a rank correlation counts.
    waits = np.concatenate([run.waited.length for run in runs])
    earlier, later = np.meshgrid(np.arange(1_000), np.arange(1_000))
    comparable = ended[earlier] & (waits[earlier] < waits[later])
    agree = np.sign(signal[later] - signal[earlier])[comparable].mean()
    assert abs(agree - 2 / np.pi * np.arcsin(CORRELATION)) < 0.05
