"""What a tracker is told of a run, and the protocol that each adapter fulfils."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from attnsearch.runs.store import Status
from attnsearch.spec.run import RunSpec, Value
from attnsearch.training.tracking.images import Image


class Subject(NamedTuple):
    """A run before its first step, as trackers show it.

    name:      the run in words
    cell:      its cell, as a file's name; another cell has another
    seed:      its seed, as a file's name; another run of the cell has another
    tags:      its task and its mixer
    settings:  its whole specification, by name
    command:   the shell command that trains it again
    """

    spec: RunSpec
    name: str
    cell: str
    seed: str
    tags: tuple[str, ...]
    settings: Mapping[str, Value]
    command: str


class Entry(NamedTuple):
    """What is told of one step.

    values:  numbers by their names; the part before the slash is the section that they are shown in
    images:  pictures by their names, in grey
    """

    step: int
    values: Mapping[str, float]
    images: Mapping[str, Image]


class Ending(NamedTuple):
    """How a run ended.

    status:    "interrupted" where training was stopped before it did
    step:      steps trained
    measures:  numbers by their names: plateau, mastery; nothing of an interrupted run
    """

    status: Status | Literal["interrupted"]
    step: int
    measures: Mapping[str, float]

    @property
    def succeeded(self) -> bool:
        """Whether the run was trained to an end that counts."""
        return self.status in ("mastered", "exhausted")


class Journal(Protocol):
    """One tracked run. Whatever its methods raise is told once, and ends the tracking."""

    def write(self, entries: Sequence[Entry]) -> None:
        """Take in further steps, in their order."""
        ...

    def end(self, ending: Ending) -> None:
        """The last thing that is told of a run."""
        ...


class Tracker(Protocol):
    """A tool that shows runs. Its methods are called in one thread, and several runs are open at once."""

    @property
    def name(self) -> str:
        """As `--track` takes it."""
        ...

    def begin(self, subject: Subject) -> Journal:
        """Begin a tracked run. One of the same run that was left unended is not gone on with."""
        ...
