"""Where runs of a cell ended under other seeds: found by name, whatever else the store holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import made_runs
from helpers.hand_made import run_of, spec_of

from attnsearch.runs.ended import MOST_ENDS, MOST_NAMES, NEIGHBOURS, ended
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec

CELL = spec_of().cell


def stored(folder: Path, specs: Sequence[RunSpec], step: int = 100) -> Store:
    """Runs that are mastered at `step`, and end 30 later."""
    return Store(made_runs.stored(folder, [run_of(spec, [step] * 4) for spec in specs]))


def test_other_seeds_of_the_cell_are_found(tmp_path: Path) -> None:
    store = stored(tmp_path, [spec_of(seed=seed) for seed in (0, 3, 63, 1_010)])
    stored(tmp_path, [spec_of("mlp_mixer"), spec_of(seed=1, width=64)], 500)
    # From 0 on, and around the asked ones.
    assert list(ended(store, [spec_of(seed=1_000)], [])) == [(CELL, 130)] * 4
    assert list(ended(store, [spec_of(seed=1)], [])) == [(CELL, 130)] * 3
    # The command has these runs already.
    assert list(ended(store, [spec_of(seed=1)], [spec_of(seed=3)])) == [(CELL, 130)] * 2
    assert list(ended(store, [], [])) == []


def test_a_rule_that_is_fixed_stays(tmp_path: Path) -> None:
    fixed = [replace(spec_of(seed=seed), rule_seed=7) for seed in range(4)]
    store = stored(tmp_path, fixed)
    asked = [replace(spec_of(seed=seed), rule_seed=7) for seed in (7, 8)]
    assert list(ended(store, asked, [])) == [(CELL, 130)] * 4
    assert list(ended(store, [spec_of(seed=8)], [])) == []


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    store = stored(tmp_path, [spec_of(seed=seed) for seed in range(3)])
    (store.path(spec_of(seed=0)) / "curves.npz").write_bytes(b"damaged")
    (store.path(spec_of(seed=1)) / "curves.npz").unlink()
    assert list(ended(store, [spec_of(seed=5)], [])) == [(CELL, 130)]
    assert list(ended(Store(tmp_path / "nowhere"), [spec_of(seed=5)], [])) == []


def test_the_work_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    asked = [spec_of(seed=10**6), spec_of(), *(spec_of(width=width) for width in (16, 32))]
    looked = list[RunSpec]()
    monkeypatch.setattr(RunSpec, "digest", property(lambda spec: looked.append(spec)))
    assert list(ended(Store(tmp_path), asked, [])) == []
    assert len(looked) == MOST_NAMES
    assert {spec.seed for spec in looked} >= set(range(1, 2 * NEIGHBOURS))
    assert len({spec.cell for spec in looked[:6]}) == 3


def test_of_a_cell_so_many_are_read_as_an_estimate_needs(tmp_path: Path) -> None:
    store = stored(tmp_path, [spec_of(seed=seed) for seed in range(1, MOST_ENDS + 4)])
    assert len(list(ended(store, [spec_of()], []))) == MOST_ENDS
