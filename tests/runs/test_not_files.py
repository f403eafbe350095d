"""A pipe or a socket in the place of a stored file is damage: it is told, and never waited for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.stored import FILES, PARAMETERS, make_run

from attnsearch.base import AttnsearchError
from attnsearch.runs import parameters, verification
from attnsearch.runs.checkpoints import Checkpoints
from attnsearch.runs.lookup import collect
from attnsearch.runs.store import Store
from attnsearch.runs.verification import Verification
from attnsearch.spec.run import MixerSpec


def bind(path: Path) -> None:
    # The name of a socket must be short.
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(path))


@pytest.fixture(autouse=True)
def near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, bind], ids=["pipe", "socket"])
@pytest.mark.parametrize("name", FILES)
def test_a_run_of_which_a_file_is_none(store: Store, name: str, make: Callable[[Path], None]) -> None:
    run, other = make_run(0), make_run(1)
    store.save(run)
    store.save(other)
    place = Path(os.path.relpath(store.path(run.spec) / name))
    place.unlink()
    with_short_name = Path("made")
    make(with_short_name)
    with_short_name.rename(place)
    told: list[str] = []
    assert [found.spec for found in collect([str(store.root)], told.append)] == [other.spec]
    assert len(told) == 1
    assert f"{name}: " in told[0]
    assert store.find(run.spec, told.append) is None
    assert "to be trained again" in told[1]


def test_parameters_a_checkpoint_and_a_verification(store: Store) -> None:
    run, mixer = make_run(0), MixerSpec("mine", ())
    store.save(run, PARAMETERS)
    file = store.path(run.spec) / parameters.FILE
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(AttnsearchError, match="not a regular file; remove it"):
        parameters.unpacked(file.parent, run.spec.digest)
    checkpoints = Checkpoints(store.root)
    os.mkfifo(checkpoints.path(run.spec))
    with pytest.raises(AttnsearchError, match="not a regular file"):
        checkpoints.load(run.spec, pytest.fail)
    record = verification.path(store.root, Verification(mixer, "linear_map", 128, 1, 16, (), (), "0.1"))
    record.parent.mkdir()
    os.mkfifo(record)
    assert verification.records(store.root, mixer.name) == []
