"""Plateau against search space: the isolated linear map."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnsearch.plots import style as pictures
from attnsearch.plots.style import BLACK, GREY
from attnsearch.results.cells import Cell
from attnsearch.stats.frontier import frontier
from attnsearch.stats.law_fit import fit
from attnsearch.stats.scaling_law import Law, NoLaw
from benchmarks.reproduction.archive import Archive, knob, waits
from benchmarks.reproduction.commands import DENSE, SEARCH
from benchmarks.reproduction.drawing import COLOURS, dots
from benchmarks.reproduction.verdicts import OPEN, REFUTED, held, judged, versus
from benchmarks.reproduction.writing import WAITED, Claim, Experiment, paragraph, spanned, table, waited

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def law_of(members: Iterable[Cell]) -> Law | NoLaw:
    """The law over nominal bits, of the cells with s up to S / 2: beyond, more inputs mean fewer supports."""
    sparse = [cell for cell in members if 2 * knob(cell, "support_size") <= knob(cell, "state_size")]
    return fit([cell.bits for cell in sparse], [waits(cell) for cell in sparse])


WHY_DENSE = """As published, earlier targets are in sight, and dense rows have cheaper routes through them.
On the page of [the hump](reproduction/hump.md), every found target of the right half has such a route.
Isolated targets have none. At s = S there is one possible support, yet the parity of all inputs still has to
be learned."""


def experiment(archive: Archive) -> Experiment:
    """The law, the frontier, and the dense rows that do not follow them."""
    at = {(knob(c, "state_size"), knob(c, "support_size")): c for c in archive.cells(SEARCH, DENSE)}
    law = law_of(at.values())
    groups = judged(
        size={f"s = {s}": versus(at.get((16, s)), at.get((8, s))) for s in (1, 2, 3)},
        dense={f"s = {s}": versus(at.get((8, s)), at.get((8, 4))) for s in (6, 7, 8)},
        equal={
            "6.1 over 6.0 bits": versus(at.get((8, 4)), at.get((12, 2))),
            "9.0 over 9.1 bits": versus(at.get((12, 4)), at.get((16, 3))),
        },
    )
    never = "; ".join(
        f"S = {S}, s = {s}, {cell.bits:.1f} bits: 0 of {len(cell.runs)} in {cell.spec.budget.steps:,} steps"
        for (S, s), cell in at.items()
        if 2 * s <= S and not cell.plateau.observed
    )
    claims = [
        Claim("A larger search space has a longer plateau, s up to S / 2", *_growth(law), headline=3),
        Claim("A longer context has a longer plateau: S = 16 over 8", str(groups["size"]), "longer",
              groups["size"].order("longer")),
        Claim("Past some size no run escapes", never or "all escape", "not in 10,000 steps",
              held(bool(never), True)),
        Claim("Dense rows are harder than sparse rows with as many supports: s = 4 over 2, and 4 over 3",
              str(groups["equal"]), "harder (replications)", groups["equal"].order("longer")),
        Claim("Isolated too, medium sparsity is hardest: S = 8, dense rows over s = 4", str(groups["dense"]),
              "shorter: all learned", groups["dense"].order("shorter"), headline=3, why=WHY_DENSE),
    ]  # fmt: skip
    rows = [[f"{S}, {s}", f"{cell.bits:.1f}", *waited(cell)] for (S, s), cell in sorted(at.items())]
    body = [
        table(["S, s", "bits", *WAITED], rows),
        paragraph(f"**Law**, s up to S / 2: {_law_words(law)}"),
        paragraph(_frontier([cell for (S, s), cell in at.items() if 2 * s <= S])),
    ]
    return Experiment(
        "search",
        "Plateau against search space",
        "Does the plateau grow with the number of candidate supports, and where does learning end?",
        "Plateau length of the isolated linear map against its search space in bits",
        """The network is as published: 1 layer, D = 128, 8 heads, MLP 512. Targets are isolated: no target
        can be had from another. Runs have 3,000 steps instead of 10,000. A step has 2,048 tokens, and the
        learning rate is 1e-3. Cells have 5 seeds, 8 at S = 8; the paper has 3. S = 32 is left out.""",
        [*SEARCH, *DENSE],
        ["attnsearch sweep benchmarks/sparsity.toml", "attnsearch sweep benchmarks/context.toml"],
        body,
        claims,
    )


def _growth(law: Law | NoLaw) -> tuple[str, str, str]:
    if isinstance(law, NoLaw):
        return f"no law: {law.reason}", "longer", OPEN
    low = min(law.factors[1], *(law.factors_over_cells or (np.inf,))[:1])
    verdict = REFUTED if law.factors[2] < 1 else held(low > 1, False)
    note = "; the cells do not lie on one line" if law.fits is False else ""
    return f"× {spanned(*law.factors, digits=2)} a bit{note}", "longer", verdict


def _law_words(law: Law | NoLaw) -> str:
    if isinstance(law, NoLaw):
        return f"none, {law.reason}."
    over, reason = law.factors_over_cells, law.reason.replace("): ", "). The farthest: ")
    more = f" A line through the cells has {over[0]:.2f} to {over[1]:.2f}." if over else ""
    return f"""each added bit multiplies the plateau by {spanned(*law.factors, digits=2)}.{more}
    {law.observed} of {law.runs} runs escaped. {reason[0].upper()}{reason[1:]}."""


def _frontier(members: Sequence[Cell]) -> str:
    if not members:
        return "**Frontier**: missing."
    counts = [cell.mastery.observed for cell in members], [len(cell.runs) for cell in members]
    edge = frontier([cell.bits for cell in members], *counts)
    ends = [
        "none" if size is None else f"{size.bits:.1f} bits, {size.mastered.count} of {size.mastered.of} runs"
        for size in (edge.reached, edge.beyond)
    ]
    settled = "" if edge.settled else " The runs are too few to settle that."
    return f"**Frontier** of mastery within the budget: {ends[0]}. The next size: {ends[1]}.{settled}"


def picture(archive: Archive) -> Figure:
    """Plateau against bits, with the law of the sparse half."""
    members = archive.cells(SEARCH, DENSE)
    figure = pictures.empty_figure(7.2, 4.4, "Isolated linear map: plateau length against search space")
    axes = figure.subplots(subplot_kw={"yscale": "log"})
    colours: dict[int, str] = dict(zip((8, 12, 16), COLOURS, strict=True))
    for cell in members:
        S, s, waiting = knob(cell, "state_size"), knob(cell, "support_size"), waits(cell)
        places = cell.bits + np.linspace(-0.08, 0.08, len(cell.runs))
        dots(axes, places, waiting, colours[S], "o" if 2 * s <= S else "s", 2 * s <= S)
        top = (cell.bits + 0.12, float(waiting.length.max()))
        axes.annotate(str(s), top, (0, 3), textcoords="offset points", color=colours[S])
    for S, colour in colours.items():
        axes.plot([], [], "o", color=colour, label=f"S = {S}, s up to S / 2 (numbers: s)")
    axes.plot([], [], "s", color=GREY, fillstyle="none", label="s above S / 2")
    axes.plot([], [], "^", color=GREY, fillstyle="none", label="not escaped")
    if isinstance(law := law_of(members), Law):
        line = np.linspace(2.5, 12.5, 50)
        label = f"law, s up to S / 2: × {law.factors[0]:.2f} a bit"
        axes.plot(line, [law.median(at) for at in line], "--", color=BLACK, linewidth=1, label=label)
    axes.axhline(3_000, color=GREY, linewidth=0.9, linestyle=":", label="budget")
    axes.set(ylim=(8, 5_000), xlabel="search space: log₂ C(S, s) (bits)")
    axes.set_ylabel("plateau length (training steps)")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    figure.legend(loc="outside lower left", ncols=3, frameon=False)
    return figure
