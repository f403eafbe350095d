"""Below which loss a run has escaped: said here alone, of runs in training, stored runs and entries.

Numpy side; never imports jax.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from attnsearch.spec.plugins import shipped
from attnsearch.spec.run import TaskSpec

MARGIN = 0.96
"""Of the loss of a shortcut that needs no search. Its recorded loss scatters: by 0.9 % of chance for a bag of
the inputs of a linear map with S = 8, s = 1 and 1,024 tokens a step. Further below, one found target of many
would not be enough."""

CHANCE = "chance"
"""What holds a threshold that no shortcut lowers."""


class EscapeThreshold(NamedTuple):
    """The mean target loss below which a run has escaped.

    share:    of chance
    held_by:  `CHANCE`, or the name of the shortcut that lowers it
    """

    share: float
    held_by: str = CHANCE


@lru_cache(maxsize=4_096)
def escape_threshold(task: TaskSpec) -> EscapeThreshold:
    """The task's own fraction of chance, or `MARGIN` of a shortcut that needs no search, whichever is lower.

    A run that took such a shortcut would else escape without having found anything. Shortcuts are known of
    generators that ship.
    """
    found = EscapeThreshold(task.plateau.escape)
    made = shipped(task)
    if made is None:
        return found
    knobs = {name: value for name, value in task.knobs if name in made.traced_knobs}
    for shortcut in made.shortcuts:
        share = 1.0 if shortcut.loss is None else shortcut.loss(knobs) / made.chance_loss
        if share < 1:
            found = min(found, EscapeThreshold(MARGIN * share, shortcut.name), key=lambda one: one.share)
    return found
