"""The trackers that there are, and how one is opened: what it needs is loaded then."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from attnsearch.base import AttnsearchError

if TYPE_CHECKING:
    from attnsearch.training.tracking.tracker import Tracker

_ADAPTERS = {"tensorboard": "TensorBoard", "wandb": "WeightsAndBiases", "mlflow": "MLflow"}

TRACKERS = tuple(_ADAPTERS)
"""Their names, which are also the names of their extras and, after `to_`, of their modules here."""


def opened(name: str, out: Path) -> Tracker:
    """The tracker `name`, one of `TRACKERS`, for the runs that are stored in `out`.

    Errors: AttnsearchError, naming the extra, where its packages are not installed, and where it cannot be
    used.
    """
    adapter = getattr(import_module(f"attnsearch.training.tracking.to_{name}"), _ADAPTERS[name])
    try:
        return adapter(out / "tracking")
    except ImportError as error:
        raise AttnsearchError(
            f"--track {name} needs packages that are not installed: pip install 'attnsearch[{name}]'"
        ) from error
