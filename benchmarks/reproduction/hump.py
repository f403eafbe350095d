"""1b. The published loss over s: search, or routes?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnsearch.base import Bools
from attnsearch.plots import runs as pictures
from attnsearch.plots.runs import BLUE, GREEN, GREY, VERMILION
from attnsearch.results.cells import Cell, found_of
from attnsearch.runs.measures import prediction_loss
from attnsearch.runs.store import StoredRun
from attnsearch.stats.comparison import SIGNIFICANCE
from attnsearch.stats.survival import cut, pool
from benchmarks.reproduction.archive import Archive
from benchmarks.reproduction.commands import DENSE, EARLY, HUMP, SEARCH
from benchmarks.reproduction.paper import FLOOR, LOSS_READ, PUBLISHED_LOSS, STATES, unlearned
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
from benchmarks.reproduction.writing import WAITED, Claim, Section, found, paragraph, spanned, table, waited

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plotted(cell: Cell) -> list[float]:
    """The last plotted loss of each run, mean of three points."""
    return [float(prediction_loss(run.curves)[-3:].mean()) for run in cell.runs]


def _known_and_cheaper(run: StoredRun) -> tuple[Bools, Bools]:
    """`bool[R]` each: which targets were found, and which can be had by a route of fewer tokens than their
    row."""
    truth = run.truth
    cheaper = truth.cheapest_route.sum(axis=1) < truth.attention_map.sum(axis=1)
    return np.array(run.measures["found"], bool), cheaper


class Routes(NamedTuple):
    """How many targets of some runs can be had by a route of fewer tokens than their row, how many of these
    were found, and the same of the others."""

    cheaper: int
    cheaper_found: int
    others: int
    others_found: int

    @classmethod
    def of(cls, runs: Iterable[StoredRun]) -> Routes:
        """Those of `runs`, added up."""
        counts = np.zeros(4, int)
        for run in runs:
            known, cheaper = _known_and_cheaper(run)
            counts += [cheaper.sum(), (cheaper & known).sum(), (~cheaper).sum(), (~cheaper & known).sum()]
        return cls(*counts.tolist())


def route_shares(runs: Iterable[StoredRun]) -> list[float]:
    """Share of the targets with a way round their row that was found, less the share of the others: of each
    run that has both kinds, and found any."""
    shares = []
    for run in runs:
        known, cheaper = _known_and_cheaper(run)
        if cheaper.any() and not cheaper.all() and known.any():
            shares.append(float(known[cheaper].mean() - known[~cheaper].mean()))
    return shares


def route_gaps(runs: Iterable[StoredRun]) -> list[float]:
    """Bits of the cheapest routes of a run's found targets, mean, less those of the others: of each run that
    has both."""
    gaps = []
    for run in runs:
        known, bits = np.array(run.measures["found"], bool), run.truth.log2_search_space
        if known.any() and not known.all():
            gaps.append(float(bits[known].mean() - bits[~known].mean()))
    return gaps


def least_route(cell: Cell) -> float:
    """Bits of the cheapest route of a run's cheapest target, mean over runs."""
    return float(np.mean([run.truth.log2_search_space.min() for run in cell.runs]))


def section(archive: Archive) -> Section:
    """The loss over s, and which of its halves is search."""
    at, early = archive.by("support_size", HUMP), archive.by("support_size", EARLY)
    alone = archive.by("support_size", SEARCH[2:], DENSE)
    loss = {s: mean_interval(plotted(cell)) for s, cell in at.items()}
    rows = []
    for s, cell in at.items():
        routes, (mean, _, high) = Routes.of(cell.runs), loss[s]
        escaped, plateau, *_, target = waited(cell)
        rows.append([
            str(s), f"{cell.bits:.1f} / {cell.route_bits:.1f}", escaped, plateau, target,
            f"{mean:.3f} ± {high - mean:.3f} / {PUBLISHED_LOSS[s]:.3f}",
            f"{unlearned(mean):.1f} / {unlearned(PUBLISHED_LOSS[s]):.1f}",
            f"{routes.cheaper_found} of {routes.cheaper}", f"{routes.others_found} of {routes.others}",
        ])  # fmt: skip
    heading = ["s", "bits, row / route", *(WAITED[i] for i in (0, 1, 4)), "last loss, ours / published"]
    heading += ["rows unlearned, ours / published", "cheaper: found", "others: found"]
    halves = [
        [run for s, cell in at.items() if (s > STATES // 2) == right for run in cell.runs] for right in (0, 1)
    ]
    gaps, shares = ([measure(runs) for runs in halves] for measure in (route_gaps, route_shares))
    beside = judged(
        left={f"s = {s}": versus(early.get(s), alone.get(s)) for s in (1, 2, 3, 4)},
        right={f"s = {s}": versus(early.get(s), alone.get(s)) for s in (13, 14, 16)},
    )
    claims = [Claim("last loss is a hump over s: rank correlation with the published column", *_shape(loss))]
    claims += [_rows_left(s, loss[s]) for s in (3, 4, 8, 13, 14, 15, 16) if s in loss]
    claims += [
        Claim("left half is search: targets in sight do not help (plateau, as published over isolated)",
              str(beside["left"]), "(replications)", beside["left"].no("shorter")),
        Claim("right half is route: targets in sight help (the same)",
              str(beside["right"]), "(replications)", beside["right"].order("shorter")),
        Claim("right half: targets with a way round are found, others not (share, less that of others, within"
              " runs)", f"{_gap(shares[1], 2)}; left half {_gap(shares[0], 2)}", "(replications)",
              sign(shares[1], 1)),
        Claim("right half: what is found has cheaper routes (bits, less what is not, within runs)",
              f"{_gap(gaps[1])}; left half {_gap(gaps[0])}", "cheaper (replications)", sign(gaps[1], -1)),
    ]  # fmt: skip
    body = [
        table(heading, rows),
        "![Last loss, rows unlearned and bits of routes against s](images/reproduction-hump.png)",
        paragraph(f"""*Cheaper* targets are those with a route of fewer tokens than their row. A run ends
        when every target is mastered, so that the last loss of one that has them all lies up to 0.03 above
        the floor, {FLOOR:.4f}."""),
        paragraph("""**Isolated, where no target is in sight and there is no way round, beside the same s as
        published**, both up to 2,000 steps, 5 seeds. As published the 15 tokens that nothing predicts are
        trained as well, which can only make it slower:"""),
        table(["s", "bits, row / route", *_BESIDE], _beside(early, alone)),
        *(paragraph(words) for words in _which_half(archive, at, halves)),
    ]
    return Section(
        "1b. As published: search, or routes?",
        "The published loss is a hump over s. Which half of it is search, and which is route?",
        """network and task as published (S = 16, all 31 predictions trained). 10,000 steps, as published;
        2,048 tokens a step, learning rate 1e-3; 3 seeds, as in the paper. S = 8 and 32 are left out.
        Beside isolated runs: 5 seeds, 2,000 steps.""",
        [*HUMP, *EARLY, SEARCH[2], *DENSE],
        ["attnsearch sweep benchmarks/sparsity.toml"],
        body,
        claims,
    )


def _gap(gaps: Sequence[float], digits: int = 1) -> str:
    return f"{spanned(*mean_interval(gaps), digits)}, n = {len(gaps)}" if len(gaps) > 1 else "missing"


def _rows_left(s: int, loss: tuple[float, float, float]) -> Claim:
    mean, low, high = map(unlearned, loss)
    theirs = unlearned(PUBLISHED_LOSS[s])
    read = unlearned(LOSS_READ) - unlearned(0)
    claim = f"s = {s}: rows unlearned at the end"
    return Claim(claim, spanned(mean, low, high, 1), f"{theirs:.1f}", near(theirs, read, mean, low, high))


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


_BESIDE = [f"{kind}: {told}" for kind in ("isolated", "as published") for told in ("escaped", "found")]


def _beside(at: Mapping[int, Cell], alone: Mapping[int, Cell]) -> Iterable[list[str]]:
    """Rows of the table of `_BESIDE`, of the s that were trained both ways."""
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
    """What the numbers say of it."""
    for name, runs in zip(("left", "right"), halves, strict=True):
        if runs:
            routes = Routes.of(runs)
            total, known = routes.cheaper + routes.others, routes.cheaper_found + routes.others_found
            yield f"""Of the {name} half's targets {100 * routes.cheaper / total:.0f} % have a way round
            their row; of the {known} that are found, {routes.cheaper_found} have."""
    left, right = map(Routes.of, halves)
    if left.others_found > left.cheaper_found and right.cheaper_found and not right.others_found:
        yield """**In short**: what is found in the left half is found by search for rows, and in the right
        half nothing is found but by a way round. The left half is search, the right half is route."""
    if 3 in at and 13 in at:
        yield f"""s = 3 and s = 13 have equally many supports ({at[3].bits:.1f} bits). The cheapest target
        of a run has {least_route(at[3]):.1f} and {least_route(at[13]):.1f} bits; {found(at[3])} and
        {found(at[13])} targets are found."""
    small = archive.by("support_size", SEARCH[:1])
    if {1, 7, 8} <= small.keys():
        dense = {s: small[s] for s in (1, 7, 8)}
        counts = "; ".join(f"s = {s}, {c.bits:.1f} bits: {waited(c)[0]}" for s, c in dense.items())
        longer = small[8].plateau.restricted_mean_low > small[1].plateau.restricted_mean_high
        lesson = "what takes so long is the readout, a parity of eight bits. Search is not all that rows cost"
        yield f"""Runs that escape, isolated at S = 8: {counts}. At s = 8 there is nothing to search, for all
        rows are the whole input{"; " + lesson if longer else ""}."""


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
