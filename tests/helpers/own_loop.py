"""Loops of one's own that train nothing: their losses fall when they are told to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import attnsearch
from attnsearch.base import Floats, Integers
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import Value

SETTINGS: dict[str, Value] = {
    **{"state_size": 4, "support_size": 2},
    **{"steps": 200, "tokens_per_step": 256, "width": 32, "learning_rate": 3e-3},
}
"""A linear map of four inputs; what is not told of the network is its depth, its MLP and the rest."""

CHANCE = np.log(2)


def recorder(root: Path, name: str = "mine", seed: int = 0, **settings: Value) -> attnsearch.Recorder:
    """The recorder of a run on the linear map."""
    return attnsearch.Recorder("linear_map", name, seed=seed, out=root, settings={**SETTINGS, **settings})


def losses(step: int, escape: int = 60) -> Floats:
    """`f32[4]`: chance until `escape`, and then next to nothing."""
    return np.full(4, CHANCE if step < escape else 0.01, np.float32)


def logits(tokens: Integers) -> Floats:
    """A network that answers with the first input: `f32[B, 8, 3]`."""
    return np.repeat(50.0 * np.eye(3, dtype=np.float32)[tokens[:, :1]], tokens.shape[1], axis=1)


def recorded(
    root: Path, name: str = "mine", seed: int = 0, *, maps: bool = False, **settings: Value
) -> StoredRun:
    """A run of such a loop, stored in `root`; with the maps of `logits` or without any."""
    with recorder(root, name, seed, **settings) as made:
        for _ in made.batches(logits if maps else None):
            made.record(losses(made.step, 60 + 10 * seed))
        return made.finish()
