"""Sweeps on a cluster of several nodes: the same runs as here, whichever node or process dies."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import ray
from helpers.made_trainer import FAULTY, MadeTrainer, made_specs, on_worker
from helpers.sweeps import BOTH, Undisturbed, Watcher, all_the_same, stored, sweep
from helpers.terminal import attnsearch
from helpers.tiny import SUITE
from ray.cluster_utils import Cluster

from attnsearch.backends import on_cluster, run
from attnsearch.base import AttnsearchError
from attnsearch.runs.store import Store
from attnsearch.training.backend import TrainingSettings
from attnsearch.training.jax.backend import JaxBackend
from attnsearch.training.observer import ClusterWorker, Shards
from attnsearch.training.ray.backend import RayBackend
from attnsearch.training.ray.settings import ClusterSettings
from attnsearch.training.ray.shards import ATTEMPTS

Nodes = Callable[[int], tuple[Cluster, list[Any]]]

LONG: dict[str, list[Any]] = {"steps": [2000], "early_stopping": [False], "width": [16]}
"""Runs that take a moment: there is time to kill something."""

LONGER = "steps = 2000\nearly_stopping = false\nlearning_rate = 3e-3\nwarmup_steps = 20"
"""The same in a suite."""

OFTEN = TrainingSettings(checkpoint_every=0.1)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, backend: JaxBackend) -> Undisturbed:
    """The runs of these tests, trained here."""
    specs, store = sweep(range(3), BOTH | LONG), Store.open(tmp_path_factory.mktemp("here"))
    return dict(zip(specs, run(specs, store, backend=backend), strict=True))


class Killer(Watcher):
    """Kills a node once both are at work."""

    def __init__(self, cluster: Cluster, node: Any):
        super().__init__()
        self.cluster, self.node = cluster, node
        self.workers: set[str] = set()
        self.shards: list[Shards] = []

    def spread(self, workers: Sequence[ClusterWorker], shards: Shards) -> None:
        self.workers |= {worker.name for worker in workers}
        self.shards.append(shards)
        if len(workers) == 2 and self.node:
            self.cluster.remove_node(self.node, allow_graceful=False)
            self.node = None


def test_a_node_dies_in_the_middle(nodes: Nodes, tmp_path: Path, undisturbed: Undisturbed):
    cluster, (_, victim) = nodes(2)
    killer = Killer(cluster, victim)
    specs, backend = list(undisturbed), on_cluster(ClusterSettings(cluster.address))
    run(specs, Store.open(tmp_path), backend=backend, observer=killer, settings=OFTEN)
    assert killer.node is None
    assert any("has failed" in warning for warning in killer.warnings)
    assert len(killer.workers) == 2
    assert killer.shards[-1].given_up == 0
    all_the_same(tmp_path, undisturbed)


def test_the_sender_is_killed_in_the_middle(nodes: Nodes, tmp_path: Path, undisturbed: Undisturbed):
    cluster, _ = nodes(1)
    suite, out = tmp_path / "tiny.toml", tmp_path / "results"
    text = SUITE.replace("steps = 20", LONGER).replace("seeds = 2", "seeds = 3")
    suite.write_text(text.replace("width = 32\n", "width = 16\n", 1))
    words = ["sweep", str(suite), "--engine", "ray", "--address", cluster.address, "--out", str(out)]
    words += ["--no-plots", "--checkpoint-every", "0.1"]
    with subprocess.Popen([sys.executable, "-m", "attnsearch", *words, "--quiet"]) as sender:
        while not (list(out.glob("runs/[!.]*")) and list(out.glob("runs/.checkpoint-*"))):
            assert sender.poll() is None
            time.sleep(0.02)
        sender.kill()
    before = stored(out)
    assert 0 < len(before) < len(undisturbed)
    again = attnsearch(*words)
    assert again.status == 0, again.err
    assert f"{len(before)} of {len(undisturbed)} runs answered from the store" in again.err
    all_the_same(out, undisturbed)


def test_a_shard_that_always_fails_is_told_and_the_others_are_trained(nodes: Nodes, tmp_path: Path):
    cluster, _ = nodes(1)
    specs, watcher = made_specs([0, FAULTY, 1, 2]), Watcher()
    backend = RayBackend(MadeTrainer(), on_worker, ClusterSettings(cluster.address))
    with pytest.raises(AttnsearchError, match=r"cannot train 1 of the runs.*this run cannot be trained"):
        run(specs, Store.open(tmp_path), backend=backend, observer=watcher)
    assert {spec.seed for spec in stored(tmp_path)} == {0, 1, 2}
    assert sum("has failed" in warning for warning in watcher.warnings) >= ATTEMPTS


def test_it_stops_when_it_is_asked_to(nodes: Nodes, tmp_path: Path):
    cluster, _ = nodes(1)
    backend = RayBackend(MadeTrainer(), on_worker, ClusterSettings(cluster.address, worker_cpus=64))
    watcher = Watcher(points=0)
    with pytest.raises(KeyboardInterrupt):
        run(made_specs(range(2)), Store.open(tmp_path), backend=backend, observer=watcher)
    assert "no room for a worker of 64 CPUs and 0 GPUs" in watcher.warnings[0]
    assert not list(tmp_path.glob("runs/.claim-*"))


def test_a_cluster_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(*arguments: Any, **settings: Any) -> None:
        # Ray itself tries for a minute.
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(ray, "init", refused)
    backend = RayBackend(MadeTrainer(), on_worker, ClusterSettings("127.0.0.1:1"))
    with pytest.raises(AttnsearchError, match=r"cannot reach a Ray cluster 127\.0\.0\.1:1: .*nobody answers"):
        run(made_specs([0]), Store.open(tmp_path), backend=backend)
