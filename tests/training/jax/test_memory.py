"""A device that has too little memory, in the words in which jax reports it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import pytest
from helpers.sweeps import Undisturbed, Watcher, same, sweep

from attnsearch.backends import run
from attnsearch.base import AttnsearchError
from attnsearch.runs.store import Store
from attnsearch.spec.run import RunSpec
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.jax.compiled import CompiledLanes


def failing(message: str, monkeypatch: pytest.MonkeyPatch, method: str, most: int) -> list[int]:
    """Makes `method` of more lanes than `most` fail; the numbers of lanes for which it has."""
    real, refused = getattr(CompiledLanes, method), list[int]()

    def called(self: CompiledLanes, *arguments: Any) -> Any:
        if self.count > most:
            refused.append(self.count)
            raise jax.errors.JaxRuntimeError(message)
        return real(self, *arguments)

    monkeypatch.setattr(CompiledLanes, method, called)
    return refused


def out_of_memory(monkeypatch: pytest.MonkeyPatch, method: str, most: int) -> list[int]:
    return failing("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.", monkeypatch, method, most)


def test_too_little_memory_means_fewer_lanes_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: Undisturbed
):
    """While it trains: the runs go on from where they were."""
    out_of_memory(monkeypatch, "advance", 2)
    watcher, settings = Watcher(), TrainingSettings(lanes=4)
    for one in run(sweep(range(4)), Store.open(tmp_path), observer=watcher, settings=settings):
        same(one, undisturbed[one.spec])
    (line,) = watcher.warnings
    assert line == "4 lanes do not fit into the device's memory: going on with 2"


def test_memory_that_runs_out_while_lanes_begin_leaves_no_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: Undisturbed
):
    """The runs that were taken for too many lanes are taken again for fewer."""

    class Listener(Watcher):
        def waiting(self, held: Sequence[RunSpec]) -> None:
            pytest.fail("it waits for runs that it has taken itself")

    refused, watcher = out_of_memory(monkeypatch, "begin", 2), Listener()
    for one in run(
        sweep(range(4)), Store.open(tmp_path), observer=watcher, settings=TrainingSettings(lanes=8)
    ):
        same(one, undisturbed[one.spec])
    assert refused == [8, 4]
    assert ["8 lanes" in watcher.warnings[0], "with 2" in watcher.warnings[1]] == [True, True]


def test_memory_for_not_even_one_lane_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out_of_memory(monkeypatch, "begin", 0)
    with pytest.raises(AttnsearchError, match="not enough memory for one run"):
        run(sweep(range(1)), Store.open(tmp_path), settings=TrainingSettings(lanes=1))


def test_other_failures_of_the_device_are_not_taken_for_a_lack_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: JaxBackend
):
    settings = TrainingSettings(lanes=2)
    with monkeypatch.context() as broken:
        failing("INTERNAL: something else", broken, "advance", 0)
        with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
            run(sweep(range(1)), Store.open(tmp_path), backend=backend, settings=settings)
    again = run(sweep(range(1)), Store.open(tmp_path), backend=backend, settings=settings)
    assert len(again) == 2, "its claims were given back"
