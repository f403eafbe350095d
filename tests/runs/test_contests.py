"""Files that not every run has: stored where there is something to put in them, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.contested import hopping_run
from helpers.hand_made import run_of, spec_of
from helpers.stored import FILES, unexpected

from attnsearch import files
from attnsearch.base import Contests, MapRecord, Truth, Updates
from attnsearch.runs.checkpoints import Checkpoint, Checkpoints
from attnsearch.runs.opened import Opener
from attnsearch.runs.recorder import Recording
from attnsearch.runs.run_files import UnreadableRun
from attnsearch.runs.store import Store, StoredRun, read
from attnsearch.spec.run import RunSpec
from attnsearch.stats.hopping import GENERAL, SHALLOW

NAMES = ("shallow", "general")


def test_margins_and_routes_come_back(tmp_path: Path):
    run, plain = hopping_run(), run_of(spec_of(seed=1), [100, 110, 120, None])
    store = Store.open(tmp_path)
    for one in (run, plain):
        store.save(one)
    folder = store.path(run.spec)
    assert {path.name for path in folder.iterdir()} == {*FILES, "contests.npz", "routes.npz"}
    assert {path.name for path in store.path(plain.spec).iterdir()} == set(FILES)
    for found in (read(folder), Opener()(folder)):
        for ours, theirs in zip((*found.contests, *found.routes), (*run.contests, *run.routes), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert found.hopping is not None
        assert found.hopping.hops == 1
        assert found.hopping.modes[[0, -1]].tolist() == [SHALLOW, GENERAL]
    for found in (read(store.path(plain.spec)), Opener()(store.path(plain.spec))):
        assert found.hopping is None
        assert not len(found.routes.names)


def test_damage_and_disagreement_are_told(tmp_path: Path):
    run, store = hopping_run(), Store.open(tmp_path)
    step, margin, agreement = run.contests
    short = Contests(step[:-1], margin[:-1], agreement[:-1])
    with pytest.raises(ValueError, match=r"contests.npz: step is .* but E = "):
        store.save(replace(run, contests=short))
    store.save(run)
    file = store.path(run.spec) / "routes.npz"
    file.write_bytes(file.read_bytes()[:-100])
    for reading in (read, Opener()):
        with pytest.raises(UnreadableRun, match=r"routes\.npz"):
            reading(store.path(run.spec))


def recording(spec: RunSpec, truth: Truth, routes: tuple[str, ...] = NAMES) -> Recording:
    """Four points, a map before them and one at step 40."""
    made, random = Recording(spec, truth, routes), np.random.default_rng(0)

    def a_map() -> MapRecord:
        mass = random.random((2, 2), np.float32)
        return MapRecord.of(random.random((2, 4), np.float32), mass[0], route_mass=mass)

    made.add_map(a_map())
    for _ in range(4):
        made.add(1 + random.random(3, np.float32), random.random(3, np.float32), 1.0, random.random(5), 0.5)
    made.add_map(a_map())
    return made


def test_a_checkpoint_carries_margins_and_routes(checkpoints: Checkpoints, spec: RunSpec, truth: Truth):
    made = recording(spec, truth)
    checkpoints.save(Checkpoint(made, ()))
    found = checkpoints.load(spec, unexpected)
    assert found is not None
    assert found.recording.route_names == NAMES
    for ours, theirs in ((found.recording, made), (found.recording.until(20), made.until(20))):
        np.testing.assert_array_equal(ours.margin, theirs.margin)
        np.testing.assert_array_equal(ours.agreement, theirs.agreement)
        np.testing.assert_array_equal(ours.stacked_maps().route_mass, theirs.stacked_maps().route_mass)
    assert len(found.recording.until(20).margin) == 2


def test_a_run_that_began_without_margins_goes_on_without(
    checkpoints: Checkpoints, spec: RunSpec, truth: Truth
):
    older = Recording(spec, truth)
    older.add_map(MapRecord.of(np.zeros((2, 4), np.float32), np.zeros(2, np.float32)))
    older.add(np.ones(3, np.float32), np.ones(3, np.float32))
    checkpoints.save(Checkpoint(older, ()))
    found = checkpoints.load(spec, unexpected)
    assert found is not None
    again = found.recording
    again.add(np.ones(3, np.float32), np.ones(3, np.float32), 1.0, np.ones(5, np.float32), 1.0)
    again.add_map(recording(spec, truth).maps[0])
    assert not np.stack(again.margin).size
    assert not again.stacked_maps().route_mass.size


def moving_run() -> StoredRun:
    """A run whose first two points come from a loop that did not see its updates."""
    run = run_of(spec_of(seed=2), [100, 110, 120, None])
    norm = np.random.default_rng(0).random(len(run.curves.step), np.float32)
    norm[:2] = np.nan
    return replace(run, updates=Updates(run.curves.step, norm))


def test_norms_of_updates_come_back(tmp_path: Path):
    run, store = moving_run(), Store.open(tmp_path)
    store.save(run)
    folder = store.path(run.spec)
    assert {path.name for path in folder.iterdir()} == {*FILES, "updates.npz"}
    for found in (read(folder), Opener()(folder)):
        for ours, theirs in zip(found.updates, run.updates, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    # As an earlier version has left it.
    (folder / "updates.npz").unlink()
    for found in (read(folder), Opener()(folder)):
        assert not len(found.updates.step)
    short = Updates(run.updates.step[:-1], run.updates.norm[:-1])
    with pytest.raises(ValueError, match=r"updates.npz: step is .* but E = "):
        store.save(replace(run, updates=short))


def test_a_run_of_an_earlier_version_goes_on_and_records_norms_from_there(
    checkpoints: Checkpoints, spec: RunSpec, truth: Truth
):
    points, earlier = np.ones((3, 3), np.float32), Recording(spec, truth)
    for point in points[:2]:
        earlier.add(point, point)
    checkpoints.save(Checkpoint(earlier, ()))
    file = checkpoints.path(spec)
    kept = files.unpacked_where(file, lambda name: name != "update_norm")
    file.write_bytes(files.packed(kept, compressed=False))
    found = checkpoints.load(spec, unexpected)
    assert found is not None
    found.recording.add(points[2], points[2], 0.5)
    np.testing.assert_array_equal(found.recording.update_norm, np.array([np.nan, np.nan, 0.5]))
    checkpoints.save(found)
    again = checkpoints.load(spec, unexpected)
    assert again is not None
    for recording in (again.recording, again.recording.until(30)):
        np.testing.assert_array_equal(recording.update_norm, found.recording.update_norm)


@pytest.mark.parametrize(
    "run", [hopping_run(), moving_run(), run_of(spec_of(), [100, None, 120, 130], heads=2)]
)
def test_a_run_that_has_ended_is_recorded_as_it_was(run: StoredRun):
    again = Recording.of(run)
    assert (again.step, again.status) == (run.curves.step[-1], run.status)
    back = again.stored(run.environment)
    for part in ("truth", "curves", "maps", "heads", "updates", "contests", "routes"):
        for ours, theirs in zip(getattr(back, part), getattr(run, part), strict=True):
            np.testing.assert_array_equal(ours, theirs)
