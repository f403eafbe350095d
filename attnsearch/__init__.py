"""attnsearch: how long a sequence mixer searches for the attention pattern that a task needs.

The names below are the package's front door. Each is loaded when it is first used, so that what needs
no jax starts without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnsearch.backends import Backends as Backends
    from attnsearch.backends import run as run
    from attnsearch.backends import specify as specify
    from attnsearch.base import AttnsearchError as AttnsearchError
    from attnsearch.base import Example as Example
    from attnsearch.base import Truth as Truth
    from attnsearch.foreign.recorder import Recorder as Recorder
    from attnsearch.generators import GENERATORS as GENERATORS
    from attnsearch.generators.base import Generator as Generator
    from attnsearch.mixers import MIXERS as MIXERS
    from attnsearch.mixers import LogitMixer as LogitMixer
    from attnsearch.mixers import Mixer as Mixer
    from attnsearch.results.loading import load as load
    from attnsearch.results.study import Study as Study
    from attnsearch.runs.store import Store as Store
    from attnsearch.training.backend import TrainingSettings as TrainingSettings
    from attnsearch.training.jax.backend import JaxBackend as JaxBackend
    from attnsearch.training.jax.devices import use_every_core as use_every_core
    from attnsearch.training.observer import Observer as Observer

_HOMES = {
    "AttnsearchError": "base",
    "Backends": "backends",
    "Example": "base",
    "GENERATORS": "generators",
    "Generator": "generators",
    "JaxBackend": "training.jax.backend",
    "LogitMixer": "mixers",
    "MIXERS": "mixers",
    "Mixer": "mixers",
    "Observer": "training.observer",
    "Recorder": "foreign.recorder",
    "Store": "runs.store",
    "Study": "results.study",
    "TrainingSettings": "training.backend",
    "Truth": "base",
    "load": "results.loading",
    "run": "backends",
    "specify": "backends",
    "use_every_core": "training.jax.devices",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'attnsearch' has no attribute {name!r}")
    return getattr(import_module(f"attnsearch.{_HOMES[name]}"), name)
