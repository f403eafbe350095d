"""The page of one mixer: what it is, its knobs, its size, and what its stored runs show.

`benchmarks/mixers_page.py` writes them. Nothing is run from here.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from attnsearch.leaderboard.board import Family, Row
from attnsearch.leaderboard.entry import EntryCell, recorded_steps
from attnsearch.leaderboard.tables import ranking
from attnsearch.mixers import MIXERS
from attnsearch.mixers.base import default_settings
from attnsearch.plots.gallery import draw_maps
from attnsearch.plots.seeds import SeedCurve, loss_of_seeds
from attnsearch.results.study import Study
from attnsearch.results.table import counted, in_markdown
from attnsearch.runs.escape import escape_threshold
from attnsearch.runs.store import StoredRun
from attnsearch.spec.names import Names
from attnsearch.spec.run import Value
from attnsearch.stats.frontier import rounded
from benchmarks.mixers_table import LENGTH, WIDTH, Facts, summary

COLOURS, FEW_COLOURS = 256, 48
"""Of a picture in a page, so that it stays small; maps and many curves need more of them."""

_KNOB = re.compile(r"^(\w+):\s+(.*)$")
"""A setting at the left edge of a docstring; the lines that go on are indented."""


def stated(name: str) -> str:
    """The first part of the page, for which nothing is compiled or drawn."""
    body, _ = _docstring(name)
    papers = list(dict.fromkeys(re.findall(r"arXiv:(\d{4}\.\d{4,5})", f"{summary(name)}\n{body}")))
    links = ", ".join(f"[arXiv:{number}](https://arxiv.org/abs/{number})" for number in papers)
    parts = [
        f"# `{name}`",
        "Written by `benchmarks/mixers_page.py`. [The mixers side by side](../mixers.md) compares all.",
        "## What it is",
        summary(name),
        *([body] if body else []),
        *([f"Paper{'s' * (len(papers) > 1)}: {links}."] if papers else []),
        "## Knobs",
        knobs(name),
    ]
    return "\n\n".join(parts)


def _docstring(name: str) -> tuple[str, dict[str, str]]:
    """What a mixer's docstring says after its first sentence, with formulas as code; and of each knob."""
    text = (inspect.getdoc(MIXERS[name]) or "").partition("\n\n")[2].partition("\nErrors:")[0]
    meanings: dict[str, str] = {}
    body: list[str] = []
    known, now = default_settings(MIXERS[name]), None
    for line in text.splitlines():
        found = _KNOB.match(line)
        if found and found[1] in known:
            now = found[1]
            meanings[now] = found[2]
        elif now and line.startswith(" "):
            meanings[now] += f" {line.strip()}"
        else:
            now = None
            body.append(line)
    told = re.sub(
        r"::\n\n((?:(?: {4}.*)?\n)+)",
        lambda code: f":\n\n```text\n{textwrap.dedent(code[1]).strip()}\n```\n\n",
        "\n".join(body) + "\n",
    )
    return re.sub(r"\n{3,}", "\n\n", told).strip(), meanings


def knobs(name: str) -> str:
    """A row a knob, with its default."""
    _, meanings = _docstring(name)
    rows = [
        f"| `{knob}` | {_default(value)} | {meanings[knob]} |"
        for knob, value in default_settings(MIXERS[name]).items()
    ]
    head = "`--mixer-set NAME=VALUE` sets one. A derived one follows from the width and the others."
    return "\n".join([head, "", "| knob | default | meaning |", "|---|--:|---|", *rows])


def _default(value: Value) -> str:
    """As `--mixer-set` takes it."""
    return "derived" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def size(known: Facts) -> str:
    """Parameters, state and work of one layer, and what it cannot do."""
    rows = [
        ("parameters", f"{known.parameters:,}"),
        ("state, numbers carried from token to token", known.state),
        ("FLOPs a token", f"{known.flops:,.0f}"),
    ]
    return "\n".join(
        [
            "## Size",
            "",
            f"One layer at D = {WIDTH}; FLOPs of the forward pass over {LENGTH} tokens, as XLA counts them.",
            "",
            "| | |",
            "|---|--:|",
            *(f"| {name} | {value} |" for name, value in rows),
            "",
            f"What it cannot do: {known.limit[0].lower()}{known.limit[1:]}" if known.limit else "",
        ]
    ).strip()


def result(family: Family, row: Row) -> str:
    """The row of the family's ranking as a list, or why there is none."""
    if row.rank is None:
        reasons = "; ".join(reason.partition(":")[0] for reason in row.reasons)
        return f"Listed apart, and not ranked: {in_markdown(reasons)}."
    table = ranking(family)
    texts = table.rows[family.ranked.index(row)]
    lines = [
        f"| {in_markdown(heading)} | {in_markdown(text)} |"
        for heading, text in zip(table.columns, texts, strict=True)
        if heading != "mixer"
    ]
    return "\n".join(["| | |", "|---|---|", *lines])


def results(
    name: str, found: Sequence[tuple[Family, Row]], runs: Sequence[StoredRun], images: Path
) -> list[str]:
    """The second part of the page. Draws its pictures, which are of one cell of the first family.

    found:  the families that the mixer has answered
    runs:   stored runs; maps are shown where runs of the cell are among them
    """
    parts = ["## What came out"]
    for family, row in found:
        parts += [f"On the suite `{family.suite.name}`, {family.name} tasks:", result(family, row)]
    cell, why = chosen(found[0][1])
    named = in_markdown(Names([cell.spec]).full(cell.spec))
    parts += [
        "## Its curves",
        f"{counted(len(cell.runs), 'seed')} at {cell.bits:.1f} bits, {why}. A dot marks the escape.",
        _picture(f"Loss of each seed, {name}", draw_losses(images / f"{name}-losses.png", cell, name)),
        f"The cell: {named}.",
    ]
    run = middle(cell, runs)
    if run is not None:
        drawn = draw_maps(run, Names([run.spec.cell]), images)
        path = smaller(drawn.replace(images / f"{name}-maps.png"))
        parts += [
            "## Its maps",
            f"Of the same cell, the run of median plateau length, seed {run.spec.seed}. The measured map at"
            " the start, at the escape and at the end stands beside the true map. [Maps](../maps.md) says how"
            " it is measured.",
            _picture(f"Measured maps, {name}", path),
        ]
    return parts


def _picture(told: str, path: Path) -> str:
    """A link to a picture in docs/images/mixers."""
    return f"![{told}](../images/{path.parent.name}/{path.name})"


def chosen(row: Row) -> tuple[EntryCell, str]:
    """The cell that the pictures are of, and why: the largest search space that half of the runs master, else
    the smallest asked."""
    reached = row.frontier.reached
    cells = sorted(row.cells, key=lambda cell: cell.bits)
    if reached is None:
        return cells[0], "the smallest search space: of none do half of its runs master all targets"
    at = rounded([cell.bits for cell in cells]).tolist()
    return cells[at.index(reached.bits)], "the largest search space that half of its runs master"


def middle(cell: EntryCell, runs: Sequence[StoredRun]) -> StoredRun | None:
    """The stored run of a cell whose plateau is of median length, of those that have maps; None without."""
    asked = {run.spec for run in cell.runs}
    mapped = [run for run in runs if run.spec in asked and len(run.map_mass.step)]
    made = Study(mapped).cells
    return made[0].middle_run if made else None


def draw_losses(path: Path, cell: EntryCell, name: str) -> Path:
    """The mean target loss of every run of a cell."""
    curves = [
        SeedCurve(
            run.spec.seed,
            recorded_steps(len(run.loss)),
            run.loss / cell.chance_loss,
            int(run.plateau.length[0]) if run.plateau.observed[0] else None,
        )
        for run in cell.runs
    ]
    below, budget = escape_threshold(cell.spec.task).share, cell.spec.budget.steps
    return smaller(
        loss_of_seeds(path, curves, below, budget, f"{name}: loss of each seed, {cell.bits:.1f} bits")
    )


def smaller(path: Path, colours: int = COLOURS) -> Path:
    """The picture in so many colours at most."""
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    return path


def page(name: str, known: Facts, second: Sequence[str]) -> str:
    """The whole page. `second`: its second part, empty for a mixer without runs."""
    none = ["## What came out", "Not run yet, or not to the end."]
    return "\n\n".join([stated(name), size(known), *(second or none)]) + "\n"
