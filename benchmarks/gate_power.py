"""What the gate catches, and how often it cries wolf, on runs that were really trained.

    .venv/bin/python benchmarks/gate_power.py > docs/tables/gate_power.md

`smoke.toml` is trained with 64 seeds four times over: as it is, at two lower learning rates that make
plateaus 1.5 and 2 times as long, and with the instructions of an older processor, which round otherwise. That
is an hour on two cores; what is stored in --out is not trained again. Each check is a draw of recorded runs
and of eight others a cell, judged at the looks and levels of `attnsearch check`. Prints the whole page, and
on stderr how long a whole check takes, as a command.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from attnsearch.base import RECORDING_INTERVAL, Integers, Plateaus
from attnsearch.gate.baseline import RecordedRun, outcomes
from attnsearch.gate.decision import TOLERANCE, Outcomes, Pair, Verdict, judge, levels, looks
from attnsearch.runs.store import Store, StoredRun
from attnsearch.spec.run import CellSpec
from attnsearch.stats.survival import proportion

SUITE = Path(__file__).parent / "smoke.toml"
BASELINE = Path(__file__).parent / "baselines" / "smoke.json"

RECORDED, CHECKED, TRAINED = 32, 8, 64
"""Seeds of a baseline, of a check, and of what both are drawn from."""

LEARNING_RATE, SLOWER, SLOWEST = 3e-3, 7.5e-4, 3.5e-4
"""Of the suite, and of the mixers that are slowed."""

SLOWED_SEEDS = 100
"""First of those of the slowed runs."""

OLDER_PROCESSOR = "--xla_cpu_max_isa=SSE4_2"

HEAD = """\
# What the gate catches, and how often it cries wolf

Printed by `benchmarks/gate_power.py --checks {checks}`; training takes an hour on two cores.
[The gate](../gate.md) says what follows.

- `smoke.toml` has {cells} cells. {checked} seeds are checked, with tolerance {tolerance}.
- {recorded} seeds are recorded, unless the row says otherwise.
- Each check deals out runs that were really trained, {trained} seeds of each kind.
- The last table is simulated.
- Brackets hold the 95 % interval that so many checks leave open.
- An improvement counts as a pass."""

Runs = Mapping[CellSpec, Outcomes]
"""By cell, under the learning rate of the suite: the question is the same, whatever was trained."""

Draw = Callable[[np.random.Generator, CellSpec], tuple[Outcomes, Outcomes]]
"""The runs of one cell to be judged, and those recorded."""


def trained(out: Path, name: str, *flags: str, xla_flags: str = "") -> list[StoredRun]:
    """The runs of the suite with these flags, from the store `name`, trained where they are missing."""
    command = [sys.executable, "-m", "attnsearch", "sweep", str(SUITE), "--out", str(out / name), *flags]
    environment = {**os.environ, "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {xla_flags}".strip()}
    subprocess.run([*command, "--no-plots"], check=True, env=environment, stdout=subprocess.DEVNULL)
    return list(Store(out / name).runs(lambda warning: print(warning, file=sys.stderr)))


def at(learning_rate: float, runs: list[StoredRun]) -> Runs:
    """Those of `runs` that were trained at `learning_rate`."""
    grouped: dict[CellSpec, list[RecordedRun]] = {}
    for run in sorted(runs, key=lambda run: (str(run.spec.cell), run.spec.seed)):
        cell = run.spec.cell
        if cell.optimizer.learning_rate == learning_rate:
            asked = replace(cell, optimizer=replace(cell.optimizer, learning_rate=LEARNING_RATE))
            grouped.setdefault(asked, []).append(RecordedRun.of(run))
    return {cell: outcomes(members) for cell, members in grouped.items()}


def mean_slowdown(slow: Runs, usual: Runs) -> float:
    """Geometric mean over cells of the ratio of mean plateau lengths."""
    logs = [np.log(slow[cell].plateau.length.mean() / usual[cell].plateau.length.mean()) for cell in usual]
    return float(np.exp(np.mean(logs)))


def chosen(runs: Outcomes, places: Integers) -> Outcomes:
    """Those at `places`."""
    plateau, mastery = (
        Plateaus(group.length[places], group.observed[places]) for group in (runs.plateau, runs.mastery)
    )
    return Outcomes(plateau, mastery, runs.seeds[places])


def slowed(random: np.random.Generator, waiting: Plateaus, factor: float, budget: int) -> Plateaus:
    """`waiting` times `factor`: each event somewhere in its recorded interval, and recorded anew."""
    steps = (waiting.length - RECORDING_INTERVAL * random.random(len(waiting.length))) * factor
    length = np.ceil(steps / RECORDING_INTERVAL).astype(np.int64) * RECORDING_INTERVAL
    observed = waiting.observed & (length <= budget)
    return Plateaus(np.where(observed, length, budget), observed)


def other_seeds(
    usual: Runs,
    candidates: Runs | None = None,
    factor: float = 1.0,
    recorded: int = RECORDED,
    only: CellSpec | None = None,
) -> Draw:
    """Runs of `candidates`, or of `usual` with other seeds than those recorded, slowed by `factor`: all
    cells, or `only` one."""

    def draw(random: np.random.Generator, cell: CellSpec) -> tuple[Outcomes, Outcomes]:
        order = random.permutation(TRAINED)
        reference = chosen(usual[cell], order[:recorded])
        changed = candidates is not None and only in (None, cell)
        now = chosen((candidates if changed and candidates else usual)[cell], order[-CHECKED:])
        if factor != 1 and only in (None, cell):
            budget = cell.budget.steps
            plateau, mastery = (slowed(random, group, factor, budget) for group in (now.plateau, now.mastery))
            now = now._replace(plateau=plateau, mastery=mastery)
        return now, reference

    return draw


def same_seeds(usual: Runs, candidates: Runs) -> Draw:
    """Runs of `candidates` whose seeds are among those recorded."""

    def draw(random: np.random.Generator, cell: CellSpec) -> tuple[Outcomes, Outcomes]:
        order = random.permutation(TRAINED)
        return chosen(candidates[cell], order[:CHECKED]), chosen(usual[cell], order[:RECORDED])

    return draw


def noisy(cells: list[CellSpec], sigma: float, factor: float) -> Draw:
    """Log-normal plateaus, median 100 to 450 steps, of a suite that is harder than this one."""
    medians = {cell: 100.0 + 50 * number for number, cell in enumerate(cells)}

    def draw(random: np.random.Generator, cell: CellSpec) -> tuple[Outcomes, Outcomes]:
        def group(runs: int, median: float, seed: int) -> Outcomes:
            steps = median * np.exp(sigma * random.standard_normal(runs))
            points = np.ceil(steps / RECORDING_INTERVAL).astype(np.int64) * RECORDING_INTERVAL
            waiting = Plateaus(np.minimum(points, cell.budget.steps), points <= cell.budget.steps)
            return Outcomes(waiting, waiting, seed + np.arange(runs))

        median = medians[cell]
        return group(CHECKED, median * factor, RECORDED), group(RECORDED, median, 0)

    return draw


def check(random: np.random.Generator, cells: list[CellSpec], draw: Draw) -> tuple[Verdict, int]:
    """One check: its verdict, and after how many runs of each cell it was reached."""
    drawn = {cell: draw(random, cell) for cell in cells}
    verdict: Verdict = "inconclusive"
    counts = looks(CHECKED)
    for count, level in zip(counts, levels(counts), strict=True):
        pairs = [Pair(cell, chosen(now, np.arange(count)), then) for cell, (now, then) in drawn.items()]
        verdict = judge(pairs, level=level).verdict
        if verdict != "inconclusive":
            return verdict, count
    return verdict, counts[-1]


def row(name: str, checks: int, cells: list[CellSpec], draw: Draw) -> None:
    """Print the verdicts of so many checks, each with draws of its own."""
    found = [check(np.random.default_rng([number, checks]), cells, draw) for number in range(checks)]
    counts = Counter("pass" if verdict == "improvement" else verdict for verdict, _ in found)
    rates = []
    for verdict in ("regression", "inconclusive", "pass"):
        rate = proportion(counts[verdict], checks)
        rates.append(f"{rate.rate:.1%} ({rate.low:.1%} to {rate.high:.1%})".replace("%", " %"))
    runs = np.mean([count for _, count in found])
    print(f"| {name} | {checks:,} | {' | '.join(rates)} | {runs:.1f} |", flush=True)


def heading(title: str) -> None:
    """Print what stands above a table."""
    print(f"\n## {title}\n")
    print("| | checks | regression | inconclusive | pass | runs a cell |")
    print("|---|---|---|---|---|---|", flush=True)


def timed(name: str, *flags: str) -> None:
    """Say on stderr how long a whole check takes, as a command."""
    command = [
        sys.executable,
        "-m",
        "attnsearch",
        "check",
        str(SUITE),
        "--baseline",
        str(BASELINE),
        "--quiet",
    ]
    start = time.perf_counter()
    done = subprocess.run([*command, *flags], check=False, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    print(f"{name}: exit status {done.returncode} after {seconds:.0f} s", file=sys.stderr)


def main() -> None:
    """Train, then draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--checks", type=int, default=1_000, help="without change; others take two fifths")
    parser.add_argument("--out", type=Path, default=Path("results/gate-power"))
    arguments = parser.parse_args()
    out, checks, fewer = arguments.out, arguments.checks, max(1, arguments.checks * 2 // 5)

    usual = at(LEARNING_RATE, trained(out, "usual", "--seeds", str(TRAINED)))
    rounded = at(LEARNING_RATE, trained(out, "rounded", "--seeds", str(TRAINED), xla_flags=OLDER_PROCESSOR))
    seeds = f"{SLOWED_SEEDS}:{SLOWED_SEEDS + TRAINED}"
    slow_runs = trained(out, "slow", "--seeds", seeds, "--learning-rate", f"{SLOWER},{SLOWEST}")
    slower, slowest = at(SLOWER, slow_runs), at(SLOWEST, slow_runs)
    cells = list(usual)
    print(
        HEAD.format(
            checks=checks,
            cells=len(cells),
            checked=CHECKED,
            recorded=RECORDED,
            tolerance=TOLERANCE,
            trained=TRAINED,
        )
    )

    heading("Nothing but seeds or rounding changed")
    row("other seeds", checks, cells, other_seeds(usual))
    row("the same seeds, trained on other instructions", checks, cells, same_seeds(usual, rounded))

    heading("Slowed, trained")
    for rate, slow in ((SLOWER, slower), (SLOWEST, slowest)):
        name = f"learning rate {rate:g} for {LEARNING_RATE:g}: {mean_slowdown(slow, usual):.2f} times"
        row(name, fewer, cells, other_seeds(usual, slow))
    for mixer in dict.fromkeys(cell.mixer for cell in cells):
        mixed = {cell: (slowest if cell.mixer == mixer else usual)[cell] for cell in cells}
        row(f"the same 2 times, {mixer.name} alone", fewer, cells, other_seeds(usual, mixed))

    heading("Slowed, recorded times multiplied")
    for factor in (1.1, 1.25, 1.5, 2.0):
        row(f"{factor:g} times", fewer, cells, other_seeds(usual, factor=factor))
    for cell in cells:
        if dict(cell.task.knobs) == {"state_size": 8, "support_size": 2}:
            name = f"2 times, {cell.mixer.name} on S = 8, s = 2 alone"
            row(name, fewer, cells, other_seeds(usual, factor=2.0, only=cell))

    heading("Fewer seeds recorded, trained")
    for recorded in (8, 16):
        row(f"{recorded}, other seeds", fewer, cells, other_seeds(usual, recorded=recorded))
        row(f"{recorded}, 1.5 times", fewer, cells, other_seeds(usual, slower, recorded=recorded))
        row(f"{recorded}, 2 times", fewer, cells, other_seeds(usual, slowest, recorded=recorded))

    heading("Longer plateaus, simulated: log-normal, medians of 100 to 450 steps, budget 4,000")
    hard = [replace(cell, budget=replace(cell.budget, steps=4_000)) for cell in cells]
    for sigma in (0.3, 0.5):
        for factor in (1.0, 1.5, 2.0):
            row(f"sigma {sigma:g}, {factor:g} times", fewer, hard, noisy(hard, sigma, factor))

    timed("nothing changed")
    timed("other seeds", "--seeds", f"{SLOWED_SEEDS}:{SLOWED_SEEDS + CHECKED}")


if __name__ == "__main__":
    main()
