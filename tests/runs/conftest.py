"""Folders of runs that tests of this room begin with."""

from pathlib import Path

import pytest
from helpers.checkpointed import Make, maker

from attnsearch.base import Truth
from attnsearch.runs import opened
from attnsearch.runs.checkpoints import Checkpoints
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of an empty store."""
    return Store.open(tmp_path / "results").root


@pytest.fixture
def checkpoints(root: Path) -> Checkpoints:
    return Checkpoints(root)


@pytest.fixture
def make(spec: RunSpec, truth: Truth) -> Make:
    return maker(spec, truth)


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of runs whose files are read from here on."""
    seen: list[Path] = []
    question = opened.question

    def asked(folder: Path) -> dict[str, object]:
        seen.append(folder)
        return question(folder)

    monkeypatch.setattr(opened, "question", asked)
    return seen
