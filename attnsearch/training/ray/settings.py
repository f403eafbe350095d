"""Which cluster trains, and what each worker of it asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClusterSettings:
    """Which cluster trains, and what each worker of it asks for.

    address:      of a Ray cluster, as `ray.init` takes it; None for the one that RAY_ADDRESS names, or else
                  for one on this machine, which is started unless it is there
    worker_cpus:  cores of a worker; without GPUs it trains a lane on each
    worker_gpus:  GPUs of a worker; None for one where the cluster has any when the sweep begins
    """

    address: str | None = None
    worker_cpus: int = 1
    worker_gpus: int | None = None
