"""What stands between the numbers of a study and a claim: the rules of the protocol that it does not meet."""

from __future__ import annotations

from collections.abc import Sequence

from attnsearch.base import plain
from attnsearch.results.alignment import contradicts_itself
from attnsearch.results.cells import BARELY, Cell
from attnsearch.results.leaking import told
from attnsearch.results.table import counted, listed
from attnsearch.runs.coverage import verify_command
from attnsearch.spec.names import mixer_names
from attnsearch.spec.plugins import shipped

FEWEST_SEEDS = 8
"""Below this many runs a cell is warned about."""


def warnings(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Every rule of the protocol that `cells` do not meet, one line each."""
    return (
        *_few_seeds(cells),
        *_leaking(cells),
        *_leaks(cells),
        *_contradictions(cells),
        *_barely(cells),
        *_diverged(cells),
        *_lost(cells),
        *_single_rates(cells),
        *_not_verified(cells),
    )


def flags(cell: Cell) -> tuple[str, ...]:
    """The same of one cell, in a few words each."""
    found = [f"{len(cell.runs)} seeds"] if len(cell.runs) < FEWEST_SEEDS else []
    standing = cell.standing
    if standing is not None and standing.state != "verified":
        state = "foreign" if cell.spec.mixer.foreign else standing.state
        found.append(standing.reason if standing.state == "failed" else state)
    found += [f"{cell.leaking} leaking"] if cell.leaking else []
    found += [f"{cell.diverged} diverged"] if cell.diverged else []
    found += [f"{cell.barely} barely escaped"] if cell.barely else []
    against = sum(map(contradicts_itself, cell.runs))
    found += [f"{against} mastered without its map"] if against else []
    return tuple(f"⚠ {flag}" for flag in found)


def verified(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Which mixers are verified, and on what, one line each."""
    return tuple(
        dict.fromkeys(
            f"{name} {plain(found.reason)}"
            for cell, name in _named(cells).items()
            if (found := cell.standing) is not None and found.state == "verified"
        )
    )


def _few_seeds(cells: Sequence[Cell]) -> list[str]:
    few = min((len(cell.runs) for cell in cells), default=FEWEST_SEEDS)
    if few >= FEWEST_SEEDS:
        return []
    seeds = "1 seed is" if few == 1 else f"{few} seeds are"
    return [f"{seeds} too few for a distribution: use {FEWEST_SEEDS}, 16 to compare mixers"]


def _leaking(cells: Sequence[Cell]) -> list[str]:
    return [
        f"{told(run)}: it sees the future, and its cell does not count"
        for cell in cells
        for run in cell.runs
        if run.leaking
    ]


def _leaks(cells: Sequence[Cell]) -> list[str]:
    return [
        f"{plain(cell.spec.mixer.name)} predicts unpredictable tokens of {plain(cell.spec.task.name)},"
        f" seed {run.spec.seed}: it sees the future, and its numbers do not count"
        for cell in cells
        for run in cell.runs
        if run.summary.foreseeing
    ]


def _contradictions(cells: Sequence[Cell]) -> list[str]:
    return [
        f"{plain(cell.spec.mixer.name)} mastered {plain(cell.spec.task.name)}, seed {run.spec.seed},"
        " though its answers depend on the support no more than by chance: its output, its map or the task is"
        " wrong"
        for cell in cells
        for run in cell.runs
        if contradicts_itself(run)
    ]


def _barely(cells: Sequence[Cell]) -> list[str]:
    barely = sum(cell.barely for cell in cells)
    if not barely:
        return []
    return [
        f"{counted(barely, 'run')} barely escaped: the loss never was {BARELY:.0%} below the threshold, and"
        " no target is found. Noise may have done it: give more steps, or more tokens a step, which steady"
        " the loss"
    ]


def _diverged(cells: Sequence[Cell]) -> list[str]:
    diverged = sum(cell.diverged for cell in cells)
    if not diverged:
        return []
    return [
        f"{counted(diverged, 'run')} diverged:"
        " such a run counts as censored at its budget unless it had escaped before"
    ]


def _lost(cells: Sequence[Cell]) -> list[str]:
    """Files that only some tasks fill: a lost one reads as one that was never written, so that the task is
    asked whether it should be there. An index of the store knows, and no file is read."""
    lost: dict[tuple[str, str], int] = {}
    for cell in cells:
        made = shipped(cell.spec.task)
        if made is None or not (made.competes or made.route_names):
            continue
        for run in cell.runs:
            margins = made.competes and not cell.spec.mixer.foreign and not run.summary.contested
            masses = made.route_names and run.map_summary.last_step is not None and not run.map_summary.routed
            for stem in [*(["contests"] if margins else []), *(["routes"] if masses else [])]:
                place = plain(cell.spec.task.name), stem
                lost[place] = lost.get(place, 0) + 1
    return [
        f"{counted(number, 'run')} of {task} without {stem}.npz, which the task fills: the file was lost, or"
        " the run was trained before there was such a file. Train again to know its routes"
        for (task, stem), number in lost.items()
    ]


def _single_rates(cells: Sequence[Cell]) -> list[str]:
    rates: dict[str, set[float]] = {}
    for cell in cells:
        rates.setdefault(cell.spec.mixer.name, set()).add(cell.spec.optimizer.learning_rate)
    single = [plain(name) for name, tried in rates.items() if len(tried) == 1]
    if len(rates) < 2 or not single:
        return []
    return [f"one learning rate for {listed(single)}: no ranking of mixers follows"]


def _not_verified(cells: Sequence[Cell]) -> list[str]:
    lines: dict[str, None] = {}
    for cell, name in _named(cells).items():
        found = cell.standing
        if found is not None and found.state == "failed":
            lines[f"{name} {plain(found.reason)}: its numbers do not count"] = None
        elif found is not None and cell.spec.mixer.foreign:
            lines[f"{name} {plain(found.reason)}: its numbers are as good as that loop"] = None
        elif found is not None and found.state == "not checked":
            asked = verify_command([cell.spec])
            lines[f"{name} {plain(found.reason)}: `{plain(asked)}` says whether its numbers may count"] = None
    return list(lines)


def _named(cells: Sequence[Cell]) -> dict[Cell, str]:
    """What the mixer of each cell is called beside the others."""
    names = mixer_names(list(dict.fromkeys(cell.spec.mixer for cell in cells)))
    return {cell: names[cell.spec.mixer] for cell in cells}
