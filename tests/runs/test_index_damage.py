"""An index that is damaged, locked, of other code, or whose writers are killed: noticed, and mended."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from helpers import made_runs
from helpers.child import child, output
from helpers.damage import Damage, overwrite, truncate, turn_into_folder, write
from helpers.hand_made import run_of, spec_of
from helpers.stored import read_indexed, unexpected

from attnsearch.results.study import Study
from attnsearch.runs import index
from attnsearch.runs.index import FILE, Index, Row
from attnsearch.runs.indexed import version
from attnsearch.runs.store import Store, StoredRun

RUNS = 6


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with an index of all of its runs."""
    found = [100, 110, 120, None]
    root = made_runs.stored(
        tmp_path / "results", [run_of(spec_of(seed=n), found, heads=1) for n in range(RUNS)]
    )
    read_indexed(root)
    return root


def said(runs: list[StoredRun]) -> object:
    return list(Study(runs).by_cell), [(run.spec, run.status, run.environment) for run in runs]


def without(root: Path) -> object:
    """The answers of a store that has no index."""
    return said(list(Store(root).runs(unexpected)))


@pytest.mark.parametrize(
    "damage",
    [
        truncate(lambda size: 0),
        truncate(lambda size: 50),
        truncate(lambda size: size // 2),
        truncate(lambda size: size - 4_096),
        overwrite(lambda place: 0),
        overwrite(lambda place: place),
        write("not a database, but longer than the header of one" * 100),
    ],
)
def test_a_damaged_file_is_replaced(root: Path, opens: list[Path], damage: Damage) -> None:
    damage(root / FILE)
    assert said(read_indexed(root)) == without(root)
    assert opens
    opens.clear()
    assert said(read_indexed(root)) == without(root)
    assert opens == []


def test_whatever_byte_is_wrong_nothing_wrong_is_said(root: Path) -> None:
    """The content of a page, its header, the schema, or a text that many rows share."""
    right, file = without(root), root / FILE
    whole = file.read_bytes()
    for place in range(0, len(whole), 1_201):
        content = bytearray(whole)
        content[place] ^= 0x15
        file.write_bytes(content)
        assert said(read_indexed(root)) == right, place
    assert said(read_indexed(root)) == right


def test_where_a_folder_is_in_its_place_runs_are_read(root: Path) -> None:
    turn_into_folder(root / FILE)
    assert said(read_indexed(root)) == without(root)
    Store(root).save(run_of(spec_of(seed=9), [100] * 4))
    assert len(read_indexed(root)) == RUNS + 1


def test_rows_of_other_code_are_dropped(root: Path, opens: list[Path]) -> None:
    other = Index(root, version() % (2**31 - 1) + 1)
    name = bytes.fromhex(Store(root).folders()[0].name)
    assert other.find(name) is None
    other.add(Row(name, "{}", "{}", b"stamp", b"content"))
    other.close()
    assert said(read_indexed(root)) == without(root)
    assert len(opens) == RUNS


def test_an_index_that_another_process_holds_is_not_waited_for(root: Path, opens: list[Path]) -> None:
    connection = sqlite3.connect(root / FILE, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    Store(root).save(run_of(spec_of(seed=9), [100] * 4))
    assert len(read_indexed(root)) == RUNS + 1
    assert len(opens) == RUNS + 1
    connection.execute("ROLLBACK")
    connection.close()
    opens.clear()
    assert len(read_indexed(root)) == RUNS + 1
    assert [folder.name for folder in opens] == [spec_of(seed=9).digest]


@pytest.mark.parametrize("remove", [True, False])
def test_a_folder_that_cannot_be_written_is_read(
    root: Path, opens: list[Path], monkeypatch: pytest.MonkeyPatch, remove: bool
) -> None:
    right = without(root)
    if remove:
        (root / FILE).unlink()
    monkeypatch.setattr(index.os, "access", lambda path, mode: False)
    before = sorted(root.iterdir())
    assert said(read_indexed(root)) == right
    assert len(opens) == (RUNS if remove else 0)
    assert sorted(root.iterdir()) == before


# Writers that are killed, and writers at the same time.

WRITER = """
import os, pickle, random, signal, sys, time
from dataclasses import replace
from pathlib import Path
from attnsearch.runs.store import Store

root, run = Path(sys.argv[1]), pickle.load(sys.stdin.buffer)
spec = run.spec

def write(first, count):
    for seed in range(first, first + count):
        store.save(replace(run, spec=replace(spec, seed=seed)))

def forked(first, count):
    process = os.fork()
    if not process:
        write(first, count)
        os._exit(0)
    return process

store = Store(root)
"""

KILLS = (
    WRITER
    + """
drawn = random.Random(0)
for kill in range(20):
    before = len(os.listdir(root / "runs"))
    process = forked(100_000 + 1_000 * kill, 1_000)
    while len(os.listdir(root / "runs")) < before + 3:
        time.sleep(0.001)
    time.sleep(drawn.uniform(0, 0.03))
    os.kill(process, signal.SIGKILL)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL
"""
)

TOGETHER = (
    WRITER
    + """
for process in [forked(200_000, 40), forked(200_020, 40)]:
    assert os.waitpid(process, 0)[1] == 0
"""
)


def written_by(script: str, root: Path) -> set[int]:
    """The seeds of the runs in `root` after `script` has run. One thread, or it may not fork."""
    run = run_of(spec_of(seed=0), [100, 110, 120, None])
    with child(script, run, str(root), OPENBLAS_NUM_THREADS="1") as process:
        assert output(process) == ""
    return {found.spec.seed for found in read_indexed(root)}


def test_twenty_kills_lose_nothing(root: Path) -> None:
    seeds = written_by(KILLS, root)
    assert {seed // 1_000 for seed in seeds if seed >= 100_000} <= {100 + kill for kill in range(20)}
    # Each kill broke off one run at most: what was stored before it is there.
    for kill in range(20):
        mine = sorted(seed for seed in seeds if seed // 1_000 == 100 + kill)
        assert mine == [100_000 + 1_000 * kill + n for n in range(max(1, len(mine)))]
    right = without(root)
    assert said(read_indexed(root)) == right
    with sqlite3.connect(root / FILE) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        ((rows,),) = connection.execute("SELECT count(*) FROM runs")
    connection.close()
    assert rows == len(seeds)


def test_two_writers_at_once_lose_nothing(root: Path, opens: list[Path]) -> None:
    assert written_by(TOGETHER, root) >= set(range(200_000, 200_060))
    opens.clear()
    assert said(read_indexed(root)) == without(root)
    assert opens == []
