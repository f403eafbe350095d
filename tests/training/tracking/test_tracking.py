"""Runs are told to trackers once each, whatever happens to the runs or to the trackers."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from helpers.tiny import RUN
from helpers.tracked import TWO, Failing, Remembered, Remembering, begun, grow, track, train

from attnsearch.base import AttnsearchError
from attnsearch.cli import main as cli
from attnsearch.training.tracking.follower import Follower
from attnsearch.training.tracking.names import TRACKERS, opened
from attnsearch.training.tracking.observer import Tracking
from attnsearch.training.tracking.tracker import Subject

MASTERED, DIVERGED = TWO


def test_runs_side_by_side_are_told_from_their_beginning_to_their_end() -> None:
    tracker = Remembering()
    track(tracker)
    assert [run.subject.spec for run in tracker.runs] == [MASTERED.spec, DIVERGED.spec]
    for told, run in zip(tracker.runs, TWO, strict=True):
        assert told.steps == [0, *run.curves.step]
        assert told.ending is not None
        assert (told.ending.status, told.ending.step) == (run.status, run.curves.step[-1])


def test_what_is_told_does_not_hang_on_when() -> None:
    often, seldom = Remembering(), Remembering()
    track(often)
    with Tracking([seldom], pytest.fail, interval=1e9) as tracking:
        train(tracking, TWO)
    for one, other in zip(often.runs, seldom.runs, strict=True):
        assert one.steps == other.steps
        assert one.ending == other.ending


def test_an_interrupted_run_is_told_up_to_there_and_begins_anew_when_it_goes_on() -> None:
    tracker = Remembering()
    with Tracking([tracker], pytest.fail) as tracking:
        train(tracking, TWO, steps=120)
    for told in tracker.runs:
        assert told.steps == list(range(0, 130, 10))
        assert told.ending is not None
        assert told.ending.status == "interrupted"
    with Tracking([tracker], pytest.fail) as tracking:
        train(tracking, TWO, since=100)
    for told, run in zip(tracker.runs[2:], TWO, strict=True):
        assert told.steps == [0, *run.curves.step]


def test_lanes_that_are_made_anew_double_no_point() -> None:
    tracker = Remembering()
    with Tracking([tracker], pytest.fail, interval=0) as tracking:
        train(tracking, [MASTERED], steps=120)
        train(tracking, [MASTERED], since=50)
    assert [told.steps for told in tracker.runs] == [[0, *MASTERED.curves.step]]


def test_a_run_of_another_process_is_left_to_it() -> None:
    tracker = Remembering()
    with Tracking([tracker], pytest.fail) as tracking:
        tracking.finished(MASTERED)
    assert tracker.runs == []


def test_a_tracker_that_fails_is_told_of_once_and_disturbs_no_other() -> None:
    tracker, warnings = Remembering(), []
    with Tracking([Failing(), tracker], warnings.append, interval=0) as tracking:
        train(tracking, TWO)
    assert warnings == ["tracking with failing failed: OSError: the disk is full; training is untouched"]
    assert [told.steps for told in tracker.runs] == [[0, *run.curves.step] for run in TWO]


class _Stuck(Remembering):
    """Answers when it is let."""

    name = "stuck"

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()

    def begin(self, subject: Subject) -> Remembered:
        self.let.wait()
        return super().begin(subject)


def test_a_tracker_that_answers_no_more_is_given_up() -> None:
    tracker = _Stuck()
    follower = Follower(tracker, patience=0.05)
    recording = begun(MASTERED)
    follower.begin(recording)
    for step in range(10, 170, 10):
        grow(recording, MASTERED, step)
        follower.write([recording])
    follower.close()
    assert follower.failure == "it has done nothing for 0 s"
    tracker.let.set()


@pytest.mark.parametrize("name", TRACKERS)
def test_what_is_not_installed_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(AttnsearchError, match=rf"pip install 'attnsearch\[{name}\]'$"):
        opened(name, tmp_path)


def test_the_command_says_so_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(SystemExit) as ended:
        cli.main([*RUN, "--no-plots", "--track", "wandb", "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told == (
        "attnsearch: --track wandb needs packages that are not installed: pip install 'attnsearch[wandb]'\n"
    )
    assert not (tmp_path / "out").exists()
