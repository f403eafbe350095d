"""From a run's stored curves to its measures: escape, found, mastery, map mass. `attnsearch.runs.outline`
judges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnsearch.base import Bools, Curves, Floats, MapMass, Maps, Plateaus, Truth
from attnsearch.runs.escape import escape_threshold
from attnsearch.runs.leaks import leaking
from attnsearch.runs.outline import Targets, escapes, finds, held, masters, outlined
from attnsearch.spec.run import TaskSpec


@dataclass(frozen=True, eq=False)
class Measures:
    """What one run's curves say, compared by identity, since equal arrays are not one truth value.

    plateau:         `[1]` steps until escape
    mastery:         `[1]` steps until every target is mastered
    found:           `[R]` steps until each target is found
    chance_map_mass: `f64[K]` map mass if every visible replaceable token had equal influence; nan where
                     there is none
    state_loss:      `f64[T - 1]` nats: last recorded mean loss of the targets of each predicted state
    """

    plateau: Plateaus
    mastery: Plateaus
    found: Plateaus
    chance_map_mass: Floats
    state_loss: Floats

    @property
    def escaped(self) -> bool:
        """Whether the plateau ended within the steps trained."""
        return bool(self.plateau.observed[0])

    @property
    def plateau_length(self) -> int:
        """Steps until escape, or the steps trained without it."""
        return int(self.plateau.length[0])

    @property
    def mastered(self) -> bool:
        """Whether every target was mastered within the steps trained."""
        return bool(self.mastery.observed[0])

    @property
    def mastery_step(self) -> int:
        """Steps until every target was mastered, or the steps trained without that."""
        return int(self.mastery.length[0])

    @property
    def in_context_gain(self) -> float | None:
        """Nats: how far the loss falls from the first predicted state to the last.

        None for one state, and where a loss is not finite.
        """
        if len(self.state_loss) < 2 or not np.isfinite(self.state_loss).all():
            return None
        return float(self.state_loss[0] - self.state_loss[-1])

    def to_json(self, maps: Maps | MapMass) -> dict[str, Any]:
        """JSON values, with the map mass of the run's `maps`.

        A length that was not observed is the steps trained without the event.
        """
        return {
            "plateau_length": self.plateau_length,
            "escaped": self.escaped,
            "mastery_step": self.mastery_step,
            "mastered": self.mastered,
            "found_step": self.found.length.tolist(),
            "found": self.found.observed.tolist(),
            "map_mass": [_finite(row) for row in maps.mass],
            "later": _finite(maps.later),
            "leaking": leaking(maps),
            "chance_map_mass": _finite(self.chance_map_mass),
            "state_loss": _finite(self.state_loss),
            "in_context_gain": self.in_context_gain,
        }


def measure(curves: Curves, truth: Truth, task: TaskSpec) -> Measures:
    """The measures of one run of `task`, under its thresholds."""
    loss, targets, rule = curves.loss[:, truth.is_target], Targets.of(truth), task.plateau
    outline = outlined(loss, targets)
    return Measures(
        plateau=first_step(curves.step, escapes(outline, targets, escape_threshold(task))[:, None]),
        mastery=first_step(curves.step, held(masters(outline, targets, rule))[:, None]),
        found=first_step(curves.step, finds(loss, targets, rule)),
        chance_map_mass=chance_map_mass(truth),
        state_loss=_last(state_loss(loss, truth)),
    )


def first_step(step: np.ndarray, happened: Bools) -> Plateaus:
    """First recorded step at which each column of `happened`, `bool[E, N]`, holds.

    Where it never does: the last recorded step (0 if there is none), unobserved.
    """
    observed = np.any(happened, axis=0)
    last = int(step[-1]) if len(step) else 0
    if not len(step):
        return Plateaus(np.zeros(happened.shape[1], np.int64), observed)
    return Plateaus(np.where(observed, step[happened.argmax(axis=0)], last).astype(np.int64), observed)


def chance_map_mass(truth: Truth) -> Floats:
    """`f64[K]`: size of each support over the number of replaceable tokens that its query can see; nan where
    it sees none."""
    support, visible = truth.attention_map.sum(axis=1), _visible(truth).sum(axis=1)
    return np.divide(support, visible, out=np.full(len(support), np.nan), where=visible > 0)


def _visible(truth: Truth) -> Bools:
    """`bool[K, L]`: the replaceable tokens that each mapped target's query sees."""
    positions = np.arange(len(truth.replaceable))
    return truth.replaceable & (positions <= truth.queries[:, None])


def state_loss(target_loss: Floats, truth: Truth) -> Floats:
    """`f64[E, T - 1]`: mean of `target_loss`, `f32[E, R]`, over the targets of each predicted state."""
    states = np.unique(truth.state)
    means = [target_loss[:, truth.state == state].mean(axis=1, dtype=np.float64) for state in states]
    return np.stack(means, axis=1)


def _finite(values: Iterable[float]) -> list[float | None]:
    """As JSON values, None where a value is not finite."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _last(points: Floats) -> Floats:
    """The last of some recorded points, nan where there is none."""
    return points[-1] if len(points) else np.full(points.shape[1:], np.nan)


def prediction_loss(curves: Curves) -> Floats:
    """`f32[E]`: mean over all queries; with every prediction trained, the loss the paper plots."""
    return curves.loss.mean(axis=1)
