"""Cells that differ in one number of their networks or mixers, and in nothing else but what grows with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace

from attnsearch.results.cells import Cell
from attnsearch.results.series import Series, grouped
from attnsearch.spec.names import in_words
from attnsearch.spec.run import CellSpec, Value, left_untold, of_mixer
from attnsearch.spec.settings import SETTINGS


def network_sizes(spec: CellSpec) -> Mapping[str, float]:
    """The numbers above 0 that set the size of the network or of its mixer, by their names among facts."""
    taken = {"task", "mixer", "generator", *dict(spec.task.knobs), *asdict(spec.network)}
    mixer = {of_mixer(name, taken): value for name, value in spec.mixer.settings}
    return {
        name: float(value) for name, value in {**asdict(spec.network), **mixer}.items() if _is_size(value)
    }


def network_series(cells: Sequence[Cell], name: str) -> tuple[Series, ...]:
    """Cells that have the number `name` among their `network_sizes`, by what they have in common but this
    number, in order of first appearance; the cells of a series by the number, rising.

    A cell that is alone so is put beside cells in which a setting that scales with the number is the same
    multiple of it: an MLP that is four times as wide as the network. These series come last.
    """
    sizes = {cell: size for cell in cells if (size := network_sizes(cell.spec).get(name)) is not None}
    found = grouped(list(sizes), lambda cell: _without(cell.spec, [name]), sizes.__getitem__)
    for other, setting in SETTINGS.items():
        if setting.scales_with == name:
            alone = {cell for series in found if len(series.cells) == 1 for cell in series.cells}
            scaled = _scaled(sizes, alone, name, other)
            put = {cell for series in scaled for cell in series.cells} & alone
            found = (*(series for series in found if put.isdisjoint(series.cells)), *scaled)
    return found


def _scaled(sizes: Mapping[Cell, float], alone: Collection[Cell], name: str, other: str) -> list[Series]:
    """The series of two cells or more in which `other` is one multiple of `name`, if any cell was `alone`."""
    others = {cell: size for cell in sizes if (size := network_sizes(cell.spec).get(other)) is not None}
    found = grouped(
        list(others),
        lambda cell: _without(cell.spec, [name, other]),
        sizes.__getitem__,
        lambda cell: f"{in_words(other, others[cell] / sizes[cell])}x",
    )
    return [series for series in found if len(series.cells) > 1 and not set(alone).isdisjoint(series.cells)]


def _is_size(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _without(spec: CellSpec, names: Collection[str]) -> CellSpec:
    """`spec` without some numbers of its network or mixer."""
    plain = {name.removeprefix("mixer.") for name in names if name not in asdict(spec.network)}
    kept = tuple(setting for setting in spec.mixer.settings if setting[0] not in plain)
    network = left_untold(spec.network, names)
    return replace(spec, network=network, mixer=replace(spec.mixer, settings=kept))
