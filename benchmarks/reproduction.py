"""What of arXiv:2606.25010 came out here and what did not: docs/reproduction.md, made from stored runs.

    .venv/bin/python benchmarks/reproduction.py STORE... -o docs/reproduction.md

Every group of runs is named by the command that trains it: runs are looked up by the digests that the
command asks for, so that the page cannot show others. What is not stored is said to be missing. Verdicts
follow from the numbers by the rules under `INTRODUCTION`, and from nothing else.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from attnsearch import pictures
from attnsearch.alignment import best_heads
from attnsearch.base import AttnsearchError, Bools, Floats, Integers, Plateaus
from attnsearch.collect import collect
from attnsearch.commands.options import mixer_lists, names_in
from attnsearch.commands.run import run as run_command
from attnsearch.comparison import SIGNIFICANCE, Comparison, benjamini_hochberg, compare
from attnsearch.flags import given, tasks_of
from attnsearch.law import Law, NoLaw, fit, frontier
from attnsearch.pictures import BLACK, BLUE, GREEN, GREY, PURPLE, VERMILION
from attnsearch.plan import Registries, specify
from attnsearch.plateau import first_step, prediction_loss
from attnsearch.selection import Choice, choices
from attnsearch.specs import RunSpec, Value
from attnsearch.store import StoredRun
from attnsearch.suites import Suite
from attnsearch.summary import Cell, cells, plateau_of
from attnsearch.survival import CONFIDENCE, Waiting, cut, pool, proportion, summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What the paper published, read off its figures.

LOSSES = "336 336 366 508 604 611 638 670 638 626 648 611 492 380 358 358"
PUBLISHED_LOSS = {s: int(loss) / 1_000 for s, loss in enumerate(LOSSES.split(), start=1)}
"""Linear map, S = 16: plotted loss after 10,000 steps by s, mean of three seeds, read to 0.002."""

PUBLISHED_PLATEAU = {4: 61, 8: 377, 16: 399, 32: 654}
"""Automaton: steps until the loss is below 1.3, by S, read to 1 %."""

PUBLISHED_CROSSINGS = {0.65: (563, 604), 0.50: (643, 1_397), 0.40: (870, 2_330), 0.36: (1_370, 3_490)}
"""Linear map, S = 16, s = 3: first step with a plotted loss below so many nats; MLP-Mixer, transformer."""

# What was run here.

_RUN = "attnsearch run --task "
_LINEAR = _RUN + "linear_map --num-heads 8 "
_SPLIT = _RUN + "linear_map --state-size 16 --support-size 3 "
_PUBLISHED = _RUN + "linear_map_autoregressive --loss all --num-heads 8 --state-size 16 "
_VISIBLE = _RUN + "linear_map_autoregressive --state-size 16 --mixer attention,mlp_mixer --steps 2000 "
_WHOLE = _RUN + "cellular_automaton --state-size "
_SMALL = _RUN + "cellular_automaton --num-states 4 --rule-pool 4 --width 64 --mlp-width 256 --steps 1000 "

SEARCH = (
    _LINEAR + "--state-size 8 --support-size 1,2,3,4,5,6,7,8 --seeds 8 --steps 3000",
    _LINEAR + "--state-size 12 --support-size 2,3,4 --seeds 5 --steps 3000",
    _LINEAR + "--state-size 16 --support-size 1,2,3,4,5 --seeds 5 --steps 3000",
)
DENSE = (_LINEAR + "--state-size 16 --support-size 13 --seeds 5 --steps 3000",)
HUMP = (_PUBLISHED + "--support-size 1,2,3,4,8,12,13,14,16 --seeds 5 --steps 2000",)
PLAIN = (_SMALL + "--state-size 4,8,16,32 --seeds 5 --learning-rate 3e-3",)
KINDS = {
    "plain": PLAIN,
    "map": (PLAIN[0] + " --map-bias 4",),
    "wrong map": (PLAIN[0] + " --map-bias 4 --map-bias-placebo",),
}
FULL_SIZE = (_WHOLE + "4 --seeds 5 --steps 200 --learning-rate 1e-3",)
PROBES = (
    _WHOLE + "8 --seeds 1 --steps 1000 --learning-rate 1e-3,3e-3",
    _WHOLE + "8 --seeds 1 --steps 400 --learning-rate 1e-3,3e-3 --tokens-per-step 8192",
    _WHOLE + "8 --seeds 1 --steps 600 --learning-rate 1e-3 --map-bias 2,4",
)
GIVEN = (_LINEAR + "--state-size 8,16 --support-size 2,3 --seeds 5 --steps 600 --map-bias 8",)
GIVEN_WRONG = (GIVEN[0] + " --map-bias-placebo",)
EIGHT_HEADS = (_LINEAR + "--state-size 16 --support-size 3 --seeds 5 --steps 3000",)
SPLIT = (_SPLIT + "--num-heads 1,2,4,16,32,64,128 --seeds 5 --steps 2000",)
ADDED = (_SPLIT + "--head-width 4,8,16 --num-heads 1,4,16 --seeds 5 --steps 2000",)
VISIBLE_RATES = (_VISIBLE + "--support-size 3 --seeds 16:18 --learning-rate 1e-3,3e-3",)
VISIBLE = (_VISIBLE + "--support-size 2,3,4 --seeds 5 --learning-rate 1e-3",)
SMALL_RATES = (
    _SMALL + "--state-size 8,16 --seeds 16:18 --learning-rate 3e-4,1e-3,3e-3 --mixer attention,mlp_mixer",
)
SMALL_MIXER = (_SMALL + "--state-size 8,16 --seeds 5 --learning-rate 1e-3,3e-3 --mixer mlp_mixer",)
LADDER = Path(__file__).parent / "mixers.toml"

INTRODUCTION = """\
**Read this first.** Five seeds are fewer than the eight of [the protocol](protocol.md), and sixteen are for
comparing mixers: of five against five only plain differences are seen. Optimizer, learning rate and tokens
a step of the paper are not published, so that its steps are no exact target. A plateau lasts until the mean
target loss is below 0.938 of chance; of 16 targets a single one that is found is enough. Medians have their
95 % interval in round brackets; fewer than six runs bound none, and have their range in square ones.
Restricted means, up to the budget, and their ratios have 95 % intervals. *Target found* is the median step
over all targets of all runs.

**Reproduced**: a claim of order holds by its test (log-rank, p adjusted over the comparisons of an
experiment, at most 0.05, the interval of the ratio on that side of 1), on a network and a task of the
published size; or a published number lies in our interval. **Reproduced in direction**: the order holds at
a reduced size or budget, or the number is within a factor of two. **Not reproduced**: the test shows the
opposite, or a difference where none is claimed, or the number is further off. **Not decided**: none of
these, runs are missing, or a loss is behind the published one after fewer steps. The isolated linear map
counts as of the published size: its hidden maps are the same, without ways round them."""

REPRODUCED, DIRECTION = "reproduced", "reproduced in direction"
REFUTED, OPEN = "not reproduced", "not decided"

TOLERANCE = 1.25
"""A ratio whose interval ends below it is no growth; one that begins above its inverse, no help."""

VANISHED = 50
"""Steps, half of the learning rate's warm-up: a plateau below it, interval included, has all but vanished."""

STATES = 16
"""Cells of the linear map as published."""

FLOOR = (STATES - 1) / (2 * STATES - 1) * float(np.log(2))
"""Its plotted loss when every row is known."""

WIDTH = 120
"""Characters of a line of the page, but for tables."""


# Looking runs up.


@lru_cache
def asked(line: str) -> tuple[RunSpec, ...]:
    """The runs that a command line trains."""
    context = run_command.make_context("run", shlex.split(line)[2:])
    mixers, known = names_in(context.params["mixers"]), Registries().known_mixers()
    values = {**given(context), **mixer_lists(mixers, context.params["mixer_settings"], known)}
    seeds, rule_seed = context.params["seeds"], context.params["rule_seed"]
    return tuple(specify(tasks_of(context), mixers, values, seeds=seeds, rule_seed=rule_seed))


class Archive:
    """Stored runs, looked up by the digests of what is asked for."""

    def __init__(self, runs: Iterable[StoredRun]):
        self.stored = {run.spec.digest: run for run in runs}

    def among(self, specs: Iterable[RunSpec]) -> list[StoredRun]:
        """Those of `specs` that are stored."""
        return [self.stored[spec.digest] for spec in specs if spec.digest in self.stored]

    def runs(self, lines: Iterable[str]) -> list[StoredRun]:
        """Those that these commands train, as far as they are stored."""
        return self.among(spec for line in lines for spec in asked(line))

    def cells(self, *groups: Iterable[str]) -> list[Cell]:
        """The same of several groups of commands, by cell."""
        return cells([run for lines in groups for run in self.runs(lines)])

    def by(self, name: str, *groups: Iterable[str]) -> dict[int, Cell]:
        """The same by a setting that tells the cells apart, rising."""
        return dict(sorted((knob(cell, name), cell) for cell in self.cells(*groups)))


def knob(cell: Cell, name: str) -> int:
    """A setting that is a whole number."""
    return int(str(cell.spec.flat()[name]))


def pick(candidates: Iterable[Cell], **settings: Value) -> Cell | None:
    """The cell with these settings; None where there is none."""
    wanted = settings.items()
    return next((cell for cell in candidates if wanted <= cell.spec.flat().items()), None)


def waits(cell: Cell) -> Plateaus:
    """The plateau lengths of a cell."""
    return pool(plateau_of(run) for run in cell.runs)


def half_known(cell: Cell) -> Plateaus:
    """Steps until half of a run's targets are known at once, their losses below half of chance. A single
    target of 16 ends a plateau, and may be forgotten."""
    known = []
    for run in cell.runs:
        below = run.curves.loss[:, run.truth.is_target] < cell.spec.task.plateau.found * run.truth.chance_loss
        known.append(first_step(run.curves.step, below.mean(axis=1, keepdims=True) >= 0.5))
    return pool(known)


def known_at_end(cell: Cell) -> str:
    """Targets known at the last recorded point, of all runs."""
    level = cell.spec.task.plateau.found * float(cell.runs[0].truth.chance_loss)
    known = [run.curves.loss[-1, run.truth.is_target] < level for run in cell.runs]
    return f"{np.sum(known)} of {np.size(known)}"


# Words and tables.


class Claim(NamedTuple):
    """A line of the summary: what is claimed, ours, theirs, and the verdict."""

    claim: str
    ours: str
    published: str
    verdict: str


@dataclass(frozen=True)
class Section:
    """An experiment.

    reduced:   what is smaller than in the paper
    trained:   the commands that trained its runs
    decides:   those that would settle it at the published size
    body:      tables, pictures and paragraphs, in Markdown
    """

    title: str
    question: str
    reduced: str
    trained: Sequence[str]
    decides: Sequence[str]
    body: Sequence[str]
    claims: Sequence[Claim]


def paragraph(text: str) -> str:
    """Folded to `WIDTH`, never within `S = 8`."""
    text = " ".join(text.split()).replace(" = ", "\0=\0")
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def table(heading: Sequence[str], rows: Iterable[Sequence[str]], aligned: str = "---:") -> str:
    """In Markdown; empty where there are no rows."""
    lines = [heading, ["---", *[aligned] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if len(lines) > 2 else ""


def claims_table(claims: Iterable[Claim]) -> str:
    """With the verdict in bold."""
    heading = ["claim", "ours", "published", "verdict"]
    return table(heading, [[*claim[:3], f"**{claim.verdict}**"] for claim in claims], "---")


def block(lines: Iterable[str], archive: Archive | None = None) -> str:
    """Commands to read and to paste; with how many of their runs are in `archive`."""
    written = []
    for line in lines:
        if archive is not None:
            specs = asked(line)
            written.append(f"# {len(archive.among(specs))} of {len(specs)} runs stored")
        words = line.replace(" --", "\0--").split("\0")
        folded = textwrap.wrap(" ".join(word.replace(" ", "\0") for word in words), WIDTH - 6,
                               break_long_words=False, break_on_hyphens=False)  # fmt: skip
        written.append(" \\\n    ".join(folded).replace("\0", " "))
    return "\n".join(["```", *written, "```"])


def number(value: float | None) -> str:
    """Steps, rounded."""
    return "not reached" if value is None else f"{value:,.0f}"


def decimal(value: float | None) -> str:
    """To two digits."""
    return "none" if value is None else f"{value:.2f}"


def spanned(value: float, low: float, high: float, digits: int = 0) -> str:
    """A value with its interval."""
    return f"{value:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def median(waiting: Waiting) -> str:
    """With its interval; of fewer than six runs, which bound none, with the range of those that ended."""
    if waiting.median is None:
        return "not reached"
    if waiting.median_low:
        return f"{waiting.median:,.0f} ({waiting.median_low:,.0f} to {number(waiting.median_high)})"
    return f"{waiting.median:,.0f} [{waiting.shortest:,} to {waiting.longest:,}]"


def restricted(waiting: Waiting) -> str:
    """The restricted mean with its interval."""
    return spanned(waiting.restricted_mean, waiting.restricted_mean_low, waiting.restricted_mean_high)


WAITED = ("escaped", "median plateau", "restricted mean", "mastered", "target found")


def waited(cell: Cell, horizon: int | None = None) -> list[str]:
    """The columns `WAITED` of a cell; plateaus up to `horizon`, where its budget is longer than its
    neighbours'."""
    plateau = cell.plateau if horizon is None else summarise(cut(waits(cell), horizon), horizon)
    escaped, mastered = (f"{one.observed} of {one.runs}" for one in (plateau, cell.mastery))
    return [escaped, median(plateau), restricted(plateau), mastered, number(cell.found.median)]


def half(cell: Cell, horizon: int) -> str:
    """The restricted mean of `half_known`, up to `horizon`."""
    return restricted(summarise(cut(half_known(cell), horizon), horizon))


def found(cell: Cell) -> str:
    """Targets of all runs."""
    return f"{cell.found.observed} of {cell.found.runs}"


# Verdicts.


def versus(
    candidate: Cell | None, reference: Cell | None, steps: Callable[[Cell], Plateaus] = waits
) -> Comparison | None:
    """Plateaus, or other `steps`, compared up to the shorter of two budgets; None where either has no
    runs."""
    if candidate is None or reference is None:
        return None
    horizon = min(cell.spec.budget.steps for cell in (candidate, reference))
    return compare(steps(candidate), steps(reference), horizon)


@dataclass(frozen=True)
class Judged:
    """Some comparisons of an experiment by name, None for those that could not be made, and what each says
    with p adjusted over all of the experiment."""

    comparisons: Mapping[str, Comparison | None]
    said: Mapping[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{name}: {ratio(one)}" for name, one in self.comparisons.items())

    @property
    def words(self) -> list[str]:
        """What each says."""
        return [self.said.get(name, "missing") for name in self.comparisons]

    def order(self, claimed: str, *, reduced: bool = False) -> str:
        """The verdict on the claim that all candidates are "longer", or "shorter", than their references."""
        if {"longer": "shorter", "shorter": "longer"}[claimed] in self.words:
            return REFUTED
        return _held(set(self.words) == {claimed}, reduced)

    def no(self, denied: str, *, reduced: bool = False) -> str:
        """The verdict on the claim that none is "longer", or "shorter", by more than `TOLERANCE`."""
        if denied in self.words:
            return REFUTED
        known = [one for one in self.comparisons.values() if one is not None]
        within = [one.high < TOLERANCE if denied == "longer" else one.low > 1 / TOLERANCE for one in known]
        return _held(len(known) == len(self.comparisons) and all(within), reduced)


def judged(**groups: Mapping[str, Comparison | None]) -> dict[str, Judged]:
    """The comparisons of an experiment, with p values adjusted over all of them."""
    places = [(group, name) for group, members in groups.items() for name, one in members.items() if one]
    made = [one for group, name in places if (one := groups[group][name])]
    values = benjamini_hochberg([one.p_value for one in made]) if made else []
    said = {place: one.verdict(float(p)) for place, one, p in zip(places, made, values, strict=True)}
    return {
        group: Judged(members, {name: said[group, name] for name in members if (group, name) in said})
        for group, members in groups.items()
    }


def _held(holds: bool, reduced: bool) -> str:
    return OPEN if not holds else DIRECTION if reduced else REPRODUCED


def ratio(comparison: Comparison | None) -> str:
    """With its interval."""
    return "missing" if comparison is None else spanned(comparison.ratio, comparison.low, comparison.high, 2)


def close(published: float, value: float, low: float, high: float) -> str:
    """The verdict on a number."""
    if low <= published <= high:
        return REPRODUCED
    return DIRECTION if 0.5 <= value / published <= 2 else REFUTED


def mean_interval(values: Sequence[float] | Floats) -> tuple[float, float, float]:
    """Mean with Student's interval; of one value, everything."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, -np.inf, np.inf
    width = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values)
    return mean, float(mean - width), float(mean + width)


def rank_correlation(
    one: Sequence[float] | Floats | Integers, other: Sequence[float] | Floats
) -> list[float]:
    """Spearman's, and its p value."""
    return np.asarray(stats.spearmanr(one, other), np.float64).tolist()


def sign(values: Sequence[float] | Floats, claimed: int) -> str:
    """The verdict on the claim that values of runs are positive, or negative."""
    if len(values) < 2:
        return OPEN
    _, low, high = mean_interval(claimed * np.asarray(values))
    return REPRODUCED if low > 0 else REFUTED if high < 0 else OPEN


# 1a. Search space, isolated.


def law_of(members: Iterable[Cell]) -> Law | NoLaw:
    """Over nominal bits, of the cells whose supports hold at most half of the inputs: from there on more
    inputs mean fewer supports."""
    sparse = [cell for cell in members if 2 * knob(cell, "support_size") <= knob(cell, "state_size")]
    return fit([cell.bits for cell in sparse], [waits(cell) for cell in sparse])


def search(archive: Archive) -> Section:
    """The law, the frontier, and what they do not tell."""
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
        f"S = {S}, s = {s}, {cell.bits:.1f} bits: 0 of {len(cell.runs)} in {cell.spec.budget.steps:,}"
        for (S, s), cell in at.items()
        if 2 * s <= S and not cell.plateau.observed
    )
    claims = [
        Claim("larger search space, longer plateau (s up to S / 2)", *_growth(law)),
        Claim("longer contexts lengthen it: S = 16 over 8", str(groups["size"]), "longer",
              groups["size"].order("longer")),
        Claim("past some size never", never or "all escape", "not in 10,000", _held(bool(never), True)),
        Claim("dense rows are harder than sparse ones with as many supports: s = 4 over 2, and 4 over 3",
              str(groups["equal"]), "harder (replications)", groups["equal"].order("longer")),
        Claim("isolated too, medium sparsity is hardest: S = 8, over s = 4", str(groups["dense"]),
              "shorter: all learned", groups["dense"].order("shorter")),
    ]  # fmt: skip
    rows = [[f"{S}, {s}", f"{cell.bits:.1f}", *waited(cell)] for (S, s), cell in sorted(at.items())]
    body = [
        table(["S, s", "bits", *WAITED], rows),
        "![Plateau length against bits](images/reproduction-search.png)",
        paragraph(f"**Law**, s up to S / 2: {_law_words(law)}"),
        paragraph(_frontier([cell for (S, s), cell in at.items() if 2 * s <= S])),
    ]
    return Section(
        "1a. Plateau against search space, isolated",
        "Does the plateau grow with the number of candidate supports, and where does learning end?",
        """network as published (1 layer, D = 128, 8 heads, MLP 512). Targets are isolated, so that none can
        be had from another. 3,000 steps for 10,000; 2,048 tokens a step, learning rate 1e-3; 5 seeds, 8 at
        S = 8; the paper has 3. S = 32 is left out.""",
        [*SEARCH, *DENSE],
        ["attnsearch sweep benchmarks/sparsity.toml", "attnsearch sweep benchmarks/context.toml"],
        body,
        claims,
    )


def _growth(law: Law | NoLaw) -> tuple[str, str, str]:
    if isinstance(law, NoLaw):
        return f"no law: {law.reason}", "longer", OPEN
    low = min(law.factors[1], *(law.factors_over_cells or (np.inf,))[:1])
    verdict = REFUTED if law.factors[2] < 1 else _held(low > 1, False)
    note = ", but on no straight line" if law.fits is False else ""
    return f"× {spanned(*law.factors, digits=2)} a bit{note}", "longer", verdict


def _law_words(law: Law | NoLaw) -> str:
    if isinstance(law, NoLaw):
        return f"none, {law.reason}."
    over = law.factors_over_cells
    more = f"; a line through the cells has {over[0]:.2f} to {over[1]:.2f}" if over else ""
    return f"""each added bit multiplies the plateau by {spanned(*law.factors, digits=2)}{more}
    ({law.observed} of {law.runs} escaped). {law.reason[0].upper()}{law.reason[1:]}."""


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
    return f"**Frontier** of mastery within the budget: {ends[0]}; of the next size, {ends[1]}.{settled}"


# 1b. As published.


def unlearned(loss: float) -> float:
    """Rows of the linear map, S = 16, that a plotted loss leaves unlearned."""
    return loss * (2 * STATES - 1) / float(np.log(2)) - (STATES - 1)


def plotted(cell: Cell) -> list[float]:
    """The last plotted loss of each run, mean of three points."""
    return [float(prediction_loss(run.curves)[-3:].mean()) for run in cell.runs]


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
            known = np.array(run.measures["found"], bool)
            cheaper = run.truth.cheapest_route.sum(axis=1) < run.truth.attention_map.sum(axis=1)
            counts += [cheaper.sum(), (cheaper & known).sum(), (~cheaper).sum(), (~cheaper & known).sum()]
        return cls(*counts.tolist())


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


def hump(archive: Archive) -> Section:
    """The loss over s, and which of its halves is search."""
    at = archive.by("support_size", HUMP)
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
    gaps = [route_gaps(runs) for runs in halves]
    claims = [Claim("last loss is a hump over s: rank correlation with the published column", *_shape(loss))]
    claims += [_rows_left(s, loss[s]) for s in (3, 13, 14, 15, 16) if s in loss]
    claim = "right half (s > 8): what is found has cheaper routes (bits, less what is not, within runs)"
    words = f"{_gap(gaps[1])}; left half {_gap(gaps[0])}"
    claims.append(Claim(claim, words, "cheaper (replications)", sign(gaps[1], -1)))
    body = [
        table(heading, rows),
        "![Last loss, rows unlearned and bits of routes against s](images/reproduction-hump.png)",
        paragraph(f"""*Cheaper* targets are those with a route of fewer tokens than their row. A run ends
        when every target is mastered, so that the last loss of one that has them all lies up to 0.03 above
        the floor, {FLOOR:.4f}."""),
        *(paragraph(words) for words in _which_half(archive, at, halves)),
    ]
    return Section(
        "1b. As published: search, or routes?",
        "The published loss is a hump over s. Which half of it is search, and which is route?",
        """network and task as published (S = 16, all 31 predictions trained). 2,000 steps for 10,000; 2,048
        tokens a step, learning rate 1e-3; 5 seeds, the paper has 3. S = 8 and 32 are left out.""",
        HUMP,
        ["attnsearch sweep benchmarks/sparsity.toml"],
        body,
        claims,
    )


def _gap(gaps: Sequence[float]) -> str:
    return f"{spanned(*mean_interval(gaps), digits=1)}, n = {len(gaps)}" if len(gaps) > 1 else "missing"


def _rows_left(s: int, loss: tuple[float, float, float]) -> Claim:
    mean, low, high = map(unlearned, loss)
    theirs = unlearned(PUBLISHED_LOSS[s])
    verdict = OPEN if low > theirs else close(theirs, mean, low, high)
    claim = f"s = {s}: rows unlearned after 2,000 steps (published: 10,000)"
    return Claim(claim, spanned(mean, low, high, 1), f"{theirs:.1f}", verdict)


def _shape(loss: Mapping[int, tuple[float, float, float]]) -> tuple[str, str, str]:
    if not all(loss.keys() & set(part) for part in (range(1, 4), range(5, 12), range(14, 17))):
        return "missing: s on both sides and between", "a hump", OPEN
    ours, theirs = [mean for mean, *_ in loss.values()], [PUBLISHED_LOSS[s] for s in loss]
    rank, p_value = rank_correlation(ours, theirs)
    inside = sum(low <= PUBLISHED_LOSS[s] <= high for s, (_, low, high) in loss.items())
    said = OPEN if p_value > SIGNIFICANCE else REFUTED if rank < 0 else DIRECTION
    said = REPRODUCED if said == DIRECTION and inside == len(loss) else said
    words = f"{rank:.2f} (p = {p_value:.1g}); {inside} of {len(loss)} losses equal within error"
    return words, "a hump", said


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
    if 3 in at and 13 in at:
        yield f"""s = 3 and s = 13 have equally many supports ({at[3].bits:.1f} bits). The cheapest target
        of a run has {least_route(at[3]):.1f} and {least_route(at[13]):.1f} bits; {found(at[3])} and
        {found(at[13])} targets are found."""
    for cell in archive.cells(DENSE):
        yield f"""Isolated, where there is no way round, s = 13: {cell.plateau.observed} of {len(cell.runs)}
        runs escape in {cell.spec.budget.steps:,} steps, and {found(cell)} targets are found."""
    small = archive.by("support_size", SEARCH[:1])
    if {1, 7, 8} <= small.keys():
        dense = {s: small[s] for s in (1, 7, 8)}
        counts = "; ".join(f"s = {s}, {c.bits:.1f} bits: {waited(c)[0]}" for s, c in dense.items())
        yield f"""Search is not all that rows cost. Runs that escape, isolated at S = 8: {counts}. At s = 8
        there is nothing to search, for all rows are the whole input; what takes so long is the readout, a
        parity of eight bits."""


# 2. Automata, and the map given away.


def automaton(archive: Archive) -> Section:
    """Plateau against S: plain, with the map, with a wrong one; and the linear map with the map."""
    kinds = {name: archive.by("state_size", lines) for name, lines in KINDS.items()}
    plain, given_map, wrong = kinds.values()
    linear = [archive.cells(lines) for lines in (SEARCH, GIVEN, GIVEN_WRONG)]
    questions = {f"S = {S}, s = {s}": {"state_size": S, "support_size": s} for S in (8, 16) for s in (2, 3)}
    triples = {name: [pick(group, **values) for group in linear] for name, values in questions.items()}
    groups = judged(
        grown={"plain": versus(plain.get(32), plain.get(8))},
        given={"with the map": versus(given_map.get(32), given_map.get(8))},
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
        Claim("automaton, with the map no growth with S: 32 over 8", f"{groups['given']}; {groups['grown']}",
              "no growth",
              groups["given"].no("longer", reduced=True)),
        Claim("automaton, a wrong map does not help (S from 8)", str(groups["wrong"]), "(a control)",
              groups["wrong"].no("shorter", reduced=True)),
        Claim("automaton as published, S = 4: steps until the loss is below 1.3", *_whole(whole)),
        Claim("linear map, map added: the plateau all but vanishes at every size",
              f"{max(lasting, default=np.nan):.0f} steps at most; of the plain {groups['linear']}",
              "no plateau", vanished),
        _control([wrong for *_, wrong in triples.values()], [alone for alone, *_ in triples.values()]),
    ]  # fmt: skip
    rows = [
        [f"{S}, {name}", f"{cell.bits:.1f}", *waited(cell), f"{_excess(cell):.3f}"]
        for S in PUBLISHED_PLATEAU
        for name, members in kinds.items()
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
        the paper has 377 steps. Single runs decide nothing; but neither learning rate comes near at these
        tokens a step."""),
        table(heading, probes),
        "**The linear map with 8 times its map added to the logits**, isolated, all up to 600 steps:",
        table(["S, s", "bits", *WAITED], linear_rows),
    ]  # fmt: skip
    return Section(
        "2. Automata against state size, and the map given away",
        "Does the plateau grow with the context, and is it the search for the map that makes it?",
        """4 states for 16, 4 rules for 256, D = 64 for 128, MLP 256 for 512; 4 layers, 8 heads, 4 colours
        and a window of 3 as published. S up to 32 for 512, 1,000 steps for 10,000, 2,048 tokens a step,
        learning rate 3e-3, 4 times the map, 5 seeds. At the published size S = 4 alone, 200 steps.""",
        [line for lines in (*KINDS.values(), FULL_SIZE, PROBES, GIVEN, GIVEN_WRONG) for line in lines],
        [
            "attnsearch sweep benchmarks/automaton.toml",
            _WHOLE + "256,512 --seeds 8 --steps 10000 --tokens-per-step 8192 --map-bias 0,4",
        ],
        body,
        claims,
    )


def _control(wrong: Sequence[Cell | None], plain: Sequence[Cell | None]) -> Claim:
    """Runs of all cells together, for of few that never end a ratio says little."""
    lengths = [[cut(waits(cell), 600).observed for cell in group if cell] for group in (wrong, plain)]
    ours, alone = (proportion(int(sum(map(np.sum, one))), sum(map(len, one))) for one in lengths)
    verdict = REFUTED if ours.low > alone.high else _held(bool(ours.of) and ours.high < alone.low, False)
    words = f"{ours.count} of {ours.of}; plain {alone.count} of {alone.of}"
    claim = "linear map, a wrong map does not help: runs that escape in 600 steps"
    return Claim(claim, words, "(a control)", verdict)


def _whole(whole: Sequence[Cell]) -> tuple[str, str, str]:
    theirs = PUBLISHED_PLATEAU[4]
    if not whole:
        return "missing", str(theirs), OPEN
    one = whole[0].plateau
    limits = one.restricted_mean, one.restricted_mean_low, one.restricted_mean_high
    return f"{spanned(*limits)}, n = {one.runs}", str(theirs), close(theirs, *limits)


def _excess(cell: Cell) -> float:
    """The last mean target loss above Bayes' own, in nats, mean over runs."""
    last = [run.curves.loss[-1, run.truth.is_target] - run.truth.bayes_loss for run in cell.runs]
    return float(np.mean(last))


def _probe(cell: Cell) -> list[str]:
    spec, waiting = cell.spec, cell.plateau
    budget = [number(spec.budget.tokens_per_step), number(spec.budget.steps)]
    counts = [f"{waiting.observed} of {waiting.runs}", number(waiting.median), f"{_excess(cell):.3f}"]
    return [f"{spec.optimizer.learning_rate:g}, {spec.intervention.map_bias:g}", *budget, *counts]


# 3. Heads.


def heads(archive: Archive) -> Section:
    """The linear map with its width split into more heads, and with heads added."""
    split = archive.by("num_heads", SPLIT, EIGHT_HEADS)
    added = {(knob(cell, "head_width"), knob(cell, "num_heads")): cell for cell in archive.cells(ADDED)}
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
    diminishing = OPEN
    if first and second:
        diminishing = REFUTED if first.low > second.high else _held(first.high < second.low, False)
    solved, words = OPEN, "missing"
    if finest:
        words = f"{known_at_end(finest)} targets known at the end, {waited(finest)[3]} runs mastered"
        done = summarise(half_known(finest)).ended
        solved = REFUTED if done.high < 0.5 else _held(done.count == done.of, False)
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
              "diminishing", diminishing),
        Claim("on automata a head needs a minimum size", "not run", "a minimum", OPEN),
    ]  # fmt: skip
    lacking = [f"{n} heads split" for n in (1, 2, 4, 8, 16, 32, 64, 128) if n not in split]
    lacking += [f"{n} of width {w}" for w in (4, 8, 16) for n in (1, 4, 16) if (w, n) not in added]
    named = {f"{n} of width {128 // n}, split": cell for n, cell in split.items()}
    named |= {f"{n} of width {w}, added": cell for (w, n), cell in sorted(added.items())}
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
            _WHOLE + "16 --num-heads 1,2,4,8,16,32,64,128 --seeds 16 --steps 10000 --tokens-per-step 8192",
        ],
        body,
        claims,
    )


# 4. Mixers.

_HALF = ", half of the targets"

Pairs = dict[str, dict[str, Cell]]
"""By question, the cell of each mixer."""


def mixers(archive: Archive) -> Section:
    """The MLP-Mixer beside attention, each at its own learning rate, family by family."""
    selection, scored = (archive.among(specs) for specs in ladder_specs(archive))
    (_, *words), (_, *more), (chosen, *last) = (
        _chosen(runs) for runs in (selection, archive.runs(VISIBLE_RATES), archive.runs(SMALL_RATES))
    )
    isolated = [cell for cell in cells(scored) if knob(cell, "state_size") == STATES]
    small = [
        cell
        for cell in archive.cells(PLAIN, SMALL_MIXER)
        if chosen and cell.spec.optimizer.learning_rate == chosen[cell.spec.mixer.name].learning_rate
    ]
    families: dict[str, tuple[str, Pairs]] = {
        "isolated": ("shorter", _pairs("s", (2, 3, 4, 5), isolated)),
        "as published": ("shorter", _pairs("s", (2, 3, 4), archive.cells(VISIBLE))),
        "automaton": ("longer", _pairs("S", (8, 16), small)),
    }
    groups = judged(**{
        family + kind: {name: versus(pair.get("mlp_mixer"), pair.get("attention"), steps)
                        for name, pair in pairs.items()}
        for family, (_, pairs) in families.items()
        for kind, steps in (("", waits), (_HALF, half_known))
    })  # fmt: skip
    body, claims = [], []
    words[0] += _by_cell([cell for cell in cells(selection) if knob(cell, "state_size") == STATES])
    for (family, (claimed, pairs)), tried in zip(families.items(), [*words, *more, *last], strict=True):
        group = groups[family]
        for name, one in group.comparisons.items():
            alone = Judged({name: one}, group.said)
            counts = [f"{c.plateau.observed} of {len(c.runs)}" for _, c in sorted(pairs[name].items())]
            escaped = f"; {' and '.join(counts)} of attention and mixer escape" if one else ""
            claims.append(Claim(f"MLP-Mixer over attention, {family}, {name}", ratio(one) + escaped, claimed,
                                alone.order(claimed, reduced=family == "automaton")))  # fmt: skip
        halves = groups[family + _HALF]
        claims.append(Claim(f"MLP-Mixer over attention, {family}{_HALF}", str(halves), claimed,
                            halves.order(claimed, reduced=family == "automaton")))  # fmt: skip
        if family != "automaton":
            claims.append(_advantage(family, halves.comparisons))
        rows = [
            [
                f"{name}, {mixer}",
                f"{cell.spec.optimizer.learning_rate:g}",
                *waited(cell),
                half(cell, cell.spec.budget.steps),
            ]
            for name, pair in pairs.items()
            for mixer, cell in sorted(pair.items())
        ]
        body.append(paragraph(f"**{family.capitalize()}.** Learning rates: {tried}"))
        body.append(table([family, "learning rate", *WAITED, "half of the targets"], rows))
    crossings, claim = _crossings(families["as published"][1].get("s = 3", {}))
    return Section(
        "4. MLP-Mixer against attention",
        "Which mixer finds its map sooner, each at its best learning rate?",
        """networks as published on the linear maps, but for 16 heads in place of 8; the automaton is that
        of experiment 2. 2,000 steps, on the automaton 1,000, for 10,000; 2,048 tokens a step. Isolated:
        `attnsearch sweep benchmarks/mixers.toml`, 8 seeds; rates chosen over all cells of the suite. As
        published: targets trained alone, 5 seeds, at 1e-3, which was compared with 3e-3 at s = 3 alone.
        Automaton: 5 seeds. s = 7 is left out. The masked mixer is that of this package; how the paper's was
        masked is not published.""",
        [line for lines in (VISIBLE_RATES, VISIBLE, SMALL_RATES, PLAIN, SMALL_MIXER) for line in lines],
        [
            _PUBLISHED + "--support-size 2,3,4,5,7 --mixer attention,mlp_mixer --learning-rate 3e-4,1e-3,3e-3"
            " --seeds 16 --steps 10000",
            _WHOLE + "16 --mixer attention,mlp_mixer --learning-rate 3e-4,1e-3,3e-3 --seeds 16 --steps 10000"
            " --tokens-per-step 8192",
        ],
        [*body, *crossings],
        [*claims, claim],
    )  # fmt: skip


def ladder_specs(archive: Archive) -> tuple[list[RunSpec], list[RunSpec]]:
    """The selection runs of `LADDER`; and the scored ones, none where rates cannot be chosen."""
    ladder = Suite.read(LADDER, Registries().known_mixers())
    chosen, _ = _chosen(archive.among(ladder.selection()))
    rates = {mixer: chosen[mixer.name].learning_rate for mixer in ladder.mixers} if chosen else {}
    return ladder.selection(), ladder.scored(rates) if rates else []


def _by_cell(members: Sequence[Cell]) -> str:
    """Restricted means of the selection runs of two cells, rate by rate: what the rule, which counts
    escapes first and takes one rate for all cells, passes over."""
    told = []
    for s in (2, 3):
        for mixer in ("attention", "mlp_mixer"):
            here = [c for c in members if knob(c, "support_size") == s and c.spec.mixer.name == mixer]
            here.sort(key=lambda cell: cell.spec.optimizer.learning_rate)
            means = [f"{c.spec.optimizer.learning_rate:g}: {c.plateau.restricted_mean:,.0f}" for c in here]
            told.append(f"s = {s}, {mixer} {', '.join(means)}")
    words = "One rate is for all cells; restricted means of single ones, two runs each, S = 16"
    return f" {words}: {'; '.join(told)}." if members else ""


def _pairs(letter: str, sizes: Sequence[int], members: Sequence[Cell]) -> Pairs:
    name = {"s": "support_size", "S": "state_size"}[letter]
    return {
        f"{letter} = {size}": {cell.spec.mixer.name: cell for cell in members if knob(cell, name) == size}
        for size in sizes
    }


def _chosen(runs: Sequence[StoredRun]) -> tuple[dict[str, Choice] | None, str]:
    """Each mixer's learning rate by the rule of docs/protocol.md, and in words; None where runs are
    missing."""
    try:
        made = {mixer.name: choice for mixer, choice in choices(runs).items()}
    except AttnsearchError as error:
        return None, f"none, {error}."
    if len(made) < 2:
        return None, "none, selection runs are missing."
    words = []
    for name, choice in sorted(made.items()):
        tried = "; ".join(
            f"{at.learning_rate:g}: {at.escaped.count} of {at.escaped.of}, {at.restricted_mean:,.0f} steps"
            for at in choice.tried
        )
        note = f", {choice.note}" if choice.note else ""
        words.append(f"{name} {choice.learning_rate:g}{note} ({tried})")
    told = "chosen on seeds 16 and 17 (runs that escaped, restricted mean): "
    return made, f"{told}{', '.join(words)}."


def _advantage(family: str, made: Mapping[str, Comparison | None]) -> Claim:
    claim = f"the mixer's advantage grows with s, {family}{_HALF}: s = 2, s = 3"
    few, many = made["s = 2"], made["s = 3"]
    verdict = OPEN
    if few and many:
        verdict = REFUTED if many.low > few.high else _held(many.high < few.low, False)
    return Claim(claim, f"{ratio(few)}; {ratio(many)}", "to almost tenfold", verdict)


def crossing(run: StoredRun, level: float) -> Plateaus:
    """`[1]`: first step at which the plotted loss is below `level`; of a run that trained its targets alone,
    with the unpredictable tokens at chance."""
    targets = run.curves.loss[:, run.truth.is_target].mean(axis=1)
    return first_step(run.curves.step, (FLOOR + targets * STATES / (2 * STATES - 1) < level)[:, None])


def _crossings(pair: Mapping[str, Cell]) -> tuple[list[str], Claim]:
    claim = "plotted loss below 0.65, 0.5, 0.4, s = 3: the mixer's steps over attention's"
    ratios = {level: mixer / attention for level, (mixer, attention) in PUBLISHED_CROSSINGS.items()}
    published = ", ".join(f"{one:.2f}" for one in list(ratios.values())[:3])
    if len(pair) < 2:
        return [], Claim(claim, "missing", published, OPEN)
    rows, made = [], {}
    for level, theirs in PUBLISHED_CROSSINGS.items():
        steps = [pool(crossing(r, level) for r in pair[m].runs) for m in ("mlp_mixer", "attention")]
        made[level] = compare(steps[0], steps[1], pair["attention"].spec.budget.steps)
        ours = [f"{median(one)}, {one.observed} of {one.runs}" for one in map(summarise, steps)]
        shown = [ratio(made[level]), *map(number, theirs), f"{ratios[level]:.2f}"]
        rows.append([f"{level:.2f}", *ours, *shown])
    heading = ["loss below", "mlp_mixer", "attention", "ratio"]
    told = "As published, s = 3: first step at which the plotted loss is below a level, up to 2,000."
    words = ", ".join(ratio(made[level]) for level in (0.65, 0.5, 0.4))
    said = [close(ratios[k], made[k].ratio, made[k].low, made[k].high) for k in (0.65, 0.5, 0.4)]
    verdict = next(word for word in (REFUTED, DIRECTION, REPRODUCED) if word in said)
    body = [paragraph(told), table([*heading, *(f"{name}, published" for name in heading[1:])], rows)]
    return body, Claim(claim, words, published, verdict)


# 5. Jumps.


class Moved(NamedTuple):
    """What the targets of a run did, and the head with most weight on each one's support at the end.

    found:    `bool[K]`
    step:     `i64[K]` at which it was found
    rise:     `i64[K]` at which that head's mass had risen half of its way
    fall:     `f64[K]` steps from 0.9 to 0.1 of chance over `step`; nan where it did not get there
    mass:     `f64[2, K]` of that head, before training and at the end
    entropy:  `f64[2, K]` nats, likewise
    """

    found: Bools
    step: Floats
    rise: Integers
    fall: Floats
    mass: Floats
    entropy: Floats

    @classmethod
    def of(cls, run: StoredRun) -> Moved:
        """That of a run with heads, all of whose targets are mapped."""
        best, loss = best_heads(run.heads), run.curves.loss[:, run.truth.is_target]
        mass, step = best.mass[:, 0], np.array(run.measures["found_step"], float)
        begun, done = (
            first_step(run.curves.step, loss < share * run.truth.chance_loss) for share in (0.9, 0.1)
        )
        return cls(
            np.array(run.measures["found"], bool),
            step,
            first_step(run.maps.step, mass >= (mass[0] + mass[-1]) / 2).length,
            np.where(done.observed, (done.length - begun.length) / step, np.nan),
            mass[[0, -1]],
            best.entropy[[0, -1], 0],
        )

    @property
    def rank(self) -> float:
        """Rank correlation of rise and step, over targets found; nan where they do not vary."""
        rise, step = self.rise[self.found], self.step[self.found]
        varied = len(np.unique(rise)) > 1 and len(np.unique(step)) > 2
        return rank_correlation(rise, step)[0] if varied else float("nan")

    @property
    def apart(self) -> float:
        """Step of the last target over that of the first; at least so, where one is not found."""
        return float(self.step.max() / self.step[self.found].min()) if self.found.any() else float("nan")

    @property
    def drop(self) -> float:
        """Of entropy, over targets found."""
        return float((self.entropy[1] - self.entropy[0])[self.found].mean()) if self.found.any() else np.nan


def jumps(archive: Archive) -> Section:
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
    falls = [value for one in every for value in one.fall if np.isfinite(value)]
    ranks = [one.rank for one in every if np.isfinite(one.rank)]
    drops = [one.drop for one in every if np.isfinite(one.drop)]
    claims = [
        Claim("targets of a run are found at steps that vary several-fold (s = 3, last over first, at least)",
              f"median {decimal(_middle(apart))}, n = {len(apart)} runs", "several-fold",
              OPEN if not apart else REPRODUCED if np.median(apart) >= 2 else REFUTED),
        Claim("a target's fall is abrupt (median, over its step)",
              f"{decimal(_middle(falls))}, n = {len(falls)} targets", "abrupt",
              OPEN if not falls else REPRODUCED if np.median(falls) < 0.5 else REFUTED),
        Claim("it coincides with weights moving onto the support (rank correlation within runs)",
              f"{decimal(_mean(ranks))}, n = {len(ranks)} runs", "coincides", sign(ranks, 1)),
        Claim("and with a drop of the head's entropy (nats, targets found)",
              f"{decimal(_mean(drops))}, n = {len(drops)} runs", "drops", sign(drops, -1)),
    ]  # fmt: skip
    body = [table(heading, rows)]
    if cell := isolated.get(3):
        run = middle(cell)
        body.append(
            "![Losses of one run, and three targets beside their heads](images/reproduction-jumps.png)"
        )
        body.append(
            paragraph(f"""The run drawn is that of seed {run.spec.seed}, isolated, s = 3: of
        {len(cell.runs)} the one with the middle plateau. Drawn are the first, the middle and the last
        target found, each beside the head with most weight on its support at the end. *Fall*: steps from
        0.9 to 0.1 of chance. *Rank correlation*: of the step at which that head's mass has risen half of
        its way with the step at which the target is found, over the targets found of a run.""")
        )
    return Section(
        "5. Jumps of single targets, and heads",
        "Does each target fall on its own, when a head moves onto its support?",
        """runs of experiments 1a and 1b, as reduced there. Maps and heads are recorded at steps a factor of
        1.19 apart.""",
        [SEARCH[2], *HUMP],
        [_PUBLISHED + "--support-size 3 --seeds 16 --steps 10000 --no-early-stopping"],
        body,
        claims,
    )


def _middle(values: Iterable[float]) -> float | None:
    kept = [value for value in values if np.isfinite(value)]
    return float(np.median(kept)) if kept else None


def _mean(values: Sequence[float] | Floats) -> float | None:
    kept = [value for value in values if np.isfinite(value)]
    return float(np.mean(kept)) if kept else None


def middle(cell: Cell) -> StoredRun:
    """The run with the middle plateau, the shorter of two."""
    ranked = sorted(cell.runs, key=lambda run: (run.measures["plateau_length"], run.spec.seed))
    return ranked[(len(ranked) - 1) // 2]


# Pictures.

COLOURS = (BLUE, GREEN, VERMILION)
CENSORED = "open triangles: not escaped within the budget (dotted)"


def dots(
    axes: Axes, places: Floats, waiting: Plateaus, colour: str, marker: str, filled: bool = True
) -> None:
    """Runs at `places`; censored ones as open triangles."""
    for seen, symbol in ((True, marker), (False, "^")):
        here = waiting.observed == seen
        drawn = axes.plot(places[here], waiting.length[here], symbol, color=colour, alpha=0.75)
        drawn[0].set(markersize=4.5, fillstyle="full" if seen and filled else "none")


class Look(NamedTuple):
    """How a series is drawn."""

    label: str
    colour: str
    marker: str


def lined(axes: Axes, members: Mapping[int, Plateaus], look: Look) -> None:
    """Waiting times over a number: runs side by side, and a line through the medians."""
    medians = []
    for place, waiting in members.items():
        places = place * np.linspace(0.96, 1.04, len(waiting.length))
        dots(axes, places, waiting, look.colour, look.marker)
        medians.append(summarise(waiting).median)
    line = np.array([np.nan if value is None else value for value in medians])
    axes.plot(list(members), line, "-", color=look.colour, label=look.label)


def within(
    members: Mapping[int, Cell], horizon: int, steps: Callable[[Cell], Plateaus] = waits
) -> dict[int, Plateaus]:
    """The `steps` of each cell, up to `horizon`."""
    return {place: cut(steps(cell), horizon) for place, cell in members.items()}


def ticked(axes: Axes, places: Sequence[int], budget: int) -> None:
    """Logarithmic axes with ticks at `places`, and the budget."""
    axes.axhline(budget, color=GREY, linewidth=0.9, linestyle=":")
    axes.set(xscale="log", yscale="log", xlim=(0.8 * places[0], 1.25 * places[-1]))
    axes.set_xticks(places, [str(place) for place in places])
    axes.minorticks_off()
    axes.set_yticks([20, 50, 100, 200, 500, 1_000, 2_000])
    axes.yaxis.set_major_formatter("{x:,.0f}")


def draw_search(members: Sequence[Cell]) -> Figure:
    """Plateau against bits, with the law of the sparse half."""
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


def draw_hump(at: Mapping[int, Cell]) -> Figure:
    """Last loss beside the published one, rows unlearned, and bits."""
    title = "Linear map as published, S = 16: which half is search, and which is route?"
    figure = pictures.empty_figure(9.6, 3.8, title)
    loss, rows, bits = figure.subplots(1, 3)
    losses = {s: plotted(cell) for s, cell in at.items()}
    for axes, shown in ((loss, float), (rows, unlearned)):
        for s, values in losses.items():
            axes.plot([s] * len(values), [shown(v) for v in values], "o", color=BLUE, alpha=0.5, markersize=4)
        means = [shown(float(np.mean(values))) for values in losses.values()]
        axes.plot(list(losses), means, "-", color=BLUE, label="ours, 2,000 steps")
        theirs = [shown(value) for value in PUBLISHED_LOSS.values()]
        axes.plot(
            list(PUBLISHED_LOSS), theirs, "D--", color=VERMILION, markersize=4, label="published, 10,000"
        )
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


def draw_automaton(kinds: Mapping[str, Mapping[int, Cell]]) -> Figure:
    """Plateau against S: plain, with the map, with a wrong one."""
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


def draw_heads(split: Mapping[int, Cell], added: Mapping[int, Mapping[int, Cell]]) -> Figure:
    """Plateau, and steps until half of the targets are known, against heads, split and added."""
    figure = pictures.empty_figure(9, 6.4, "Isolated linear map, S = 16, s = 3: heads")
    grid = figure.subplots(2, 2, sharey=True, sharex="col")
    kinds = (("plateau length", waits), ("half of the targets known", half_known))
    for (left, right), (label, steps) in zip(grid, kinds, strict=True):
        lined(left, within(split, 2_000, steps), Look("", BLUE, "o"))
        for (width, members), colour, marker in zip(added.items(), COLOURS, "osD", strict=False):
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


def draw_jumps(run: StoredRun) -> Figure:
    """All losses; and the first, the middle and the last target found beside their best heads."""
    title = f"One run (seed {run.spec.seed}): jumps of targets, and the heads that hold their rows"
    figure = pictures.empty_figure(9.6, 5.2, title)
    places = figure.add_gridspec(2, 3)
    whole = figure.add_subplot(places[0, :])
    step, loss = run.curves.step, run.curves.loss[:, run.truth.is_target]
    known = np.flatnonzero(run.measures["found"])
    known = known[np.argsort(np.array(run.measures["found_step"])[known], kind="stable")]
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


def draw(archive: Archive, folder: Path) -> None:
    """Every picture of the page."""
    kinds = {name: archive.by("state_size", lines) for name, lines in KINDS.items()}
    added: dict[int, dict[int, Cell]] = {}
    for cell in archive.cells(ADDED):
        added.setdefault(knob(cell, "head_width"), {})[knob(cell, "num_heads")] = cell
    isolated, split = archive.cells(SEARCH, DENSE), archive.by("num_heads", SPLIT, EIGHT_HEADS)
    builders: dict[str, Callable[[], Figure]] = {
        "search": partial(draw_search, isolated),
        "hump": partial(draw_hump, archive.by("support_size", HUMP)),
        "automaton": partial(draw_automaton, kinds),
        "heads": partial(draw_heads, split, added),
    }
    if cell := pick(isolated, state_size=16, support_size=3):
        builders["jumps"] = partial(draw_jumps, middle(cell))
    for name, build in builders.items():
        pictures.written(build)(folder / f"reproduction-{name}.png")


# The page.


def page(archive: Archive) -> str:
    """The whole of it, in Markdown."""
    sections = [build(archive) for build in (search, hump, automaton, heads, mixers, jumps)]
    used = {run.spec.digest: run for section in sections for run in archive.runs(section.trained)}
    used |= {run.spec.digest: run for specs in ladder_specs(archive) for run in archive.among(specs)}
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
        `benchmarks/reproduction.py` from {len(used)} stored runs, {steps / 1e3:,.0f} thousand training
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


def main() -> None:
    """Read the stores, write the page and its pictures."""
    parser = argparse.ArgumentParser(description="What of arXiv:2606.25010 came out here, as a page.")
    parser.add_argument("stores", nargs="+", metavar="STORE")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/reproduction.md"))
    arguments = parser.parse_args()
    archive = Archive(collect(arguments.stores, lambda message: print(message, file=sys.stderr)))
    draw(archive, arguments.output.parent / "images")
    arguments.output.write_text(page(archive), encoding="utf-8")


if __name__ == "__main__":
    main()
