"""What each head of one trained network is worth: the loss of every target without it, and where it looks.

That a head looks at a target's support says that it may carry it; that the target's loss rises without the
head says that it does. The one is attention mass, the other is the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from attnsearch.base import Bools, Floats, Integers, Truth
from attnsearch.results.table import Table
from attnsearch.spec.run import FORMAT_VERSION, RunSpec

COSTS = 0.5
"""A head costs a target whose loss rises by more than this share of chance without it."""

LARGEST_TABLE = 32
"""Targets that have a column each; more are shown as means over states."""

_WIDE_TABLE = 16
"""Targets beyond which a number has one decimal, so that a row stays a line."""


@dataclass(frozen=True, eq=False)
class HeadCosts:
    """The losses of one run's targets, in nats, with its whole network and without each of its A heads.

    step:       steps that the network was trained for
    sequences:  fresh ones, of which the losses are means
    map_bias:   whether a map was added to the attention logits, as in the last training step; None for a
                run that never had one
    layers:     `i64[A]`, `heads`: `i64[A]` which layer, and which head in it, both from 0
    truth:      what is known of the run's task
    whole:      `f64[R]`
    without:    `f64[A, R]`
    mass:       `f32[A, K]` share of each head's weight on the support at the run's last map; None for one
                whose heads were not recorded
    """

    spec: RunSpec
    step: int
    sequences: int
    map_bias: bool | None
    layers: Integers
    heads: Integers
    truth: Truth
    whole: Floats
    without: Floats
    mass: Floats | None

    @property
    def names(self) -> list[str]:
        """Each head as layer and head: 0.3."""
        return [f"{layer}.{head}" for layer, head in zip(self.layers, self.heads, strict=True)]

    @property
    def increase(self) -> Floats:
        """`f64[A, R]`: nats by which each target's loss is higher without each head."""
        return self.without - self.whole

    @property
    def threshold(self) -> float:
        """Nats beyond which an increase is a cost."""
        return COSTS * float(self.truth.chance_loss)

    @property
    def costs(self) -> Bools:
        """`bool[A, R]`: whether each target needs each head."""
        return self.increase > self.threshold

    @property
    def known(self) -> Bools:
        """`bool[K]`: mapped targets of which the whole network has found the support; without that no head
        can cost anything."""
        return self.whole[self.truth.mapped] < self.threshold

    @property
    def costliest(self) -> Integers:
        """`i64[R]`: the head without which each target's loss is highest."""
        return self.increase.argmax(axis=0)

    @property
    def most_mass(self) -> Integers | None:
        """`i64[K]`: the head with most of its weight on each mapped target's support."""
        return None if self.mass is None else self.mass.argmax(axis=0)

    @property
    def agrees(self) -> Bools | None:
        """`bool[K]`: whether these two are the same."""
        return None if self.most_mass is None else self.most_mass == self.costliest[self.truth.mapped]

    @property
    def carried(self) -> Bools | None:
        """`bool[K]`: whether the head with most weight on a mapped target's support costs that target."""
        return None if self.most_mass is None else self.costs[self.most_mass, self.truth.mapped]

    @property
    def rank_correlation(self) -> float | None:
        """Spearman's, of mass and increase over pairs of a head and a mapped target; None where either does
        not vary."""
        from scipy.stats import spearmanr

        increase = self.increase[:, self.truth.mapped]
        if self.mass is None or np.ptp(self.mass) == 0 or np.ptp(increase) == 0:
            return None
        ranked = spearmanr(self.mass.ravel(), increase.ravel())
        return float(ranked.statistic)  # pyright: ignore[reportAttributeAccessIssue]

    def to_json(self) -> dict[str, Any]:
        """JSON values. Nats; axes as above."""
        found = {
            "mass": self.mass,
            "most_mass": self.most_mass,
            "agrees": self.agrees,
            "carried": self.carried,
        }
        return {
            "format_version": FORMAT_VERSION,
            "digest": self.spec.digest,
            "spec": self.spec.to_json(),
            "step": self.step,
            "sequences": self.sequences,
            "map_bias": self.map_bias,
            "chance_loss": float(self.truth.chance_loss),
            "threshold": self.threshold,
            "heads": [
                {"layer": int(layer), "head": int(head)}
                for layer, head in zip(self.layers, self.heads, strict=True)
            ],
            "state": self.truth.state.tolist(),
            "mapped": self.truth.mapped.tolist(),
            "loss": self.whole.tolist(),
            "loss_without": self.without.tolist(),
            "increase": self.increase.tolist(),
            "costs": self.costs.tolist(),
            "costliest": self.costliest.tolist(),
            "known": self.known.tolist(),
            **{name: None if array is None else array.tolist() for name, array in found.items()},
            "rank_correlation": self.rank_correlation,
        }


def table(costs: HeadCosts) -> Table:
    """One row a head and one column a target, or a state where there are many; a star marks a cost."""
    targets = len(costs.whole)
    single = targets <= LARGEST_TABLE
    if single:
        columns = {f"t{target}": np.arange(targets) == target for target in range(targets)}
    else:
        columns = {f"state {state}": costs.truth.state == state for state in np.unique(costs.truth.state)}
    decimals = 1 if single and targets > _WIDE_TABLE else 2
    rows = [("none: loss", *(f"{costs.whole[of].mean():.{decimals}f} " for of in columns.values()), "")]
    styles = {}
    for head, name in enumerate(costs.names):
        texts = []
        for column, of in enumerate(columns.values(), start=1):
            # Rounded first: what is next to nothing has no sign.
            number = f"{round(costs.increase[head, of].mean(), decimals) + 0.0:.{decimals}f}"
            marked = single and costs.costs[head, of].all()
            texts.append(f"{number}*" if marked else f"{number} ")
            if marked:
                styles[len(rows), column] = "bold red"
        rows.append((name, *texts, str(costs.costs[head].sum())))
    if single:
        rows.append(("costs most", *(f"{costs.names[head]} " for head in costs.costliest), ""))
        if costs.most_mass is not None:
            most = dict(zip(costs.truth.mapped.tolist(), costs.most_mass, strict=True))
            named = [f"{costs.names[most[target]]} " if target in most else "" for target in range(targets)]
            rows.append(("most mass", *named, ""))
    what = "target" if single else "state: mean over its targets"
    counts = "targets that\nit costs"
    return Table(
        f"Increase of the loss without each head (nats), by {what}",
        ("head", *columns, counts),
        frozenset({*columns, counts}),
        tuple(rows),
        styles=styles,
    )


def sentences(costs: HeadCosts) -> list[str]:
    """What the table says, and how it came about, a line each."""
    heads, targets = costs.without.shape
    needed = int(costs.costs.any(axis=0).sum())
    said = [
        f"Means over {costs.sequences:,} fresh sequences, from a stream that training does not draw from; the"
        f" network after {costs.step:,} steps{_bias(costs)}.",
        f"A head costs a target (*) whose loss is higher by more than half of chance without it,"
        f" {costs.threshold:.3g} nats: {int(costs.costs.sum())} of {heads * targets} pairs;"
        f" {needed} of {targets} targets need at least one head.",
    ]
    if costs.agrees is None or costs.carried is None:
        return [*said, "Where its heads look was not recorded with this run."]
    known, correlation = costs.known, costs.rank_correlation
    ranked = "not defined" if correlation is None else f"{correlation:.2f}"
    said.append(
        f"Attention mass on the support, at the last map, against cost: rank correlation {ranked} (Spearman,"
        f" {known.size * heads} pairs)."
    )
    if not known.any():
        return [*said, "The whole network knows no target yet, so that no head can cost one."]
    by_chance = costs.costs[:, costs.truth.mapped[known]].sum() / heads
    return [
        *said,
        f"Of {known.sum()} targets that the whole network knows, the head with most mass costs"
        f" {costs.carried[known].sum()}, and is the one that costs most for {costs.agrees[known].sum()};"
        f" by chance {by_chance:.1f} and {known.sum() / heads:.1f}.",
    ]


def _bias(costs: HeadCosts) -> str:
    added = "wrong map" if costs.spec.cell.intervention.map_bias_placebo else "map"
    words = {
        None: "",
        True: f", with the {added} added to its logits as in its last step",
        False: f", without the {added} that was added to its logits earlier",
    }
    return words[costs.map_bias]
