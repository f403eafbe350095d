"""Stored runs as a study, in Python."""

from __future__ import annotations

import os

from attnsearch.results.study import Study
from attnsearch.runs.lookup import collect, standings
from attnsearch.runs.opened import Opener


def load(*names: str | os.PathLike[str]) -> Study:
    """The runs that `names` stand for, as a study. Nothing is written but the index of a store of
    many runs, see `attnsearch.runs.index`.

    A name is a folder that was given as --out, the folder of one run, or the first digits of a run's digest.
    Runs that are damaged are left out; `Study.unreadable` says which, and why. Curves, maps and heads stay on
    the disk and are read when they are asked for, so that a study of many runs takes little memory; a damaged
    map is an UnreadableRun then. Errors: AttnsearchError for a
    name that stands for nothing, and where none stands for a run.
    """
    given = [os.fspath(name) for name in names]
    unreadable: list[str] = []
    runs = collect(given, unreadable.append, Opener())
    return Study(runs, standings(given), tuple(unreadable))
