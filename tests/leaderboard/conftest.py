"""A ladder of search spaces, and three mixers on it: one fast, one slow."""

from __future__ import annotations

import pytest
from helpers.ladder import LADDER, SLOW, entry
from helpers.made_runs import ATTENTION, MINE, runs, suite

from attnsearch.leaderboard.entry import Entry
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import MixerSpec
from attnsearch.spec.suite import Suite


@pytest.fixture(scope="session")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return suite(tmp_path_factory.mktemp("suite"), LADDER)


@pytest.fixture(scope="session")
def made(ladder: Suite) -> dict[MixerSpec, list[StoredRun]]:
    """The runs of each mixer."""
    return {mixer: runs(ladder, mixer, pace) for mixer, pace in ((ATTENTION, 1.0), (MINE, 0.6), (SLOW, 3.0))}


@pytest.fixture(scope="session")
def entries(ladder: Suite, made: dict[MixerSpec, list[StoredRun]]) -> dict[str, Entry]:
    return {mixer.name: entry(ladder, mixer, own) for mixer, own in made.items()}
