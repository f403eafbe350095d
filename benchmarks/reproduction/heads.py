"""The linear map with its width split into more heads, and with heads added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnsearch.plots import style as pictures
from attnsearch.plots.style import BLUE, GREY
from attnsearch.results.cells import Cell
from attnsearch.stats.survival import summarise
from benchmarks.reproduction.archive import Archive, half_known, knob, known_at_end, waits
from benchmarks.reproduction.commands import ADDED, AUTOMATON, EIGHT_HEADS, SPLIT
from benchmarks.reproduction.drawing import CENSORED, COLOURS, Look, lined, ticked, within
from benchmarks.reproduction.verdicts import OPEN, REFUTED, held, judged, lower, versus
from benchmarks.reproduction.writing import WAITED, Claim, Experiment, found, half, paragraph, table, waited

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def experiment(archive: Archive) -> Experiment:
    """Waiting times against the number of heads, split and added."""
    split = archive.by("num_heads", SPLIT, EIGHT_HEADS)
    added = _added(archive)
    ends = {f"{n} heads over 1": (split.get(n), split.get(1)) for n in (16, 128)}
    more = {f"width {w}": (added.get((w, 16)), added.get((w, 1))) for w in (4, 8, 16)}
    groups = judged(
        split={name: versus(*pair) for name, pair in ends.items()},
        split_half={name: versus(*pair, half_known) for name, pair in ends.items()},
        added={name: versus(*pair) for name, pair in more.items()},
        added_half={name: versus(*pair, half_known) for name, pair in more.items()},
        wider={
            f"{w} over {w // 2}": versus(added.get((w, 4)), added.get((w // 2, 4)), half_known)
            for w in (8, 16)
        },
    )
    finest, wider = split.get(128), groups["wider"]
    first, second = wider.comparisons.values()
    solved, words = OPEN, "missing"
    if finest:
        words = f"{known_at_end(finest)} targets known at the end, {waited(finest)[3]} runs mastered"
        done = summarise(half_known(finest)).ended
        solved = REFUTED if done.high < 0.5 else held(done.count == done.of, False)
    orders = {
        "More heads at fixed total width: plateau": ("split", 0),
        "More heads at fixed total width: half of the targets": ("split_half", 5),
        "Added heads, 16 over 1: plateau": ("added", 0),
        "Added heads, 16 over 1: half of the targets": ("added_half", 7),
    }
    claims = [
        Claim(name, str(groups[key]), "shorter", groups[key].order("shorter"), headline)
        for name, (key, headline) in orders.items()
    ]
    claims += [
        Claim("128 heads of one feature learn the map (each run half of it)", words, "learned", solved),
        Claim("Wider heads give diminishing returns: 4 heads, half of the targets, width", str(wider),
              "diminishing", lower(first, second)),
        Claim("On automata a head needs a minimum size", "not run", "a minimum", OPEN),
    ]  # fmt: skip
    lacking = [f"{n} heads split" for n in (1, 2, 4, 8, 16, 32, 64, 128) if n not in split]
    lacking += [f"{n} of width {w}" for w in (4, 8, 16) for n in (1, 4, 16) if (w, n) not in added]
    named = {f"{n} of width {128 // n}, split": cell for n, cell in split.items()}
    named |= {f"{n} of width {w}, added": cell for (w, n), cell in added.items()}
    rows = [
        [name, *waited(cell, 2_000)[:3], half(cell, 2_000), found(cell), known_at_end(cell)]
        for name, cell in named.items()
    ]
    heading = ["heads", *WAITED[:3], "half of the targets", "targets found", "known at the end"]
    body = [
        table(heading, rows),
        paragraph("""*Half of the targets* is the restricted mean of the steps until half of them are known
        at once. A single target of 16 ends a plateau, and may be forgotten again. Plateaus of few heads say
        little: there, more targets are found than are known at the end."""),
        paragraph(f"**Missing**: {'; '.join(lacking)}.") if lacking else "",
    ]
    return Experiment(
        "heads",
        "Heads",
        "Do more heads search in parallel, at fixed total width and when they are added?",
        "Plateau against the number of heads, split and added",
        """The task is the isolated linear map, S = 16, s = 3. The network is as published. Runs have 2,000
        steps instead of 10,000, and 5 seeds. A step has 2,048 tokens, and the learning rate is 1e-3. The row
        of 8 heads comes from [search](search.md). Its plateaus are cut at 2,000 steps; its other columns
        cover 3,000.""",
        [*SPLIT, *ADDED],
        [
            "attnsearch sweep benchmarks/heads.toml",
            AUTOMATON + "16 --num-heads 1,2,4,8,16,32,64,128 --seeds 16 --steps 10000 --tokens-per-step 8192",
        ],
        body,
        claims,
    )


def _added(archive: Archive) -> dict[tuple[int, int], Cell]:
    """Cells of added heads, by width and number, rising."""
    cells = archive.cells(ADDED)
    added = {(knob(cell, "head_width"), knob(cell, "num_heads")): cell for cell in cells}
    return {place: added[place] for place in sorted(added)}


def picture(archive: Archive) -> Figure:
    """Plateau, and steps until half of the targets are known, against heads, split and added."""
    split, added = archive.by("num_heads", SPLIT, EIGHT_HEADS), _added(archive)
    figure = pictures.empty_figure(9, 6.4, "Isolated linear map, S = 16, s = 3: heads")
    grid = figure.subplots(2, 2, sharey=True, sharex="col")
    kinds = (("plateau length", waits), ("half of the targets known", half_known))
    for (left, right), (label, steps) in zip(grid, kinds, strict=True):
        lined(left, within(split, 2_000, steps), Look("", BLUE, "o"))
        for width, colour, marker in zip(sorted({w for w, _ in added}), COLOURS, "osD", strict=False):
            members = {n: cell for (w, n), cell in added.items() if w == width}
            lined(right, within(members, 2_000, steps), Look(f"head width {width}", colour, marker))
        ticked(left, [1, 2, 4, 8, 16, 32, 64, 128], 2_000)
        ticked(right, [1, 4, 16], 2_000)
        left.set(ylabel=f"{label} (training steps)", ylim=(90, 2_600))
    grid[1, 0].set_xlabel("heads, of width 128 / heads")
    grid[1, 1].set_xlabel("heads added")
    if added:
        grid[0, 1].legend(frameon=False)
    figure.supxlabel(CENSORED, color=GREY, fontsize="medium")
    return figure
