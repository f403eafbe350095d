"""What is made of the machine: a device of each core, and parts of a batch that fit into a cache."""

import os
import sys
from pathlib import Path
from typing import Any

import jax
import pytest

from attnsearch.training.jax import devices


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings of jax that are asked for; this process keeps its own."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(jax.config, "update", found.__setitem__)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 2, 5}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    return found


def test_each_core_that_may_be_used_is_a_device(asked: dict[str, Any]):
    devices.use_every_core()
    assert asked == {"jax_num_cpu_devices": 3}


def test_where_the_system_does_not_tell_every_core_is_a_device(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(os, "sched_getaffinity")
    devices.use_every_core()
    assert asked == {"jax_num_cpu_devices": 7}


def test_a_number_of_devices_that_is_given_stays(asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    devices.use_every_core()
    assert asked == {}


def test_compilations_are_kept_in_the_users_cache(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    devices.use_every_core()
    assert asked["jax_compilation_cache_dir"] == str(tmp_path / "attnsearch")
    assert (tmp_path / "attnsearch").is_dir()


@pytest.mark.parametrize(
    ("batch_size", "context_length", "parts"),
    [(128, 16, 4), (256, 32, 16), (3, 1000, 3), (7, 100, 1), (1, 8, 1)],
)
def test_parts_divide_the_batch_and_hold_enough_tokens(batch_size: int, context_length: int, parts: int):
    assert devices.gradient_parts("cpu", batch_size, context_length) == parts
    assert devices.gradient_parts("gpu", batch_size, context_length) == 1
