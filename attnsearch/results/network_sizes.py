"""Cells that differ in one number of their networks or mixers, and in nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from attnsearch.results.cells import Cell
from attnsearch.results.series import Series, grouped
from attnsearch.spec.run import CellSpec, Value, left_untold, of_mixer


def network_sizes(spec: CellSpec) -> Mapping[str, float]:
    """The numbers above 0 that set the size of the network or of its mixer, by their names among facts."""
    taken = {"task", "mixer", "generator", *dict(spec.task.knobs), *asdict(spec.network)}
    mixer = {of_mixer(name, taken): value for name, value in spec.mixer.settings}
    return {
        name: float(value) for name, value in {**asdict(spec.network), **mixer}.items() if _is_size(value)
    }


def network_series(cells: Sequence[Cell], name: str) -> tuple[Series, ...]:
    """Cells that have the number `name` among their `network_sizes`, by what they have in common but this
    number, in order of first appearance; the cells of a series by the number, rising."""
    sizes = {cell: size for cell in cells if (size := network_sizes(cell.spec).get(name)) is not None}
    return grouped(list(sizes), lambda cell: _without(cell.spec, name), sizes.__getitem__)


def _is_size(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _without(spec: CellSpec, name: str) -> CellSpec:
    """`spec` without one number of its network or mixer."""
    if name in asdict(spec.network):
        return replace(spec, network=left_untold(spec.network, [name]))
    kept = [setting for setting in spec.mixer.settings if setting[0] != name.removeprefix("mixer.")]
    return replace(spec, mixer=replace(spec.mixer, settings=tuple(kept)))
