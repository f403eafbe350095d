"""A Ray cluster of several nodes on this machine, for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from attnsearch.training.ray.cluster import without_warning_of_forks

# The nodes tell nobody, ask for no token, and leave the memory of the machine alone.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
# Their workers import helpers, as tests do.
os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])

MEMORY = 78_643_200
"""Bytes of the object store of a node: the least that Ray takes."""


@pytest.fixture(scope="session")
def nodes() -> Iterator[Callable[[int], tuple[Cluster, list[Any]]]]:
    """Gives the cluster with so many nodes of one core each, beside the head, which trains nothing."""
    head = {"num_cpus": 0, "object_store_memory": MEMORY, "include_dashboard": False}
    with without_warning_of_forks():
        cluster = Cluster(initialize_head=True, head_node_args=head)
    workers: list[Any] = []

    def with_nodes(count: int) -> tuple[Cluster, list[Any]]:
        alive = cluster.list_all_nodes()
        workers[:] = [node for node in workers if node in alive]
        while len(workers) < count:
            with without_warning_of_forks():
                workers.append(cluster.add_node(num_cpus=1, object_store_memory=MEMORY))
        return cluster, workers

    yield with_nodes
    cluster.shutdown()


@pytest.fixture(autouse=True)
def disconnected() -> Iterator[None]:
    """No test finds the connection of another."""
    yield
    ray.shutdown()
