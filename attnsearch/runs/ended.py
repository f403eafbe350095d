"""Where runs of a cell have ended before, under other seeds: what tells how long its next runs may take.

Numpy side; never imports jax.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, islice

from attnsearch.base import AttnsearchError
from attnsearch.runs.run_files import UnreadableRun, steps_trained
from attnsearch.runs.store import Store
from attnsearch.spec.run import CellSpec, RunSpec

NEIGHBOURS = 32
"""Seeds on either side of the asked ones that are looked for; from 0 on twice as many are."""

MOST_NAMES = 1_024
"""Runs that are looked for in all. To work out the name of one takes a tenth of a millisecond."""

MOST_ENDS = 16
"""Runs of one cell that are read. More of them hardly narrow an estimate."""


def ended(
    store: Store, specs: Sequence[RunSpec], others: Collection[RunSpec]
) -> Iterator[tuple[CellSpec, int]]:
    """Cells of `specs`, each with the step at which a stored run of it ended that is not among `others`.

    A run is named by its specification, so the name of another seed's is worked out and looked for. The cost
    does not grow with the number of stored runs. Runs that cannot be read are left out.
    """
    try:
        stored = {folder.name for folder in store.folders()}
    except AttnsearchError:
        return
    known: dict[CellSpec, int] = {}
    for spec in islice(_alike(specs, {*specs, *others}), MOST_NAMES):
        if spec.digest in stored and known.get(spec.cell, 0) < MOST_ENDS:
            with suppress(UnreadableRun):
                yield spec.cell, steps_trained(store.path(spec))
                known[spec.cell] = known.get(spec.cell, 0) + 1


def _alike(specs: Sequence[RunSpec], but: Collection[RunSpec]) -> Iterator[RunSpec]:
    """Runs of the cells of `specs` with other seeds: seed by seed, so that each cell has its share."""
    if not specs:
        return
    # Of a cell whose rule is fixed, a run that shows it.
    cells = {spec.cell: spec for spec in sorted(specs, key=lambda spec: spec.rule_seed != spec.seed)}
    seeds = [spec.seed for spec in specs]
    first, last = max(2 * NEIGHBOURS, min(seeds) - NEIGHBOURS), max(seeds) + NEIGHBOURS
    for seed in chain(range(2 * NEIGHBOURS), range(first, last)):
        for spec in cells.values():
            # A rule that is fixed for all seeds stays; otherwise each seed draws its own.
            rule = seed if spec.rule_seed == spec.seed else spec.rule_seed
            other = replace(spec, seed=seed, rule_seed=rule)
            if other not in but:
                yield other
