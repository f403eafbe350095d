"""Jumps of single targets, and the heads that move with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnsearch.base import Floats
from attnsearch.plots import style as pictures
from attnsearch.plots.style import BLACK, GREY, PURPLE
from attnsearch.results.alignment import best_heads
from benchmarks.reproduction.archive import Archive
from benchmarks.reproduction.commands import AS_PUBLISHED, HUMP, SEARCH
from benchmarks.reproduction.drawing import COLOURS
from benchmarks.reproduction.moves import Moved
from benchmarks.reproduction.verdicts import sign
from benchmarks.reproduction.writing import Claim, Experiment, decimal, paragraph, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def experiment(archive: Archive) -> Experiment:
    """One run in a picture, all in numbers."""
    isolated, published = archive.by("support_size", SEARCH[2:]), archive.by("support_size", HUMP)
    named = {"isolated, s = 2": isolated.get(2), "isolated, s = 3": isolated.get(3)}
    named["as published, s = 3"] = published.get(3)
    did = {name: [Moved.of(run) for run in cell.runs] for name, cell in named.items() if cell}
    rows = []
    for name, runs in did.items():
        known = np.concatenate([one.found for one in runs])
        mass = np.concatenate([one.mass for one in runs], axis=1)
        entropy = np.concatenate([one.entropy for one in runs], axis=1)
        rows.append([
            name,
            f"{known.sum()} of {len(known)}",
            decimal(_middle(one.apart for one in runs)),
            decimal(_middle(value for one in runs for value in one.fall)),
            *("; ".join(decimal(_mean(part)) for part in (level[0], level[1][known], level[1][~known]))
              for level in (mass, entropy)),
            decimal(_mean([one.rank for one in runs])),
        ])  # fmt: skip
    heading = ["S = 16", "found", "last over first target", "fall over step", "mass: untrained; found; not"]
    heading += ["entropy: untrained; found; not", "rank correlation"]
    every = [one for runs in did.values() for one in runs]
    apart = [one.apart for name in did if "s = 3" in name for one in did[name] if np.isfinite(one.apart)]
    falls = [typical for one in every if (typical := _middle(one.fall)) is not None]
    ranks = [one.rank for one in every if np.isfinite(one.rank)]
    drops = [one.drop for one in every if np.isfinite(one.drop)]
    claims = [
        Claim("Targets of a run are found at steps that vary several-fold (s = 3, last over first, at least)",
              f"median {decimal(_middle(apart))}, n = {len(apart)} runs", "several-fold",
              sign(np.log2(apart) - 1, 1), headline=1),
        Claim("A target's fall is abrupt (its steps over the steps before it, median of a run)",
              f"{decimal(_mean(falls))}, n = {len(falls)} runs", "abrupt", sign(np.array(falls) - 0.5, -1),
              headline=1),
        Claim("A fall coincides with weights moving onto the support (rank correlation within runs)",
              f"{decimal(_mean(ranks))}, n = {len(ranks)} runs", "coincides", sign(ranks, 1), headline=2),
        Claim("A fall coincides with a drop of the head's entropy (nats, found targets)",
              f"{decimal(_mean(drops))}, n = {len(drops)} runs", "drops", sign(drops, -1)),
    ]  # fmt: skip
    body = [
        table(heading, rows),
        paragraph("""*Last over first target* compares the steps at which they were found. *Fall* counts the
        steps from 0.9 to 0.1 of chance. *Mass* and *entropy* belong to the head with most weight on the
        target's support at the end. They have three values: before training; then at the end, of found
        targets and of the others. *Rank correlation* compares two steps of each found target: when the mass
        of its head has risen half of its way, and when it is found."""),
    ]
    if cell := isolated.get(3):
        body.append(
            paragraph(f"""The picture shows the isolated run of seed {cell.middle_run.spec.seed} at s = 3.
            Of {len(cell.runs)} runs it has the middle plateau. Below are the first, the middle and the last
            target found, each beside its head.""")
        )
    return Experiment(
        "jumps",
        "Jumps of single targets, and heads",
        "Does each target fall on its own, when a head moves onto its support?",
        "Losses of one run, and three targets beside their heads" if cell else "",
        """The runs come from [search](search.md) and [hump](hump.md), and are reduced as there. Maps and
        heads are recorded at steps a factor of 1.19 apart.""",
        [SEARCH[2], *HUMP],
        [AS_PUBLISHED + "--support-size 3 --seeds 16 --steps 10000 --no-early-stopping"],
        body,
        claims,
    )


def _middle(values: Iterable[float]) -> float | None:
    kept = [value for value in values if np.isfinite(value)]
    return float(np.median(kept)) if kept else None


def _mean(values: Sequence[float] | Floats) -> float | None:
    kept = [value for value in values if np.isfinite(value)]
    return float(np.mean(kept)) if kept else None


def picture(archive: Archive) -> Figure:
    """All losses of a run; and the first, the middle and the last target found beside their best heads."""
    cell = archive.by("support_size", SEARCH[2:]).get(3)
    if cell is None:
        return pictures.empty_figure(9.6, 1, "No run is stored")
    run = cell.middle_run
    title = f"One run (seed {run.spec.seed}): jumps of targets, and the heads that hold their rows"
    figure = pictures.empty_figure(9.6, 5.2, title)
    places = figure.add_gridspec(2, 3)
    whole = figure.add_subplot(places[0, :])
    step, loss = run.curves.step, run.curves.loss[:, run.truth.is_target]
    known = np.flatnonzero(run.measures.found.observed)
    known = known[np.argsort(run.measures.found.length[known], kind="stable")]
    shown = known[[0, len(known) // 2, -1]].tolist() if len(known) else []
    colours = dict(zip(shown, COLOURS, strict=False))
    for target in range(loss.shape[1]):
        style = {"color": colours.get(target, "#BFBFBF"), "linewidth": 1.6 if target in colours else 0.7}
        whole.plot(step, loss[:, target], **style)
    whole.axhline(float(run.truth.chance_loss), color=GREY, linestyle=":", linewidth=0.8)
    whole.set(
        xlabel="training step", ylabel="loss of each target (nats)", xlim=(0, step[-1]), ylim=(-0.03, 1.0)
    )
    best, maps = best_heads(run.heads), run.maps.step
    for place, (target, colour) in enumerate(colours.items()):
        axes = figure.add_subplot(places[1, place])
        lines = axes.plot(step, loss[:, target], color=colour)
        lines += axes.plot(maps, best.mass[:, 0, target], "o-", color=BLACK, markersize=3)
        axes.set(xlabel="training step", xlim=(0, step[-1]), ylim=(0, 1.02), title=f"target {target}")
        beside = axes.twinx()
        lines += beside.plot(maps, best.entropy[:, 0, target], "s--", color=PURPLE, markersize=3)
        beside.set_ylim(0, 3.4)
        beside.spines["right"].set_visible(True)
        beside.tick_params(labelright=place == 2)
        beside.set_ylabel("entropy (nats)" if place == 2 else "", color=PURPLE)
        axes.set_ylabel("" if place else "loss; mass of the best head")
        if place == 0:
            names = ["loss (nats)", "best head: mass on the support", "best head: entropy (right)"]
            figure.legend(lines, names, loc="outside lower center", ncols=3, frameon=False)
    return figure
