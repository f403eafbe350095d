"""What stands between numbers and a claim: few seeds, leaks, divergence, one learning rate and others."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.contested import hopping_run
from helpers.hand_made import changed, renamed, run_of, spec_of
from helpers.made_runs import STANDINGS

from attnsearch.base import Contests, Curves, Floats, RouteMass
from attnsearch.results.alignment import contradicts_itself
from attnsearch.results.cells import cells
from attnsearch.results.warnings import (
    FEWEST_SEEDS,
    flags,
    verified,
    warnings,
)
from attnsearch.runs.leaks import LEAK_MARGIN
from attnsearch.runs.opened import Opener
from attnsearch.runs.standing import Standing
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import CellSpec, MixerSpec, settings
from attnsearch.spec.task_file import find_task

MakeRun = Callable[..., StoredRun]


def always(state: str) -> Callable[[CellSpec], Standing]:
    return lambda cell: STANDINGS[state]


def fluctuating(chance: float, noise: float, samples: int, shape: tuple[int, int]) -> Floats:
    """Recorded losses on fair coins of a network that guesses with logits of deviation `noise`."""
    drawn = np.random.default_rng(0).standard_normal(shape)
    # Mean and deviation of log(1 + exp(z)), z normal, to second order in the noise.
    return chance + noise**2 / 8 + noise / 2 / math.sqrt(samples) * drawn


def test_few_seeds_are_warned_about(make_run: MakeRun) -> None:
    enough = [make_run(seed) for seed in range(FEWEST_SEEDS)]
    assert warnings(cells(enough)) == ()
    (warning,) = warnings(cells(enough[:-1]))
    assert warning.startswith(f"{FEWEST_SEEDS - 1} seeds are too few")
    # Once, for the smallest of several.
    many = [*enough, make_run(0, state_size=4), *[make_run(seed, state_size=8) for seed in range(3)]]
    (warning,) = warnings(cells(many))
    assert warning.startswith("1 seed is too few")


def test_lost_files_of_routes_are_warned_about() -> None:
    task = find_task("competing_routes").resolve({})
    whole = [changed(hopping_run(seed), task=task) for seed in range(FEWEST_SEEDS)]
    assert warnings(cells(whole)) == ()
    lost = [replace(run, contests=Contests.none()) for run in whole[:2]]
    lost.append(replace(whole[2], routes=RouteMass.none()))
    first, second = warnings(cells([*lost, *whole[3:]]))
    assert first.startswith("2 runs of competing_routes without contests.npz, which the task fills")
    assert second.startswith("1 run of competing_routes without routes.npz")


def test_an_index_knows_that_files_of_routes_are_lost(tmp_path: Path) -> None:
    task, store = find_task("competing_routes").resolve({}), Store.open(tmp_path)
    for seed in range(FEWEST_SEEDS):
        store.save(changed(hopping_run(seed), task=task))

    def told() -> tuple[str, ...]:
        return warnings(cells(store.runs(pytest.fail, Opener(worthwhile=1))))

    assert told() == ()
    for folder in store.folders():
        (folder / "routes.npz").unlink()
    (warning,) = told()
    assert warning.startswith(f"{FEWEST_SEEDS} runs of competing_routes without routes.npz")
    # Now they are in the index as they are, and their arrays are not asked for.
    for folder in store.folders():
        for stem in ("maps", "contests"):
            stamps = (folder / f"{stem}.npz").stat()
            (folder / f"{stem}.npz").write_bytes(bytes(stamps.st_size))
            os.utime(folder / f"{stem}.npz", ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
    assert told() == (warning,)


def test_an_escape_that_may_be_noise_is_warned_about(make_run: MakeRun) -> None:
    def told(**one: object) -> tuple[str, ...]:
        return warnings(cells([make_run(0, **one), *map(make_run, range(1, FEWEST_SEEDS))]))

    nothing_found = {"found": (None, None), "mastery": None}
    (warning,) = told(**nothing_found, last_target=0.93)
    assert warning.startswith("1 run barely escaped: the loss never was 2% below the threshold")
    (barely,) = cells([make_run(0, **nothing_found, last_target=0.93)])
    assert "⚠ 1 barely escaped" in flags(barely)
    # Far below the threshold, one target of many found, or never below.
    assert told(**nothing_found, last_target=0.9) == ()
    assert told(found=(200, None), mastery=None, last_target=0.93) == ()
    assert told(**nothing_found, escape=None, last_target=0.95) == ()


def test_runs_that_diverged_are_warned_about(make_run: MakeRun) -> None:
    runs = [make_run(seed) for seed in range(FEWEST_SEEDS)]
    broken = [make_run(seed, diverged=True) for seed in range(2)]
    assert warnings(cells([*broken, *runs[2:]])) == (
        "2 runs diverged: such a run counts as censored at its budget unless it had escaped before",
    )


def test_one_learning_rate_allows_no_ranking() -> None:
    def runs_of(mixer: str, rate: float) -> list[StoredRun]:
        return [run_of(spec_of(mixer, seed, learning_rate=rate), [50] * 4) for seed in range(FEWEST_SEEDS)]

    both = [*runs_of("attention", 1e-3), *runs_of("mlp_mixer", 1e-3)]
    warning = "one learning rate for {}: no ranking of mixers follows"
    assert warnings(cells(both)) == (warning.format("attention and mlp_mixer"),)
    assert warnings(cells([*both, *runs_of("attention", 3e-3)])) == (warning.format("mlp_mixer"),)
    # One mixer alone is ranked with nothing.
    assert warnings(cells(both[:FEWEST_SEEDS])) == ()


def test_a_mixer_is_verified_or_failed_or_not_checked(make_run: MakeRun) -> None:
    enough = [make_run(seed) for seed in range(FEWEST_SEEDS)]
    made = {state: cells(enough, always(state)) for state in STANDINGS}
    found = {state: warnings(made[state]) for state in STANDINGS}
    assert found["verified"] == ()
    assert verified(made["verified"]) == ("attention is verified on mine at width 128",)
    assert found["failed"] == ("attention failed verification: gradients: its numbers do not count",)
    assert verified(made["failed"]) == ()
    (line,) = found["not checked"]
    assert line.startswith("attention has not been checked: `attnsearch verify attention --mixer-set ")
    assert line.endswith("` says whether its numbers may count")
    assert f"--width {enough[0].spec.cell.network.width}`" in line


def test_two_settings_of_one_mixer_are_two_mixers(make_run: MakeRun) -> None:
    few = [make_run(seed) for seed in range(FEWEST_SEEDS)]
    many = [
        changed(run, mixer=MixerSpec("attention", settings({"num_heads": 2, "head_width": None})))
        for run in few
    ]
    first = few[0].spec.cell.mixer

    def standing(cell: CellSpec) -> Standing:
        return STANDINGS["verified" if cell.mixer == first else "not checked"]

    made = cells([*few, *many], standing)
    (told,) = [line for line in warnings(made) if "checked" in line]
    assert told.startswith("attention, num heads 2 has not been checked")
    (line,) = verified(made)
    assert line.startswith("attention, ")
    assert "num heads 2" not in line


def test_a_cell_is_flagged_in_a_few_words(make_run: MakeRun) -> None:
    runs = [make_run(0), make_run(1, diverged=True)]
    flagged = {state: flags(*cells(runs, always(state))) for state in STANDINGS}
    assert flagged["not checked"] == ("⚠ 2 seeds", "⚠ not checked", "⚠ 1 diverged")
    assert flagged["failed"][1] == "⚠ failed verification: gradients"
    assert flagged["verified"] == ("⚠ 2 seeds", "⚠ 1 diverged")
    (cell,) = cells([make_run(seed) for seed in range(FEWEST_SEEDS)])
    assert flags(cell) == ()


def test_names_in_warnings_are_text(make_run: MakeRun) -> None:
    hostile = [renamed(make_run(seed), "a\x1b[31m", "b\u202e") for seed in range(FEWEST_SEEDS)]
    leak = renamed(make_run(9, first_query=[0.1] * 5), "a\x1b[31m", "b\u202e")
    against = renamed(replace(mastered(0.2), spec=replace(leak.spec, seed=10)), "a\x1b[31m", "b\u202e")
    runs = [*hostile, leak, against]
    found = warnings(cells(runs, lambda cell: Standing("failed", "failed verification: \x1b[31m")))
    assert len(found) == 3
    assert all(line.isprintable() for line in found)
    told = verified(cells(runs, lambda cell: Standing("verified", "is verified on \u202e")))
    assert all(line.isprintable() for line in told)


# A run that contradicts itself.


def mastered(mass: float) -> StoredRun:
    """A run that masters its four targets with this map mass at its end."""
    run = run_of(spec_of(), [50] * 4)
    masses = np.full_like(run.maps.mass, 1.0)
    masses[-1] = mass
    return replace(run, maps=run.maps._replace(mass=masses))


@pytest.mark.parametrize("mass", [0.2, 0.5, 0.0, math.nan])
def test_mastery_without_the_map_is_a_contradiction(mass: float) -> None:
    run = mastered(mass)
    assert run.measures.mastered
    assert contradicts_itself(run)
    (told,) = [line for line in warnings(cells([run])) if "support" in line]
    assert told == (
        "attention mastered linear_map, seed 0, though its answers depend on the support no more than by"
        " chance: its output, its map or the task is wrong"
    )
    assert "⚠ 1 mastered without its map" in flags(cells([run])[0])


def test_what_is_above_chance_or_shows_nothing_is_no_contradiction() -> None:
    assert not contradicts_itself(mastered(0.51))
    low = mastered(0.2)
    # Nothing was mastered; the last map is older than mastery; there is no map.
    assert not contradicts_itself(run_of(spec_of(), [None] * 4))
    assert not contradicts_itself(replace(low, maps=low.maps._replace(step=low.maps.step * 0)))
    empty = low.maps._replace(step=low.maps.step[:0], mass=low.maps.mass[:0])
    assert not contradicts_itself(replace(low, maps=empty))
    # Every answer depends on all that is seen, or can be read in a cheaper way.
    everything = run_of(spec_of(support_size=4), [50] * 4)
    assert not contradicts_itself(everything)
    cheaper = low.truth._replace(cheapest_route=~low.truth.attention_map)
    assert not contradicts_itself(replace(low, truth=cheaper))


# Leaks.


def leaks(runs: Sequence[StoredRun]) -> list[str]:
    return [warning for warning in warnings(cells(runs)) if "future" in warning]


def test_predicting_the_unpredictable_is_a_leak(make_run: MakeRun) -> None:
    below = LEAK_MARGIN - 0.01
    leaking = make_run(3, first_query=[1, 1, below, below, below])
    (warning,) = leaks([make_run(2), leaking])
    assert warning == (
        "attention predicts unpredictable tokens of linear_map_autoregressive, seed 3:"
        " it sees the future, and its numbers do not count"
    )
    # Also one that goes away again, and one in a run that diverged.
    assert len(leaks([make_run(first_query=[1, 0.2, 0.1, 0.1, 1, 1])])) == 1
    assert len(leaks([make_run(first_query=[0.2, 0.1, 0.1, math.nan], diverged=True)])) == 1


@pytest.mark.parametrize(
    "first_query",
    [
        [1, 1, 1, 1],
        [LEAK_MARGIN + 0.01] * 5,
        # Three low points in a row, or it was luck.
        [1, 0.5, 0.5, 1, 0.5, 0.5],
        [0.5, 0.5],
        [math.nan] * 5,
        [1, math.inf, math.nan, math.nan],
    ],
)
def test_what_is_not_clearly_below_chance_is_not_a_leak(make_run: MakeRun, first_query: list[float]) -> None:
    assert leaks([make_run(first_query=first_query, diverged=not np.isfinite(first_query).all())]) == []


def test_low_targets_are_not_a_leak(make_run: MakeRun) -> None:
    run = make_run(last_target=0.01)
    low = np.where(run.truth.is_target, np.float32(0.01), run.curves.loss)
    assert leaks([replace(run, curves=run.curves._replace(loss=low))]) == []


@pytest.mark.parametrize("sequences", [2, 4, 16, 64])
@pytest.mark.parametrize("noise", [0.05, 0.2, 0.5, 1.0])
def test_a_guess_at_chance_is_not_a_leak_however_it_fluctuates(
    make_run: MakeRun, sequences: int, noise: float
) -> None:
    run = make_run()
    chance = math.log(2)
    truth = run.truth._replace(
        is_target=np.arange(33) >= 31,
        query_positions=np.arange(33),
        chance_loss=np.array(chance),
    )
    loss = np.full((1000, 33), chance, np.float32)
    loss[:, :31] = fluctuating(chance, noise, 10 * sequences, (1000, 31))
    noisy = replace(run, truth=truth, curves=Curves(np.arange(1, 1001) * 10, loss, loss))
    assert leaks([noisy]) == []
    if (sequences, noise) == (2, 1.0):
        # Single points do fall below: without the three in a row each such run would be accused.
        assert (loss[:, :31] < LEAK_MARGIN * chance).any()
