"""The page of a folder, made anew as the folder changes, and at a bounded cost."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from attnsearch.base import plain
from attnsearch.report.page import render
from attnsearch.report.report import LIVE_SCRIPTS, report
from attnsearch.report.training import Live
from attnsearch.results.study import Study
from attnsearch.runs.lookup import standings
from attnsearch.runs.store import StoredRun
from attnsearch.watch.folder import Folder, Sight
from attnsearch.watch.pace import training_of

PAUSE = 1.0
"""Seconds between two looks at the folder, at least."""

SHARE = 20
"""A look or a page is followed by a pause, so many times as long as it kept a core busy: the machine is for
training."""


MOST_RUNS = 500
"""Runs that a page holds one by one. A browser gets the page anew with every change."""


class State(NamedTuple):
    """Which state of the page is the latest.

    revision:  names it
    looked:    when the folder was last looked at, in seconds since 1970
    root:      the folder
    """

    revision: str
    looked: float
    root: str


class Pages:
    """The page of the store at `root`. Several threads may ask for it at once.

    pause:  seconds between two looks at the folder, at least, and between two questions of the page
    """

    def __init__(self, root: Path, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic):
        self._root, self._least, self._clock = root, pause, clock
        self._folder = Folder(root)
        self._standings = standings([str(root)])
        self._lock = threading.Lock()
        # No state of an earlier process has the name of one of these.
        self._process, self._number = secrets.token_hex(4), 0
        self._sight: Sight | None = None
        self._study = Study(())
        self._looked, self._due = 0.0, clock()
        self._made = ("", b"")

    def state(self) -> State:
        """The latest state."""
        with self._lock:
            self._look()
            return State(self._revision, self._looked, plain(str(self._root)))

    def page(self) -> bytes:
        """The page of the latest state."""
        with self._lock:
            self._look()
            if self._made[0] != self._revision:
                began = time.thread_time()
                self._made = (self._revision, self._page().encode())
                self._pause(time.thread_time() - began)
            return self._made[1]

    @property
    def _revision(self) -> str:
        return f"{self._process}-{self._number}"

    def _look(self) -> None:
        if self._clock() < self._due:
            return
        began = time.thread_time()
        sight = self._folder.look()
        if sight is not self._sight:
            self._sight = sight
            self._number += 1
        self._looked = time.time()
        self._pause(time.thread_time() - began)

    def _pause(self, cost: float) -> None:
        self._due = max(self._due, self._clock() + max(self._least, SHARE * cost))

    def _page(self) -> str:
        assert self._sight is not None
        sight = self._sight
        training = training_of(sight, Live(self._revision, self._least))
        if not sight.stored and not sight.unfinished:
            return render(
                "waiting.html.jinja",
                styles=("report.css",),
                scripts=LIVE_SCRIPTS,
                data=training.live._asdict(),
                asks_server=True,
                context={
                    "version": version("attnsearch"),
                    "title": f"Waiting for runs in {plain(str(self._root))}",
                    "training": training,
                },
            )
        return report(self._study_of(sight.stored), training=training, most=MOST_RUNS)

    def _study_of(self, stored: tuple[StoredRun, ...]) -> Study:
        """The last study, with all that it computed, while the runs are the same."""
        if stored != tuple(self._study.runs):
            self._study = Study(stored, self._standings)
        return self._study
