"""The published loss over s: search, or routes?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnsearch.plots import style as pictures
from attnsearch.plots.style import BLUE, GREEN, GREY, VERMILION
from attnsearch.results.cells import Cell, found_of
from attnsearch.runs.measures import prediction_loss
from attnsearch.runs.store import StoredRun
from attnsearch.stats.comparison import SIGNIFICANCE
from attnsearch.stats.survival import cut, pool
from benchmarks.reproduction.archive import Archive
from benchmarks.reproduction.commands import DENSE, EARLY, HUMP, SEARCH
from benchmarks.reproduction.paper import FLOOR, LOSS_READ, PUBLISHED_LOSS, STATES, unlearned
from benchmarks.reproduction.routes import Routes, least_route, route_gaps, route_shares
from benchmarks.reproduction.verdicts import (
    OPEN,
    REFUTED,
    REPRODUCED,
    judged,
    mean_interval,
    near,
    rank_correlation,
    sign,
    versus,
)
from benchmarks.reproduction.writing import (
    WAITED,
    Claim,
    Experiment,
    found,
    paragraph,
    spanned,
    table,
    waited,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plotted(cell: Cell) -> list[float]:
    """The last plotted loss of each run, mean of three points."""
    return [float(prediction_loss(run.curves)[-3:].mean()) for run in cell.runs]


HEADING = (
    *("s", "bits, row / route", *(WAITED[i] for i in (0, 1, 4)), "last loss, ours / published"),
    *("rows unlearned, ours / published", "cheaper: found", "others: found"),
)
BESIDE = tuple(f"{kind}: {told}" for kind in ("isolated", "as published") for told in ("escaped", "found"))


def experiment(archive: Archive) -> Experiment:
    """The loss over s, and which of its halves is search."""
    at, early = archive.by("support_size", HUMP), archive.by("support_size", EARLY)
    alone = archive.by("support_size", SEARCH[2:], DENSE)
    loss = {s: mean_interval(plotted(cell)) for s, cell in at.items()}
    halves = [
        [run for s, cell in at.items() if (s > STATES // 2) == right for run in cell.runs] for right in (0, 1)
    ]
    claims = [
        Claim("The last loss is a hump over s: rank correlation with the published losses", *_shape(loss),
              headline=3),
        *(_rows_left(s, loss[s]) for s in (3, 4, 8, 13, 14, 15, 16) if s in loss),
        *_claims_of_halves(halves, early, alone),
    ]  # fmt: skip
    body = [
        table(HEADING, [_row(s, cell, loss[s]) for s, cell in at.items()]),
        paragraph(f"""A *cheaper* target has a route of fewer tokens than its row. A run ends when every
        target is mastered. The last loss of such a run lies up to 0.03 above the floor, {FLOOR:.4f}."""),
        paragraph("""**Isolated beside as published**: both up to 2,000 steps, 5 seeds. Isolated targets are
        not in sight of each other, so they have no cheaper route. As published, the 15 tokens that nothing
        predicts are trained as well. That can only make it slower:"""),
        table(["s", "bits, row / route", *BESIDE], _beside(early, alone)),
        *(paragraph(words) for words in _which_half(archive, at, halves)),
    ]
    return Experiment(
        "hump",
        "As published: search, or routes?",
        "The published loss is a hump over s. Which half of it is search, and which is route?",
        "Last loss, rows unlearned and bits of routes against s",
        """The network and the task are as published: S = 16, all 31 predictions trained, 10,000 steps. A
        step has 2,048 tokens, and the learning rate is 1e-3. There are 3 seeds, as in the paper. S = 8 and
        S = 32 are left out. The runs beside the isolated ones have 5 seeds and 2,000 steps.""",
        [*HUMP, *EARLY, SEARCH[2], *DENSE],
        ["attnsearch sweep benchmarks/sparsity.toml"],
        body,
        claims,
    )


def _row(s: int, cell: Cell, loss: tuple[float, float, float]) -> list[str]:
    """The columns of `HEADING`."""
    routes, (mean, _, high), theirs = Routes.of(cell.runs), loss, PUBLISHED_LOSS[s]
    escaped, plateau, *_, target = waited(cell)
    return [
        str(s),
        f"{cell.bits:.1f} / {cell.route_bits:.1f}",
        escaped,
        plateau,
        target,
        f"{mean:.3f} ± {high - mean:.3f} / {theirs:.3f}",
        f"{unlearned(mean):.1f} / {unlearned(theirs):.1f}",
        f"{routes.cheaper_found} of {routes.cheaper}",
        f"{routes.others_found} of {routes.others}",
    ]


def _shape(loss: Mapping[int, tuple[float, float, float]]) -> tuple[str, str, str]:
    if not all(loss.keys() & set(part) for part in (range(1, 4), range(5, 12), range(14, 17))):
        return "missing: s on both sides and between", "a hump", OPEN
    ours, theirs = [mean for mean, *_ in loss.values()], [PUBLISHED_LOSS[s] for s in loss]
    rank, p_value = rank_correlation(ours, theirs)
    around = {s: (low - LOSS_READ, high + LOSS_READ) for s, (_, low, high) in loss.items()}
    inside = sum(low <= PUBLISHED_LOSS[s] <= high for s, (low, high) in around.items())
    said = OPEN if p_value > SIGNIFICANCE else REFUTED if rank < 0 else REPRODUCED
    words = f"{rank:.2f} (p = {p_value:.1g}); {inside} of {len(loss)} losses equal within error"
    return words, "a hump", said


def _rows_left(s: int, loss: tuple[float, float, float]) -> Claim:
    mean, low, high = map(unlearned, loss)
    theirs = unlearned(PUBLISHED_LOSS[s])
    read = unlearned(LOSS_READ) - unlearned(0)
    claim = f"s = {s}: rows unlearned at the end"
    return Claim(claim, spanned(mean, low, high, 1), f"{theirs:.1f}", near(theirs, read, mean, low, high))


def _claims_of_halves(
    halves: Sequence[Sequence[StoredRun]], early: Mapping[int, Cell], alone: Mapping[int, Cell]
) -> Iterable[Claim]:
    gaps, shares = ([measure(runs) for runs in halves] for measure in (route_gaps, route_shares))
    beside = judged(
        left={f"s = {s}": versus(early.get(s), alone.get(s)) for s in (1, 2, 3, 4)},
        right={f"s = {s}": versus(early.get(s), alone.get(s)) for s in (13, 14, 16)},
    )
    yield Claim(
        "Left half is search: targets in sight do not shorten the plateau, as published over isolated",
        str(beside["left"]),
        "(replications)",
        beside["left"].no("shorter"),
    )
    yield Claim(
        "Right half is route: targets in sight shorten it",
        str(beside["right"]),
        "(replications)",
        beside["right"].order("shorter"),
    )
    yield Claim(
        "Right half: targets with a cheaper route are found, others are not (share found, less the share of"
        " the others, within runs)",
        f"{_gap(shares[1], 2)}; left half {_gap(shares[0], 2)}",
        "(replications)",
        sign(shares[1], 1),
    )
    yield Claim(
        "Right half: found targets have cheaper routes (bits, less the bits of the others, within runs)",
        f"{_gap(gaps[1])}; left half {_gap(gaps[0])}",
        "cheaper (replications)",
        sign(gaps[1], -1),
    )


def _gap(gaps: Sequence[float], digits: int = 1) -> str:
    return f"{spanned(*mean_interval(gaps), digits)}, n = {len(gaps)}" if len(gaps) > 1 else "missing"


def _beside(at: Mapping[int, Cell], alone: Mapping[int, Cell]) -> Iterable[list[str]]:
    """Rows of the table of `BESIDE`, of each s that was trained both ways."""
    for s in sorted(at.keys() & alone.keys()):
        horizon = min(at[s].spec.budget.steps, alone[s].spec.budget.steps)
        told = [f"{at[s].bits:.1f} / {at[s].route_bits:.1f}"]
        for cell in (alone[s], at[s]):
            known = cut(pool(found_of(run) for run in cell.runs), horizon).observed
            told += [waited(cell, horizon)[0], f"{known.sum()} of {len(known)}"]
        yield [str(s), *told]


def _which_half(
    archive: Archive, at: Mapping[int, Cell], halves: Sequence[Sequence[StoredRun]]
) -> Iterable[str]:
    """What the numbers say about the halves."""
    left, right = map(Routes.of, halves)
    for name, routes in (("left", left), ("right", right)):
        if routes.all:
            yield f"""In the {name} half, {100 * routes.cheaper / routes.all:.0f} % of the targets have a
            cheaper route. Of the {routes.found} targets that are found, {routes.cheaper_found} have one."""
    if left.others_found > left.cheaper_found and right.cheaper_found and not right.others_found:
        yield """**In short**: the left half is search, the right half is route. In the left half, most found
        targets have no cheaper route. In the right half, every found target has one."""
    if 3 in at and 13 in at:
        yield f"""s = 3 and s = 13 have equally many supports ({at[3].bits:.1f} bits). The cheapest target of
        a run has {least_route(at[3]):.1f} bits at s = 3 and {least_route(at[13]):.1f} bits at s = 13. At
        s = 3, {found(at[3])} targets are found; at s = 13, {found(at[13])}."""
    small = archive.by("support_size", SEARCH[:1])
    if {1, 7, 8} <= small.keys():
        dense = {s: small[s] for s in (1, 7, 8)}
        counts = "; ".join(f"{s}: {waited(cell)[0]}" for s, cell in dense.items())
        bits = ", ".join(f"{cell.bits:.1f}" for cell in dense.values())
        yield f"""Isolated runs that escape at S = 8, by s: {counts}. Their search spaces have {bits} bits.
        At s = 8 there is nothing to search: every row is the whole input.{_readout(small)}"""


def _readout(small: Mapping[int, Cell]) -> str:
    """What takes long where nothing has to be searched."""
    if small[8].plateau.restricted_mean_low <= small[1].plateau.restricted_mean_high:
        return ""
    return " The readout takes the time: it is a parity of eight bits. A row costs more than its search."


def picture(archive: Archive) -> Figure:
    """Last loss beside the published one, rows unlearned, and bits."""
    at = archive.by("support_size", HUMP)
    title = "Linear map as published, S = 16: which half is search, and which is route?"
    figure = pictures.empty_figure(9.6, 3.8, title)
    loss, rows, bits = figure.subplots(1, 3)
    losses = {s: plotted(cell) for s, cell in at.items()}
    for axes, shown in ((loss, float), (rows, unlearned)):
        for s, values in losses.items():
            axes.plot([s] * len(values), [shown(v) for v in values], "o", color=BLUE, alpha=0.5, markersize=4)
        means = [shown(float(np.mean(values))) for values in losses.values()]
        axes.plot(list(losses), means, "-", color=BLUE, label="ours")
        theirs = [shown(value) for value in PUBLISHED_LOSS.values()]
        axes.plot(list(PUBLISHED_LOSS), theirs, "D--", color=VERMILION, markersize=4, label="published")
        axes.axhline(shown(FLOOR), color=GREY, linestyle=":", label="every row known")
    loss.set(ylabel="last loss (nats)", ylim=(0.31, 0.82))
    rows.set(ylabel="rows unlearned, of 16", ylim=(-0.6, 19.5))
    lines = (
        ("s-", GREY, "row: log₂ C(16, s)", [cell.bits for cell in at.values()]),
        ("o-", GREEN, "cheapest route, mean of targets", [cell.route_bits for cell in at.values()]),
        ("v:", GREEN, "the same, least of a run", [least_route(cell) for cell in at.values()]),
    )
    for style, colour, label, values in lines:
        bits.plot(list(at), values, style, color=colour, markersize=4, label=label)
    bits.set(ylabel="search space (bits)", ylim=(-0.7, 21))
    for axes in (loss, rows, bits):
        axes.set(xlabel="s", xlim=(0, 17), xticks=[1, 4, 8, 12, 16])
    for axes in (loss, bits):
        axes.legend(loc="upper left", frameon=False)
    return figure
