"""The machine a process trains on: its devices, its compilation cache, its description."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from attnsearch.training import machine

TOKENS_IN_CACHE = 512
"""Tokens of a part of a batch on a CPU: its activations then stay in a core's cache."""


def use_every_core(cores: int | None = None) -> None:
    """Make each CPU core a device of its own, so that each trains a lane, and keep compilations.

    cores:  how many may be used; all of them unless given

    Changes settings of this process, so it is for programs, not for libraries; call it before jax is
    first used. Where jax already runs, or the number of CPU devices is already set, it stays.
    """
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        try:
            jax.config.update("jax_num_cpu_devices", cores or machine.cores())
        except RuntimeError:
            return
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "attnsearch"
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError:
            return
        jax.config.update("jax_compilation_cache_dir", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def gradient_parts(platform: str, batch_size: int, context_length: int) -> int:
    """Parts into which a device splits a batch: on a CPU, as many as leave each `TOKENS_IN_CACHE`."""
    if platform != "cpu":
        return 1
    smallest = min(batch_size, -(-TOKENS_IN_CACHE // context_length))
    sizes = (size for size in range(smallest, batch_size + 1) if batch_size % size == 0)
    return batch_size // next(sizes)


def needed(num_runs: int, lanes_per_device: int) -> Sequence[Any]:
    """The local devices that `num_runs` runs can keep busy; never more than there are."""
    return jax.local_devices()[: -(-num_runs // lanes_per_device)]


def describe(num_lanes: int) -> dict[str, Any]:
    """The environment of a run, as JSON values: versions, device, lanes."""
    local = jax.local_devices()
    packages = ("attnsearch", "jax", "jaxlib", "flax", "optax", "numpy")
    return machine.describe(packages, local[0].device_kind, len(local), num_lanes)
