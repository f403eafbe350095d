"""Stores whose processes are killed, run at the same time, or have no room or file descriptors."""

from __future__ import annotations

import errno
import itertools
import os
import time
from dataclasses import replace

import numpy as np
import pytest
from helpers.child import PAUSE, child, heard, kill, output, tell
from helpers.stored import PARAMETERS, assert_same, files, make_run, names, unexpected

from attnsearch.base import AttnsearchError, Heads, Maps
from attnsearch.runs.parameters import FILE as PARAMETER_FILE
from attnsearch.runs.store import Store

CHILD = """
import pickle, sys
from pathlib import Path
from attnsearch.base import AttnsearchError
from attnsearch.runs.store import Store

store, run = Store(Path(sys.argv[1])), pickle.load(sys.stdin.buffer)
"""

SAVE = f"{CHILD}{PAUSE}store.save(run)"

ADD = f"{CHILD}{PAUSE}store.save(run, {{'a': __import__('numpy').ones(3)}})"

LITTLE_ROOM = f"""{CHILD}
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    store.save(run)
except AttnsearchError as error:
    print(error)
"""

NO_DESCRIPTORS = f"""{CHILD}
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
try:
    store.find(run.spec, print)
except AttnsearchError as error:
    print("error:", error)
"""


@pytest.mark.parametrize(
    ("event", "path", "files_written"),
    [
        ("open", "run.json", 0),
        ("open", "curves.npz", 2),
        ("open", "maps.npz", 3),
        ("os.rename", ".partial-", 5),
    ],
)
def test_a_run_whose_process_is_killed_is_never_seen(
    store: Store, event: str, path: str, files_written: int
) -> None:
    earlier, run = make_run(0), make_run(1)
    store.save(earlier)
    with child(SAVE, run, str(store.root), event, path) as process:
        assert heard(process) == "ready"
        assert store.find(run.spec, unexpected) is None
        assert [found.spec for found in store.runs(unexpected)] == [earlier.spec]
        kill(process)

    (leftover,) = (store.root / "runs").glob(f".partial-{run.spec.digest}-*")
    assert len(list(leftover.iterdir())) == files_written
    again = Store.open(store.root)
    assert leftover.exists()
    assert again.find(run.spec, unexpected) is None
    assert [found.spec for found in again.runs(unexpected)] == [earlier.spec]
    again.save(run)
    assert_same(again.find(run.spec, unexpected), run)

    yesterday = time.time() - 25 * 3600
    os.utime(leftover, (yesterday, yesterday))
    Store.open(store.root)
    assert names(store) == sorted([earlier.spec.digest, run.spec.digest])


@pytest.mark.parametrize("event", ["open", "os.rename"])
def test_a_process_killed_while_it_adds_parameters_adds_nothing(store: Store, event: str) -> None:
    run = make_run(0)
    store.save(run)
    before = files(store.path(run.spec))
    with child(ADD, run, str(store.root), event, PARAMETER_FILE) as process:
        assert heard(process) == "ready"
        assert files(store.path(run.spec)) == before
        kill(process)
    assert files(store.path(run.spec)) == before
    assert_same(Store.open(store.root).find(run.spec, unexpected), run)
    store.save(run, PARAMETERS)
    assert store.holds(run.spec, parameters=True)


def test_two_processes_that_save_the_same_run_store_one_whole(store: Store) -> None:
    ours, theirs = make_run(0), replace(make_run(1), spec=make_run(0).spec)
    assert ours.measures.to_json(ours.maps) != theirs.measures.to_json(theirs.maps)
    arguments = ("os.rename", ".partial-")
    with (
        child(SAVE, ours, str(store.root), *arguments) as first,
        child(SAVE, theirs, str(store.root), *arguments) as second,
    ):
        assert heard(first) == "ready"
        assert heard(second) == "ready"
        assert len(names(store)) == 2
        for process in (first, second):
            tell(process, b"\n")
        assert output(first) == output(second) == ""
    found = store.find(ours.spec, unexpected)
    assert found is not None
    assert_same(
        found, ours if found.measures.to_json(found.maps) == ours.measures.to_json(ours.maps) else theirs
    )
    assert names(store) == [ours.spec.digest]


def test_a_run_for_which_there_is_no_room_leaves_nothing_behind(store: Store) -> None:
    earlier, run = make_run(0), make_run(1)
    store.save(earlier)
    influence = np.random.default_rng(0).random((500, 3, 7), dtype=np.float32)
    later = np.zeros(500, np.float32)
    maps = Maps(np.arange(500, dtype=np.int32), influence, influence.mean(axis=-1), later)
    run = replace(run, maps=maps, heads=Heads.none(maps))
    with child(LITTLE_ROOM, run, str(store.root)) as process:
        (line,) = output(process).splitlines()
    assert f"cannot store run {run.spec.digest} in {store.root}: File too large; " in line
    assert "stored runs stay readable" in line
    assert "the same command again" in line
    assert names(store) == [earlier.spec.digest]
    assert_same(store.find(earlier.spec, unexpected), earlier)
    store.save(run)
    assert_same(store.find(run.spec, unexpected), run)


@pytest.mark.parametrize("whole_files", [0, 1, 3])
def test_a_full_disk_is_named(store: Store, monkeypatch: pytest.MonkeyPatch, whole_files: int) -> None:
    calls = itertools.count()

    def fsync(descriptor: int) -> None:
        if next(calls) >= whole_files:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(AttnsearchError, match="No space left on device") as caught:
        store.save(make_run(0))
    assert "\n" not in str(caught.value)
    assert next(calls) > whole_files
    assert names(store) == []


def test_a_run_is_not_moved_aside_for_want_of_file_descriptors(store: Store) -> None:
    run = make_run(0)
    store.save(run)
    with child(NO_DESCRIPTORS, run, str(store.root)) as process:
        (line,) = output(process).splitlines()
    assert line == f"error: cannot read {store.path(run.spec) / 'run.json'}: Too many open files"
    assert_same(store.find(run.spec, unexpected), run)
