"""3. The linear map with its width split into more heads, and with heads added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnsearch.plots import runs as pictures
from attnsearch.plots.runs import BLUE, GREY
from attnsearch.results.cells import Cell
from attnsearch.stats.survival import summarise
from benchmarks.reproduction.archive import Archive, half_known, knob, known_at_end, waits
from benchmarks.reproduction.commands import ADDED, AUTOMATON, EIGHT_HEADS, SPLIT
from benchmarks.reproduction.drawing import CENSORED, COLOURS, Look, lined, ticked, within
from benchmarks.reproduction.verdicts import OPEN, REFUTED, held, judged, lower, versus
from benchmarks.reproduction.writing import WAITED, Claim, Section, found, half, paragraph, table, waited

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def section(archive: Archive) -> Section:
    """The linear map with its width split into more heads, and with heads added."""
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
        "more heads shorten the search at fixed total width: plateau": groups["split"],
        "more heads at fixed total width: half of the targets": groups["split_half"],
        "added heads shorten it, 16 over 1: plateau": groups["added"],
        "added heads, 16 over 1: half of the targets": groups["added_half"],
    }
    claims = [Claim(name, str(group), "shorter", group.order("shorter")) for name, group in orders.items()]
    claims += [
        Claim("128 heads of one feature learn the map (each run half of it)", words, "learned", solved),
        Claim("wider heads give diminishing returns: 4 heads, half of the targets, width", str(wider),
              "diminishing", lower(first, second)),
        Claim("on automata a head needs a minimum size", "not run", "a minimum", OPEN),
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
        paragraph("""*Half of the targets*: restricted mean of the steps until as many are known at once. A
        single target of 16 ends a plateau, and may be forgotten again: found in all and known at the end
        differ most for few heads, whose plateaus say little."""),
        paragraph(f"**Missing**: {'; '.join(lacking)}.") if lacking else "",
        "![Plateau against the number of heads, split and added](images/reproduction-heads.png)",
    ]
    return Section(
        "3. Heads",
        "Do more heads search in parallel, at fixed total width and when they are added?",
        """linear map, S = 16, s = 3, isolated; network as published. 2,000 steps for 10,000, 2,048 tokens a
        step, learning rate 1e-3, 5 seeds. The row of 8 heads is that of experiment 1a; its plateaus are cut
        at 2,000 steps, its other columns are of 3,000.""",
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
