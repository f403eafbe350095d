"""The page of a folder: what it says of runs in training, that these never count, and what it may cost."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.claimed import taken
from helpers.in_training import checkpointed
from helpers.page import Page

from attnsearch.cli.watch import watch
from attnsearch.report.report import report
from attnsearch.report.training import clock
from attnsearch.results.study import Study
from attnsearch.runs.lookup import standings
from attnsearch.runs.plans import PLAN, planning
from attnsearch.runs.store import Store, StoredRun
from attnsearch.watch.pages import SHARE, Pages
from attnsearch.watch.server import WatchServer


class Clock:
    """One that goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def pages_of(store: Store) -> Callable[[], Page]:
    """Answers the page as it is a long time after the last."""
    clock = Clock()
    pages = Pages(store.root, clock=clock)

    def page() -> Page:
        clock.now += 10_000
        return Page(pages.page().decode())

    return page


def test_a_page_without_runs_waits_for_them(store: Store, runs: list[StoredRun]) -> None:
    page = pages_of(store)
    first = page()
    assert f"Waiting for runs in {store.root}" in first.words
    assert "0 runs stored; 0 in training." in first.words
    assert page().data == first.data
    checkpointed(store.root, runs[0], 120)
    second = page()
    assert "No run has ended so far." in second.words
    assert [run["status"] for run in second.data["runs"]] == ["training"]
    assert second.data["revision"] != first.data["revision"]


def test_runs_in_training_are_told_with_their_pace(store: Store, runs: list[StoredRun]) -> None:
    page = pages_of(store)
    store.save(runs[1])
    now = time.time()
    checkpointed(store.root, runs[0], 120, now - 30)
    checkpointed(store.root, runs[2], 60, now)
    with taken(store.root, runs[0].spec), taken(store.root, runs[3].spec):
        assert "The time left is known once a run has ended, or was checkpointed twice." in page().words
        checkpointed(store.root, runs[0], 180, now)
        found = page()
    assert (
        "1 run stored; 2 in training or about to be, 1 of them without a checkpoint so far; 1 left at a"
        " checkpoint by processes that have ended. 6 of 12 targets found. The runs in training: about"
        in found.words
    )
    assert f"Checkpoints as of {clock(now)}." in found.words
    first, second = found.rows("of at most")
    assert {name: first[name] for name in ("step", "of at most", "targets found", "steps/s", "as of")} == {
        **{
            "step": "180",
            "of at most": "1,000",
            "targets found": "2 of 4",
            "steps/s": "2",
            "as of": clock(now),
        }
    }
    assert first["left"].startswith("about ")
    assert second["left"] == "stopped: no process trains it"


def test_what_cannot_be_read_is_said_on_the_page(store: Store, runs: list[StoredRun]) -> None:
    page = pages_of(store)
    path = checkpointed(store.root, runs[0], 120)
    path.write_bytes(b"no checkpoint")
    assert f"cannot read {path}: BadZipFile: File is not a zip file" in page().words


def test_runs_that_are_planned_wait(store: Store, runs: list[StoredRun]) -> None:
    page = pages_of(store)
    store.save(runs[1])
    with planning(store.root, [run.spec for run in runs]):
        for step, saved in ((120, 1_000), (180, 1_030)):
            checkpointed(store.root, runs[0], step, saved)
            with taken(store.root, runs[0].spec):
                found = page()
        assert "1 run stored; 1 in training; 4 waiting." in found.words
        assert "The runs in training and the runs that wait: about" in found.words
    # Nobody waits for what no process is about to train.
    assert "1 run stored; 0 in training; 1 left at a checkpoint by processes" in page().words


def test_runs_that_end_before_a_checkpoint_tell_the_pace(store: Store, runs: list[StoredRun]) -> None:
    page = pages_of(store)
    with planning(store.root, [run.spec for run in runs]):
        (plan,) = (store.root / "runs").glob(f"{PLAN}*")
        began = time.time() - 1_000
        os.utime(plan, (began, began))
        with taken(store.root, runs[0].spec):
            assert "The time left is known once a run has ended, or was checkpointed twice." in page().words
        for run, seconds in ((runs[0], 100), (runs[1], 300)):
            store.save(run)
            os.utime(store.path(run.spec), (began, began + seconds))
        with taken(store.root, runs[2].spec), taken(store.root, runs[3].spec):
            words = page().words
    assert (
        "2 runs stored; 2 in training or about to be, without a checkpoint so far; 2 waiting. 8 of" in words
    )
    told = re.search(
        r"The runs in training and the runs that wait: about (\d+) min left \(.*\), by the pace of", words
    )
    # Two of 330 steps took 300 s together. Four more take twice as long, if the other cell's end no sooner.
    assert told is not None
    assert 4 <= int(told[1]) <= 20


def test_runs_in_training_never_count(store: Store, runs: list[StoredRun]) -> None:
    for run in runs[:4]:
        store.save(run)
    alone = Page(report(Study(runs[:4], standings([str(store.root)]))))
    for run in runs[4:]:
        checkpointed(store.root, run, 120)
    found = pages_of(store)()
    assert found.data["laws"] == alone.data["laws"]
    assert [cell["middle"] for cell in found.data["cells"]] == [
        cell["middle"] for cell in alone.data["cells"]
    ]
    assert found.tables[1:][-len(alone.tables) + 1 :] == alone.tables[1:]
    assert len(found.data["runs"]) == len(alone.data["runs"]) + 2


def test_the_report_of_a_file_asks_nobody(runs: list[StoredRun]) -> None:
    text = report(Study(runs))
    assert "connect-src" not in text
    assert "fetch(" not in text


def test_looking_and_drawing_take_a_small_share_of_a_core(
    store: Store, runs: list[StoredRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, busy = Clock(), Clock()
    monkeypatch.setattr("attnsearch.watch.pages.time.thread_time", busy)
    pages = Pages(store.root, 1.0, clock)
    make = pages._page

    def slowly() -> str:
        busy.now += 3
        return make()

    monkeypatch.setattr(pages, "_page", slowly)
    first = pages.state().revision
    pages.page()
    store.save(runs[0])
    clock.now = 3 * SHARE - 1
    assert pages.state().revision == first
    clock.now = 3 * SHARE + 1
    assert pages.state().revision != first


def test_the_command_says_where_the_page_is_and_ends_well(
    tmp_path: Path, store: Store, runs: list[StoredRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: WatchServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(WatchServer, "serve_forever", interrupted)
    for folder in (store.root, store.root / "runs", tmp_path / "absent"):
        done = CliRunner().invoke(watch, [str(folder), "--port", "0"], catch_exceptions=False)
        assert done.exit_code == 0
        root = store.root if folder.name == "runs" else folder
        assert done.stdout.endswith(f"/ shows {root}/ as it changes; Ctrl-C ends it\n")
        assert done.stdout.startswith("http://127.0.0.1:")


def test_other_seeds_of_a_cell_share_its_colour(store: Store, runs: list[StoredRun]) -> None:
    """A cell that was first seen in training stays where it is when another cell's run is stored."""
    page = pages_of(store)
    checkpointed(store.root, runs[4], 120)
    page()
    store.save(runs[0])
    store.save(replace(runs[3]))
    assert page().data["series"] == ["mlp_mixer", "attention"]
