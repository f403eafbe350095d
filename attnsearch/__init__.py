"""attnsearch: how long a sequence mixer searches for the attention pattern that a task needs.

The names below are the package's front door. Each is loaded when it is first used, so that what needs
no jax starts without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnsearch.base import AttnsearchError
    from attnsearch.generators import GENERATORS
    from attnsearch.mixers import MIXERS, LogitMixer, Mixer
    from attnsearch.results.cells import cells, table
    from attnsearch.runs.store import Store
    from attnsearch.training.jax.cohorts import Registries, specify
    from attnsearch.training.jax.devices import use_every_core
    from attnsearch.training.observer import Observer
    from attnsearch.training.runner import run

__all__ = [
    "GENERATORS",
    "MIXERS",
    "AttnsearchError",
    "LogitMixer",
    "Mixer",
    "Observer",
    "Registries",
    "Store",
    "cells",
    "run",
    "specify",
    "table",
    "use_every_core",
]

_HOMES = {
    "AttnsearchError": "base",
    "GENERATORS": "generators",
    "LogitMixer": "mixers",
    "MIXERS": "mixers",
    "Mixer": "mixers",
    "Observer": "training.observer",
    "Registries": "training.jax.cohorts",
    "Store": "runs.store",
    "cells": "results.cells",
    "run": "training.runner",
    "specify": "training.jax.cohorts",
    "table": "results.cells",
    "use_every_core": "training.jax.devices",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'attnsearch' has no attribute {name!r}")
    return getattr(import_module(f"attnsearch.{_HOMES[name]}"), name)
