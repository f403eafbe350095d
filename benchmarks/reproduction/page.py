"""The page: its introduction, its sections, its pictures."""

from __future__ import annotations

from pathlib import Path

from attnsearch.plots import runs as pictures
from benchmarks.reproduction import automaton, heads, hump, jumps, mixers, search
from benchmarks.reproduction.archive import Archive
from benchmarks.reproduction.verdicts import DIRECTION, OPEN, REFUTED, REPRODUCED
from benchmarks.reproduction.writing import block, claims_table, paragraph, table

INTRODUCTION = """\
**Read this first.** Five seeds are fewer than the eight of [the protocol](protocol.md), and sixteen are for
comparing mixers: of five against five only plain differences are seen. Optimizer, learning rate and tokens
a step of the paper are not published, so that its steps are no exact target. A plateau lasts until the mean
target loss is below 0.938 of chance; of 16 targets a single one that is found is enough. Medians have their
95 % interval in round brackets; fewer than six runs bound none, and have their range in square ones.
Restricted means, up to the budget, and their ratios have 95 % intervals. *Target found* is the median step
over all targets of all runs.

**Reproduced**, by the kind of the claim. An *order* (longer, shorter): every comparison holds by its test,
log-rank, p adjusted over the comparisons of an experiment, at most 0.05, the interval of the ratio on that
side of 1. *No difference*: no comparison says the opposite, and every interval ends within 1.25. *Less than
another* ratio or share: their intervals lie apart. A *correlation* with a published column: p at most 0.05.
A *tendency* within runs: the mean over runs with its 95 % interval (Student's) on that side of 0;
several-fold is at least twofold, abrupt less than half. A *number*: the published one lies in our interval,
widened by what reading a figure leaves open, and the interval spans at most a factor of four, or four rows.

**Reproduced in direction**: the same, but with a smaller network or task than the published, or 16 heads for
8; or a number within a factor of two, or two rows. A shorter budget is no such reduction where an order
holds within it, for what comes later cannot undo it. **Not reproduced**: the test shows the opposite, or a
difference where none is claimed, or the number is further off. **Not decided**: none of these, or runs are
missing. The isolated linear map counts as of the published size: its hidden maps are the same, without ways
round them."""

EXPERIMENTS = (search, hump, automaton, heads, mixers, jumps)


def draw(archive: Archive, folder: Path) -> None:
    """Every picture of the page."""
    for experiment in (search, hump, automaton, heads, jumps):
        name = experiment.__name__.split(".")[-1]
        pictures.written(experiment.picture)(folder / f"reproduction-{name}.png", archive)


def page(archive: Archive) -> str:
    """The whole of it, in Markdown."""
    sections = [experiment.section(archive) for experiment in EXPERIMENTS]
    used = {run.spec.digest: run for section in sections for run in archive.runs(section.trained)}
    used |= {run.spec.digest: run for specs in mixers.ladder_specs(archive) for run in archive.among(specs)}
    steps = sum(int(run.curves.step[-1]) for run in used.values())
    rows = [
        [section.title.split(".")[0], *claim[:3], f"**{claim.verdict}**"]
        for section in sections
        for claim in section.claims
    ]
    said = [row[-1].strip("*") for row in rows]
    counts = ", ".join(f"{said.count(word)} {word}" for word in (REPRODUCED, DIRECTION, REFUTED, OPEN))
    parts = [
        "# Reproduction of arXiv:2606.25010",
        paragraph(f""""Emergent Capabilities Arise Randomly from Learning Sparse Attention Patterns" (2026):
        what came out here, and what did not. Of {len(rows)} claims: {counts}. Written by
        `benchmarks/reproduction` from {len(used)} stored runs, {steps / 1e3:,.0f} thousand training
        steps on two CPU cores."""),
        *map(paragraph, INTRODUCTION.split("\n\n")),
        "## Summary",
        table(["", "claim", "ours", "published", "verdict"], rows, "---"),
        f"**Not reproduced**: {'; '.join(row[1] for row in rows if REFUTED in row[-1]) or 'none'}.",
    ]
    for section in sections:
        parts += [f"## {section.title}", section.question, paragraph(f"**Reduced**: {section.reduced}")]
        parts += ["Trained by:", block(section.trained, archive), *section.body, claims_table(section.claims)]
        parts += ["What would decide it, at the published size:", block(section.decides)]
    return "\n\n".join(part for part in parts if part) + "\n"
