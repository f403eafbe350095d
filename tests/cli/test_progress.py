"""What is told while runs are trained: on a terminal, on none, and where quiet was asked for."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Sequence

import pytest
from helpers.hand_made import renamed, run_of, spec_of

from attnsearch.cli import observers
from attnsearch.cli.console import Screen
from attnsearch.cli.live import LiveProgress, telling
from attnsearch.cli.observers import Interruptible, PlainProgress
from attnsearch.cli.progress import progress_for
from attnsearch.cli.work import Work
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import Names
from attnsearch.spec.run import RunSpec
from attnsearch.training.observer import ClusterWorker, Progress, Shards

SPECS = [spec_of(seed=seed, learning_rate=rate) for rate in (1e-3, 3e-3) for seed in range(3)]
HOSTILE = "a[/b] [link=x]y[/link] \x1b]0;owned\x07\u202e"
SHOWN = r"a[/b] [link=x]y[/link] \x1b]0;owned\x07\u202e"


class Terminal:
    """A terminal of 80 by 24, and what was written to it."""

    def __init__(self) -> None:
        self._reader, writer = os.openpty()
        self.file = os.fdopen(writer, "w", encoding="utf-8")
        self._read: list[bytes] = []
        self._thread = threading.Thread(target=self._drain)
        self._thread.start()

    def _drain(self) -> None:
        while True:
            try:
                data = os.read(self._reader, 65_536)
            except OSError:
                return
            self._read.append(data)

    def written(self) -> str:
        """Everything, once nothing more is to come. A control sequence of rich becomes a line break."""
        self.file.close()
        self._thread.join()
        os.close(self._reader)
        text = b"".join(self._read).decode()
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", text).replace("\r", "")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name, value in {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)
    return Terminal()


def at(spec: RunSpec, step: int = 10, found: int = 0) -> Progress:
    return Progress(spec, step, 0.69, 0.693, found, 4, 100.0)


def ended(spec: RunSpec) -> StoredRun:
    return run_of(spec, [30, 40, 50, 60])


def told(
    tell: Interruptible, specs: Sequence[RunSpec], stored: Sequence[StoredRun] = (), pause: float = 0.0
) -> None:
    """Two lanes train all of `specs`, so many seconds a step."""
    with tell:
        tell.planned(specs, stored)
        tell.preparing(specs, 2, "compiling")
        for pair in zip(specs[::2], specs[1::2], strict=True):
            for step in (10, 20, 30):
                tell.advanced([at(spec, step, step // 10) for spec in pair], 2)
                time.sleep(pause)
            for spec in pair:
                tell.finished(ended(spec))


def test_a_terminal_shows_a_row_for_each_run_and_then_how_it_ended(terminal: Terminal) -> None:
    tell = LiveProgress(Screen(file=terminal.file), drawn_per_second=200)
    told(tell, SPECS, [ended(spec_of(seed=9))], pause=0.05)
    text = terminal.written()
    assert "7 runs: linear_map, attention, state size 4, support size 2" in text
    assert "1 of 7 runs answered from the store" in text
    for spec in SPECS:
        rate = f"learning rate {spec.cell.optimizer.learning_rate:g}"
        # What all runs have in common is not said again, nor what the runs in training have.
        assert re.search(rf"\n({rate}, )?seed {spec.seed} +10  0\.690  ▇ +1/4 #\.\.\.", text)
        assert re.search(rf"\n{rate} +step +loss  ▇ is chance +found\n", text)
        assert re.search(rf"\n\[\d/6\] {rate}, seed {spec.seed}: escaped at \d+, mastered at 60\n", text)
    assert "4 of 6 runs done, 2 running, 0 pending" in text
    assert "24 of 24 targets found" in text.split("\n6 of 6 runs done, 0 running, 0 pending")[-1]
    # At the end there is no row left, nor a heading.
    assert "step" not in text.split("6 of 6 runs done")[-1]


def test_a_thread_that_draws_meets_nothing_half_made(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rich draws from a thread of its own, while runs begin and end."""
    short = Names.short

    def slowly(names: Names, spec: RunSpec) -> str:
        time.sleep(1e-3)
        return short(names, spec)

    monkeypatch.setattr(Names, "short", slowly)
    failures: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda hook: failures.append(hook.exc_value))
    tell = LiveProgress(Screen(file=terminal.file), drawn_per_second=100_000)
    cells = [[spec_of(seed=seed, width=width) for seed in range(6)] for width in range(16, 176, 16)]
    runs = [[ended(spec) for spec in specs] for specs in cells]
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with tell:
            tell.planned([spec for specs in cells for spec in specs], [])
            for specs, ends in zip(cells, runs, strict=True):
                for index, run in enumerate(ends):
                    tell.advanced([at(spec, 10 * index + 10) for spec in specs[index:]], 6)
                    tell.finished(run)
    finally:
        sys.setswitchinterval(switching)
    terminal.written()
    assert failures == []


def test_what_runs_in_all_stays_in_sight_where_more_runs_than_lines(terminal: Terminal) -> None:
    specs = [spec_of(seed=seed) for seed in range(60)]
    tell = LiveProgress(Screen(file=terminal.file), drawn_per_second=50)
    with tell:
        tell.planned(specs, [])
        tell.advanced([at(spec) for spec in specs], 60)
        time.sleep(0.5)
    # Of 24 lines, five are kept for what scrolls. The rest are rows, how many more there are, and the footer.
    before, *_ = terminal.written().split("0 of 60 runs done, 60 running")
    assert [seed for seed in range(60) if f"seed {seed} " in before] == list(range(17))
    assert "\nand 43 more\n" in before


def test_names_are_only_text_wherever_they_are_told(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [renamed(ended(spec), task, HOSTILE) for spec, task in zip(SPECS[:2], (HOSTILE, "b"), strict=True)]
    specs = [run.spec for run in runs]
    for tell in (LiveProgress(Screen(file=terminal.file)), PlainProgress()):
        with tell:
            tell.planned(specs, [])
            tell.preparing(specs, 2, "compiling")
            tell.advanced([at(spec) for spec in specs], 2)
            tell.warned(f"of {HOSTILE}\nand of a second line")
            tell.finished(runs[0])
    lines = capsys.readouterr().err
    for text in (lines, terminal.written()):
        assert SHOWN in text.replace("\n", "")
        assert not set("\x1b\x07\u202e") & set(text)
    assert rf"warning: of {SHOWN}\nand of a second line" in lines.splitlines()
    assert f"\n[1/2] {SHOWN}, seed 0: escaped at" in lines


def test_without_a_terminal_there_are_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observers, "PLAIN_INTERVAL", 0.0)
    told(progress_for(quiet=False), [spec_of(seed=seed) for seed in (1, 2)])
    first, compiling, *lines = capsys.readouterr().err.splitlines()
    assert first == "2 runs: linear_map, attention, state size 4, support size 2"
    assert compiling == "compiling for 2 runs like seed 1, 2 at a time"
    assert lines[:2] == [
        f"seed {seed}: step 10, loss 0.690, chance 0.693, found 1/4, 100 steps/s" for seed in (1, 2)
    ]
    assert lines[2].startswith("0 of 2 runs done, 2 running, 0 pending | 2 of 8 targets found")
    assert lines[-2:] == [f"[{number}/2] seed {number}: escaped at 30, mastered at 60" for number in (1, 2)]


def test_of_many_runs_without_a_terminal_the_first_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observers, "PLAIN_INTERVAL", 0.0)
    tell = PlainProgress()
    specs = [spec_of(seed=seed) for seed in range(20)]
    tell.planned(specs, [])
    tell.advanced([at(spec) for spec in specs], 20)
    _, *lines, more, last = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"seed {seed}" for seed in range(8)]
    assert more == "and 12 more"
    assert last.startswith("0 of 20 runs done, 20 running")


def test_quiet_still_warns(capsys: pytest.CaptureFixture[str]) -> None:
    tell = progress_for(quiet=True)
    told(tell, SPECS)
    assert capsys.readouterr().err == ""
    tell.warned("run abc is damaged and trained again")
    assert capsys.readouterr().err == "warning: run abc is damaged and trained again\n"


def test_steps_of_some_work_are_lines_or_one_line(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for quiet in (True, False):
        with telling(quiet) as tell:
            tell("measuring \x1b[1m")
    assert capsys.readouterr().err == "measuring \\x1b[1m\n"
    monkeypatch.setattr("attnsearch.cli.live.console", lambda stderr: Screen(file=terminal.file))
    with telling(quiet=False) as tell:
        tell("measuring [/b] \x07")
    assert r"measuring [/b] \x07" in terminal.written()


def test_the_workers_of_a_cluster_are_told_with_their_rates() -> None:
    work = Work(SPECS)
    workers = [ClusterWorker(f"host:{number}", 2, 100.0) for number in range(6)]
    work.spread(workers, Shards(3, 8, 1))
    told = work.describe()
    assert (
        "shards: 3 ended, 8 sent, 1 given up | 6 workers, 12 lanes, 600 steps/s | host:0 100 steps/s" in told
    )
    assert "host:3 100 steps/s | and 2 more" in told
