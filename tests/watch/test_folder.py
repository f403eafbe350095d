"""What is seen of a folder, and what is read again as it changes."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from helpers.claimed import taken
from helpers.in_training import checkpointed, recorded

from attnsearch.files import packed, read_whole, unpacked
from attnsearch.runs.checkpoints import glimpse
from attnsearch.runs.store import Store, StoredRun
from attnsearch.watch.folder import Folder, Sight


def digests(sight: Sight) -> tuple[list[str], list[str]]:
    return (
        [run.spec.digest for run in sight.stored],
        [one.run.spec.digest for one in sight.unfinished],
    )


def test_a_folder_that_is_not_there_or_empty_holds_nothing(store: Store) -> None:
    for root in (store.root, store.root / "absent"):
        sight = Folder(root).look()
        assert (sight.stored, sight.unfinished, sight.begun, sight.faults) == ((), (), frozenset(), ())
    assert not (store.root / "absent").exists()


def test_runs_that_have_ended_and_runs_in_training(store: Store, runs: list[StoredRun]) -> None:
    folder = Folder(store.root)
    store.save(runs[1])
    checkpointed(store.root, runs[0], 120)
    with taken(store.root, runs[0].spec), taken(store.root, runs[2].spec):
        sight = folder.look()
        assert digests(sight) == ([runs[1].spec.digest], [runs[0].spec.digest])
        (one,) = sight.unfinished
        assert (one.held, one.rate) == (True, None)
        assert sight.begun == {runs[2].spec.digest}
        # Nobody's claim is in the way of one who looks.
        assert folder.look() is sight
    sight = folder.look()
    assert (sight.unfinished[0].held, sight.begun) == (False, frozenset())
    expected = recorded(runs[0], 120)
    np.testing.assert_array_equal(one.run.curves.loss, np.stack(expected.loss))
    assert one.run.maps.step.tolist() == expected.map_steps
    assert one.run.measures.found.observed.tolist() == [True, False, False, False]


def test_a_run_that_is_stored_beside_its_checkpoint_has_ended(store: Store, runs: list[StoredRun]) -> None:
    checkpointed(store.root, runs[0], 120)
    store.save(runs[0])
    with taken(store.root, runs[0].spec):
        sight = Folder(store.root).look()
    assert (digests(sight), sight.begun) == (([runs[0].spec.digest], []), frozenset())


def test_only_what_has_changed_is_read_again(store: Store, runs: list[StoredRun]) -> None:
    folder = Folder(store.root)
    store.save(runs[0])
    checkpointed(store.root, runs[1], 120, saved=1_000)
    checkpointed(store.root, runs[2], 120, saved=1_000)
    first = folder.look()
    # What was read is not asked for again: it is damaged by now.
    (store.path(runs[0].spec) / "curves.npz").write_bytes(b"")
    checkpointed(store.root, runs[1], 150, saved=1_010)
    second = folder.look()
    assert second is not first
    assert second.stored == first.stored
    assert second.faults == ()
    assert [one.rate for one in first.unfinished] == [None, None]
    # 30 steps in 10 seconds; the other was not saved again.
    assert [one.rate for one in second.unfinished] == [3.0, None]
    assert second.unfinished[1].run is first.unfinished[1].run


def test_a_run_that_begins_anew_has_no_rate(store: Store, runs: list[StoredRun]) -> None:
    folder = Folder(store.root)
    for step, saved in ((120, 1_000), (20, 1_010)):
        checkpointed(store.root, runs[0], step, saved)
        sight = folder.look()
    assert sight.unfinished[0].rate is None


def test_runs_keep_their_order_as_others_join(store: Store, runs: list[StoredRun]) -> None:
    folder = Folder(store.root)
    checkpointed(store.root, runs[4], 120)
    folder.look()
    store.save(runs[0])
    folder.look()
    store.save(runs[4])
    assert folder.look().order == {runs[4].spec.digest: 0, runs[0].spec.digest: 1}


def test_a_run_that_is_removed_is_gone(store: Store, runs: list[StoredRun]) -> None:
    folder = Folder(store.root)
    for run in runs[:2]:
        store.save(run)
    assert len(folder.look().stored) == 2
    shutil.rmtree(store.path(runs[0].spec))
    assert digests(folder.look()) == ([runs[1].spec.digest], [])


def test_what_cannot_be_read_is_said_and_left_where_it_is(store: Store, runs: list[StoredRun]) -> None:
    folder = Folder(store.root)
    store.save(runs[0])
    (store.path(runs[0].spec) / "run.json").write_text("{")
    path = checkpointed(store.root, runs[1], 120)
    path.write_bytes(path.read_bytes()[:-100])
    sight = folder.look()
    assert digests(sight) == ([], [])
    assert [fault.split(":")[0] for fault in sight.faults] == [
        f"cannot read {store.path(runs[0].spec) / 'run.json'}",
        f"cannot read {path}",
    ]
    assert path.exists()
    # The next checkpoint takes its place.
    checkpointed(store.root, runs[1], 150)
    assert len(folder.look().faults) == 1


def test_a_checkpoint_says_what_it_trains_or_whoever_knows_it(store: Store, runs: list[StoredRun]) -> None:
    path = checkpointed(store.root, runs[0], 120)
    spec = runs[0].spec
    assert glimpse(path, {}).spec == spec
    # As an earlier version wrote it.
    arrays = unpacked(read_whole(path))
    document = json.loads(arrays["document"].tobytes())
    del document["spec"]
    arrays |= {"document": np.frombuffer(json.dumps(document).encode(), np.uint8)}
    path.write_bytes(packed(arrays, compressed=False))
    assert glimpse(path, {spec.digest: spec}).spec == spec
    with pytest.raises(ValueError, match="an earlier version wrote it"):
        glimpse(path, {})


def test_a_checkpoint_under_the_name_of_another_run_is_not_taken(store: Store, runs: list[StoredRun]) -> None:
    path = checkpointed(store.root, runs[0], 120)
    other = checkpointed(store.root, runs[1], 120)
    path.replace(other)
    (fault,) = Folder(store.root).look().faults
    assert fault == f"cannot read {other}: its specification has the digest {runs[0].spec.digest}"
