"""2. Automata against state size, and the map given away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnsearch.plots import runs as pictures
from attnsearch.plots.runs import GREY
from attnsearch.results.cells import Cell
from attnsearch.stats.survival import cut, proportion
from benchmarks.reproduction.archive import Archive, pick, waits
from benchmarks.reproduction.commands import (
    AUTOMATON,
    FULL_SIZE,
    GIVEN,
    GIVEN_WRONG,
    KINDS,
    PROBES,
    SEARCH,
    STRONGER,
)
from benchmarks.reproduction.drawing import CENSORED, COLOURS, Look, lined, ticked, within
from benchmarks.reproduction.paper import PUBLISHED_PLATEAU, STEPS_READ
from benchmarks.reproduction.verdicts import (
    DIRECTION,
    OPEN,
    REFUTED,
    REPRODUCED,
    Judged,
    close,
    held,
    judged,
    lower,
    ratio,
    versus,
)
from benchmarks.reproduction.writing import WAITED, Claim, Section, number, paragraph, spanned, table, waited

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VANISHED = 50
"""Steps, half of the learning rate's warm-up: a plateau below it, interval included, has all but vanished."""


def section(archive: Archive) -> Section:
    """Plateau against S: plain, with the map, with a wrong one; and the linear map with the map."""
    kinds = {name: archive.by("state_size", lines) for name, lines in KINDS.items()}
    plain, given_map, wrong = kinds.values()
    stronger = archive.by("state_size", STRONGER)
    linear = [archive.cells(lines) for lines in (SEARCH, GIVEN, GIVEN_WRONG)]
    questions = {f"S = {S}, s = {s}": {"state_size": S, "support_size": s} for S in (8, 16) for s in (2, 3)}
    triples = {name: [pick(group, **values) for group in linear] for name, values in questions.items()}
    groups = judged(
        grown={"plain": versus(plain.get(32), plain.get(8))},
        given={
            f"{times} times the map": versus(cells.get(32), cells.get(8))
            for times, cells in ((4, given_map), (8, stronger))
        },
        helped={f"S = {S}": versus(given_map.get(S), plain.get(S)) for S in PUBLISHED_PLATEAU},
        wrong={f"S = {S}": versus(wrong.get(S), plain.get(S)) for S in PUBLISHED_PLATEAU if S > 4},
        linear={name: versus(biased, alone) for name, (alone, biased, _) in triples.items()},
    )
    lasting = [biased.plateau.restricted_mean_high for _, biased, _ in triples.values() if biased]
    vanished = groups["linear"].order("shorter")
    if vanished == REPRODUCED and max(lasting) >= VANISHED:
        vanished = DIRECTION
    whole = archive.cells(FULL_SIZE)
    claims = [
        Claim("automaton, plateau grows with S: 32 over 8", str(groups["grown"]), "1.73",
              groups["grown"].order("longer", reduced=True)),
        Claim("automaton, map added to the logits: shorter at every S", str(groups["helped"]), "no plateau",
              groups["helped"].order("shorter", reduced=True)),
        Claim("automaton, the map takes most of that growth", f"{groups['given']}; {groups['grown']}",
              "all of it", _taken(groups["given"], groups["grown"])),
        Claim("automaton, with the map no growth with S: 32 over 8", str(groups["given"]),
              "no growth", groups["given"].no("longer", reduced=True)),
        Claim("automaton, a wrong map does not help (S from 8)", str(groups["wrong"]), "(a control)",
              groups["wrong"].no("shorter", reduced=True)),
        Claim("automaton as published, S = 4: steps until the loss is below 1.3", *_whole(whole)),
        Claim(f"linear map, map added: the plateau all but vanishes at every size (below {VANISHED} steps)",
              f"{max(lasting, default=np.nan):.0f} steps at most; of the plain {groups['linear']}",
              "no plateau", vanished),
        control([wrong for *_, wrong in triples.values()], [alone for alone, *_ in triples.values()]),
    ]  # fmt: skip
    rows = [
        [f"{S}, {name}", f"{cell.bits:.1f}", *waited(cell), f"{_excess(cell):.3f}"]
        for S in PUBLISHED_PLATEAU
        for name, members in {**kinds, "8 times the map": stronger}.items()
        if (cell := members.get(S))
    ]
    missing = [f"S = {S}, {name}" for S in PUBLISHED_PLATEAU for name in kinds if S not in kinds[name]]
    steps = [f"{name}: {ratio(versus(members.get(8), members.get(4)))}" for name, members in kinds.items()]
    early = "; ".join(steps)
    linear_rows = [
        [f"{name}, {kind}", f"{cell.bits:.1f}", *waited(cell, 600)]
        for name, triple in triples.items()
        for kind, cell in zip(KINDS, triple, strict=True)
        if cell
    ]
    probes = [_probe(cell) for cell in archive.cells(PROBES)]
    heading = [
        "learning rate, map bias",
        "tokens a step",
        "steps",
        "escaped",
        "plateau",
        "last loss over Bayes",
    ]
    body = [
        table(["S", "bits", *WAITED, "last loss over Bayes"], rows),
        paragraph(f"**Missing**: {'; '.join(missing)}.") if missing else "",
        "![Automaton: plateau against state size, plain, with the map, with a wrong one]"
        "(images/reproduction-automaton.png)",
        paragraph(f"""Published, at full size: 61, 377, 399 and 654 steps at S = 4, 8, 16 and 32; 1,391,
        3,330 and 8,737 at 64, 128 and 256; not within 10,000 at 512. At S = 4 a window is three cells of a
        ring of four, and the wrong map shares two of them with the true one: no control. S = 8 over 4,
        {early} (published 6.18)."""),
        paragraph("""**S = 8 at the published size** (16 states, 256 rules, D = 128), one run each, where
        the paper has 377 steps. Single runs decide nothing.""" + _by_how_much(archive)),
        table(heading, probes),
        "**The linear map with 8 times its map added to the logits**, isolated, all up to 600 steps:",
        table(["S, s", "bits", *WAITED], linear_rows),
    ]  # fmt: skip
    return Section(
        "2. Automata against state size, and the map given away",
        "Does the plateau grow with the context, and is it the search for the map that makes it?",
        """4 states for 16, 4 rules for 256, D = 64 for 128, MLP 256 for 512; 4 layers, 8 heads, 4 colours
        and a window of 3 as published. S up to 32 for 512, 1,000 steps for 10,000, 2,048 tokens a step,
        learning rate 3e-3, 4 times the map (8 times at S = 8 and 32), 5 seeds. At the published size S = 4
        alone, 200 steps.""",
        [
            line
            for lines in (*KINDS.values(), STRONGER, FULL_SIZE, PROBES, GIVEN, GIVEN_WRONG)
            for line in lines
        ],
        [
            "attnsearch sweep benchmarks/automaton.toml",
            AUTOMATON + "256,512 --seeds 8 --steps 10000 --tokens-per-step 8192 --map-bias 0,4",
        ],
        body,
        claims,
    )


def _by_how_much(archive: Archive) -> str:
    """What the probes without a map say of the published number, where they do not reach it."""
    plain = [cell for cell in archive.cells(PROBES) if not cell.spec.intervention.map_bias]
    tried = ", ".join(
        f"{cell.spec.budget.steps:,} steps of {cell.spec.budget.tokens_per_step:,} tokens" for cell in plain
    )
    if not plain or any(cell.plateau.observed for cell in plain):
        return ""
    return f" Without a map none is below 1.3 after {tried}: the published plateau is over, ours is not."


def _taken(given: Judged, grown: Judged) -> str:
    """The verdict on the claim that plateaus grow less where the map is given."""
    (plain,) = grown.comparisons.values()
    less = [lower(one, plain, reduced=True) == DIRECTION for one in given.comparisons.values()]
    return held(all(less), True)


def control(wrong: Sequence[Cell | None], plain: Sequence[Cell | None]) -> Claim:
    """Runs of all cells together, for of few that never end a ratio says little."""
    lengths = [[cut(waits(cell), 600).observed for cell in group if cell] for group in (wrong, plain)]
    ours, alone = (proportion(int(sum(map(np.sum, one))), sum(map(len, one))) for one in lengths)
    verdict = REFUTED if ours.low > alone.high else held(bool(ours.of) and ours.high < alone.low, False)
    words = f"{ours.count} of {ours.of}; plain {alone.count} of {alone.of}"
    claim = "linear map, a wrong map does not help: runs that escape in 600 steps"
    return Claim(claim, words, "(a control)", verdict)


def _whole(whole: Sequence[Cell]) -> tuple[str, str, str]:
    theirs = PUBLISHED_PLATEAU[4]
    if not whole:
        return "missing", str(theirs), OPEN
    one = whole[0].plateau
    limits = one.restricted_mean, one.restricted_mean_low, one.restricted_mean_high
    return f"{spanned(*limits)}, n = {one.runs}", str(theirs), close(theirs, STEPS_READ * theirs, *limits)


def _excess(cell: Cell) -> float:
    """The last mean target loss above Bayes' own, in nats, mean over runs."""
    last = [run.curves.loss[-1, run.truth.is_target] - run.truth.bayes_loss for run in cell.runs]
    return float(np.mean(last))


def _probe(cell: Cell) -> list[str]:
    spec, waiting = cell.spec, cell.plateau
    budget = [number(spec.budget.tokens_per_step), number(spec.budget.steps)]
    counts = [f"{waiting.observed} of {waiting.runs}", number(waiting.median), f"{_excess(cell):.3f}"]
    return [f"{spec.optimizer.learning_rate:g}, {spec.intervention.map_bias:g}", *budget, *counts]


def picture(archive: Archive) -> Figure:
    """Plateau against S: plain, with the map, with a wrong one."""
    kinds = {name: archive.by("state_size", lines) for name, lines in KINDS.items()}
    title = "Cellular automaton, reduced: plateau length against state size"
    figure = pictures.empty_figure(7.2, 4.2, title)
    axes = figure.subplots()
    for (name, members), colour, marker in zip(kinds.items(), COLOURS, "osD", strict=True):
        lined(axes, within(members, 1_000), Look(name, colour, marker))
    sizes, steps = list(PUBLISHED_PLATEAU), list(PUBLISHED_PLATEAU.values())
    axes.plot(sizes, steps, "x--", color=GREY, label="published: 16 states, 256 rules, D = 128")
    ticked(axes, sizes, 1_000)
    axes.set(ylim=(12, 1_400), xlabel=f"state size S\n{CENSORED}", ylabel="plateau length (training steps)")
    axes.legend(frameon=False)
    return figure
