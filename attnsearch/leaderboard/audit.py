"""An audit of an entry: some of its runs are trained anew, and held against the curves that it tells.

Numpy side; never imports jax. The auditor's own seed draws the runs, so that whoever sends an entry cannot
know which they will be. `attnsearch.leaderboard.audit_file` keeps what was found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Floats
from attnsearch.leaderboard.entry import Entry, EntryCell, EntryRun, cells_of, environment_of
from attnsearch.runs.store import StoredRun
from attnsearch.spec.run import RunSpec
from attnsearch.stats.agreement import combined, distances, pair_p_value

FALSE_ALARMS = 0.05
"""How often, at most, an audit of an honest entry does not agree, where curves cannot be equal."""

SELECTION_SHARE = 1 / 4
"""Of the audited runs, at most so many are of those by which the learning rate was chosen."""

FEWEST_RUNS = 4
"""Of a cell, to show its scatter; in a smaller one, curves can only be equal or not."""

_HIGHEST = 2.0
"""Shares of chance above which losses are taken for equal: how far a start is off does not matter."""


@dataclass(frozen=True)
class AuditedRun:
    """One run, as told and as trained anew.

    equal:       whether status, curves and the steps at which targets were found are equal bit for bit
    same_facts:  whether its search space, chance and Bayes losses are the same
    of_cell:     runs that the entry tells of its cell
    p_value:     of the distance between its two curves, among all pairs of its cell
    told, found: when it escaped, in steps; None where it did not
    """

    digest: str
    seed: int
    equal: bool
    same_facts: bool
    of_cell: int
    p_value: float
    told: int | None
    found: int | None


@dataclass(frozen=True)
class Audit:
    """What was found.

    entry:        sha256 of the content of the entry's file, in hex digits: no other content is audited by it
    seed:         which drew the runs
    environment:  where they were trained anew
    told:         the environment that the entry tells
    sound:        whether the mixer was sound when it was verified again
    claimed:      whether the entry tells that it is
    """

    entry: str
    attnsearch: str
    seed: int
    environment: Mapping[str, str]
    told: Mapping[str, str]
    runs: tuple[AuditedRun, ...]
    sound: bool
    claimed: bool

    @property
    def same_environment(self) -> bool:
        """Whether the entry tells the environment in which its runs were trained anew."""
        return dict(self.environment) == dict(self.told)

    @property
    def contradicted(self) -> tuple[str, ...]:
        """What the entry tells of its environment, and is otherwise where the runs were trained anew."""
        return tuple(name for name, value in self.told.items() if self.environment.get(name) != value)

    @property
    def p_value(self) -> float:
        """Of all runs together whose cells show a scatter."""
        return combined([run.p_value for run in self.runs if run.of_cell >= FEWEST_RUNS])

    @property
    def exact(self) -> bool:
        """Whether all curves must be equal bit for bit: the environment is the same, and some are.

        The name of a processor does not tell its instructions, so that the same names alone are not enough.
        """
        return self.same_environment and any(run.equal for run in self.runs)

    def verdict(self, run: AuditedRun) -> str:
        """Of one run, in words."""
        if not run.same_facts:
            return "differs: its search space, chance or Bayes loss is another"
        if run.equal:
            return "agrees, bit for bit"
        if self.exact:
            return "differs: other runs are equal bit for bit"
        if run.of_cell < FEWEST_RUNS:
            return f"not equal, and {run.of_cell} runs do not show the scatter of its cell"
        inside = "within" if run.p_value > FALSE_ALARMS else "outside"
        return f"{inside} the scatter of its cell, p {run.p_value:.2g}"

    @property
    def reasons(self) -> list[str]:
        """Why it does not agree; empty where it does."""
        found = []
        if any(not run.same_facts for run in self.runs):
            found.append("a run tells another task than was trained")
        if self.exact and not all(run.equal for run in self.runs):
            found.append("some curves are equal bit for bit, and others are not")
        elif self.p_value <= FALSE_ALARMS:
            found.append(f"the curves are too far from the curves told, p {self.p_value:.2g}")
        if self.claimed and not self.sound:
            found.append("the mixer is not sound, though the entry tells that it is")
        return found

    @property
    def agrees(self) -> bool:
        """Whether nothing stands against the entry."""
        return not self.reasons


def digest_of(content: bytes) -> str:
    """By which an audit knows an entry's file."""
    return hashlib.sha256(content).hexdigest()


def sample(entry: Entry, count: int, seed: int) -> list[RunSpec]:
    """`count` runs of `entry`, or all where there are fewer: most of the scored ones."""
    dice = np.random.default_rng(seed)
    # By digests, for the order in a file is its sender's.
    scored, selection = (
        sorted((run.spec for cell in cells for run in cell.runs), key=lambda spec: spec.digest)
        for cells in (entry.scored, entry.selection)
    )
    chosen = min(len(selection), int(count * SELECTION_SHARE))
    chosen = max(chosen, min(len(selection), count - len(scored)))
    drawn = [
        pool[place]
        for pool, size in ((scored, min(len(scored), count - chosen)), (selection, chosen))
        for place in sorted(dice.permutation(len(pool))[:size].tolist())
    ]
    return drawn


def audited(entry: Entry, content: bytes, seed: int, trained: Sequence[StoredRun], sound: bool) -> Audit:
    """The audit of `entry`, the file of which holds `content`, by runs of it that were trained anew.

    seed:   by which they were drawn
    sound:  whether the mixer, verified again, is sound
    """
    cells = {cell.spec: cell for cell in (*entry.selection, *entry.scored)}
    anew = {run.spec: (cell, run) for one in trained for cell in cells_of([one]) for run in cell.runs}
    return Audit(
        entry=digest_of(content),
        attnsearch=version("attnsearch"),
        seed=seed,
        environment=environment_of(trained),
        told=dict(entry.environment),
        runs=tuple(_compared(cells[one.spec.cell], *anew[one.spec]) for one in trained),
        sound=sound,
        claimed=entry.verification is not None and entry.verification.sound,
    )


def _compared(cell: EntryCell, again: EntryCell, found: EntryRun) -> AuditedRun:
    place = next(place for place, run in enumerate(cell.runs) if run.spec == found.spec)
    told = cell.runs[place]
    curves = np.stack([_whole(run) for run in (*cell.runs, found)])
    return AuditedRun(
        digest=found.spec.digest,
        seed=found.spec.seed,
        equal=_equal(told, found),
        same_facts=_same_facts(cell, told, again, found),
        of_cell=len(cell.runs),
        p_value=pair_p_value(distances(curves), place, len(cell.runs)),
        told=int(told.plateau.length[0]) if told.plateau.observed[0] else None,
        found=int(found.plateau.length[0]) if found.plateau.observed[0] else None,
    )


def _equal(told: EntryRun, found: EntryRun) -> bool:
    pairs = zip((*told.outline, told.found), (*found.outline, found.found), strict=True)
    return told.status == found.status and all(np.array_equal(one, other) for one, other in pairs)


def _same_facts(cell: EntryCell, told: EntryRun, again: EntryCell, found: EntryRun) -> bool:
    numbers = (
        np.array([one.bits, run.targets.chance_loss, *run.targets.bayes_loss])
        for one, run in ((cell, told), (again, found))
    )
    return np.array_equal(cell.state, again.state) and np.allclose(*numbers, rtol=1e-6, atol=1e-6)


def _whole(run: EntryRun) -> Floats:
    """`f64[E]` to the end of the budget, in shares of chance: a run that ended before keeps its last loss."""
    points = run.spec.cell.budget.steps // RECORDING_INTERVAL
    told = np.minimum(run.loss / run.targets.chance_loss, _HIGHEST)
    last = told[-1] if len(told) else 1.0
    return np.concatenate([told, np.full(points - len(told), last)])
