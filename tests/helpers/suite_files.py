"""A suite in a file of one's own, read with two mixers that nobody has to load."""

from __future__ import annotations

from pathlib import Path

from attnsearch.spec.run import CellSpec, RunSpec, Value
from attnsearch.spec.suite import Suite

KNOWN_MIXERS: dict[str, dict[str, Value]] = {
    "attention": {"num_heads": 16, "head_width": None},
    "mlp_mixer": {"expansion": 4},
}

GOOD = """\
name = "mine"
title = "Mine"
source = "nowhere"
seeds = 3
rule_seed = 7

[[tasks]]
task = "linear_map"
state_size = [4, 8]
support_size = 2

[[tasks]]
task = "linear_map"
state_size = 16
sparsity = 0.25

[[mixers]]
mixer = "mlp_mixer"

[[mixers]]
mixer = "attention"
num_heads = [4, 8]

[training]
steps = 500
learning_rate = [1e-3, 3e-3]
"""


def write(folder: Path, text: str = GOOD) -> Path:
    """A file in `folder` that holds `text`."""
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path) -> Suite:
    """The suite in a file."""
    return Suite.read(path, KNOWN_MIXERS)


def cells(runs: list[RunSpec]) -> list[CellSpec]:
    """The cells of `runs`, each once."""
    return list(dict.fromkeys(run.cell for run in runs))
