"""Stored runs as a study, in Python."""

from __future__ import annotations

import os

from attnsearch.results.study import Study
from attnsearch.runs.lookup import collect, finder


def load(*names: str | os.PathLike[str]) -> Study:
    """The runs that `names` stand for, as a study. Nothing is written.

    A name is a folder that was given as --out, the folder of one run, or the first digits of a run's digest.
    Runs that are damaged are left out; `Study.unreadable` says which, and why. Errors: AttnsearchError for a
    name that stands for nothing, and where none stands for a run.
    """
    given = [os.fspath(name) for name in names]
    unreadable: list[str] = []
    runs = collect(given, unreadable.append)
    verified = finder(given)
    records = {mixer: verified(mixer) for mixer in dict.fromkeys(run.spec.cell.mixer for run in runs)}
    refused = dict.fromkeys(
        mixer.name for mixer, record in records.items() if record is None or not record.passed
    )
    return Study(runs, refused, tuple(unreadable))
