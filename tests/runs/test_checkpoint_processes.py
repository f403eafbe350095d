"""Checkpoints whose process is killed while it saves, or for which there is no room."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from helpers.checkpointed import Make, assert_same, names
from helpers.child import PAUSE, child, heard, kill
from helpers.stored import unexpected

from attnsearch.base import AttnsearchError
from attnsearch.runs.checkpoints import Checkpoints
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec

SAVE = f"""
import pickle, sys
from pathlib import Path
from attnsearch.runs.checkpoints import Checkpoint, Checkpoints

checkpoints = Checkpoints(Path(sys.argv[1]))
checkpoint = Checkpoint(*pickle.load(sys.stdin.buffer))
{PAUSE}
checkpoints.save(checkpoint)
"""


@pytest.mark.parametrize(
    ("event", "files"), [("os.mkdir", None), ("open", 0), ("os.rename", 1)], ids=["begun", "empty", "written"]
)
@pytest.mark.parametrize("earlier", [True, False], ids=["second", "first"])
def test_a_save_whose_process_is_killed_leaves_the_last_checkpoint(
    checkpoints: Checkpoints, make: Make, spec: RunSpec, event: str, files: int | None, earlier: bool
) -> None:
    def assert_untouched() -> None:
        if earlier:
            assert_same(checkpoints.load(spec, unexpected), make(2))
        else:
            assert checkpoints.load(spec, unexpected) is None

    if earlier:
        checkpoints.save(make(2))
    saved = make(5, random_seed=1)
    given = (saved.recording, saved.leaves)
    with child(SAVE, given, str(checkpoints.root), event, ".partial-") as process:
        assert heard(process) == "ready"
        assert_untouched()
        kill(process)
    assert_untouched()
    leftovers = list((checkpoints.root / "runs").glob(".partial-*"))
    assert [len(list(leftover.iterdir())) for leftover in leftovers] == ([] if files is None else [files])

    checkpoints.save(make(6, random_seed=2))
    assert_same(checkpoints.load(spec, unexpected), make(6, random_seed=2))
    # A day later the store cleans up.
    yesterday = time.time() - 25 * 3600
    for leftover in leftovers:
        os.utime(leftover, (yesterday, yesterday))
    Store.open(checkpoints.root)
    assert names(checkpoints) == [checkpoints.path(spec).name]


@pytest.mark.parametrize("call", ["mkdir", "fsync", "replace"])
def test_without_room_the_last_checkpoint_stays(
    checkpoints: Checkpoints, make: Make, spec: RunSpec, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    checkpoints.save(make(2))

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os if call == "fsync" else Path, call, full)
        with pytest.raises(AttnsearchError) as caught:
            checkpoints.save(make(5))
    assert str(caught.value) == (
        f"cannot save a checkpoint of run {spec.digest} in {checkpoints.root}: No space left on device; "
        "stored runs stay readable; make room, then give the same command again"
    )
    assert names(checkpoints) == [checkpoints.path(spec).name]
    assert_same(checkpoints.load(spec, unexpected), make(2))
