"""docs/from-runs-to-your-own-figure.md does what it says: its code runs, one block after another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import pytest
from helpers import made_runs
from helpers.hand_made import run_of, spec_of
from helpers.pages import Page
from helpers.terminal import attnsearch

PAGE = Page("from-runs-to-your-own-figure.md")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two mixers on two maps, where the page is followed; one run does not escape, and one is damaged."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(matplotlib, "rcParams", matplotlib.rcParams.copy())
    matplotlib.use("Agg")
    runs = [
        run_of(
            spec_of(mixer, seed, support_size=support, steps=400),
            [None if (support, seed) == (2, 0) else pace + 10 * seed] * 4,
        )
        for support in (1, 2)
        for mixer, pace in (("attention", 100), ("mlp_mixer", 200))
        for seed in range(3)
    ]
    root = made_runs.stored(tmp_path / "results", runs)
    (root / "runs" / runs[-1].spec.digest / "truth.npz").write_bytes(b"damaged")
    return root


@pytest.mark.usefixtures("folder")
def test_the_code_runs_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, Any] = {}
    for number, block in enumerate(PAGE.code("python")):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), namespace)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "11 runs of 4 cells"
    assert any("truth.npz" in line for line in said)
    assert said[-1] == "longest run: 400 steps"
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    left, right = namespace["left"], namespace["right"]
    # Points of two mixers, ended and waiting; a line for each of the two, then one a run.
    assert len(left.collections) == 4
    assert len(left.lines) == 2
    assert len(right.lines) == 11 + 1
    assert {line.get_color() for line in right.lines[:-1]} == {"tab:blue", "tab:orange"}
    plt.close(namespace["figure"])


@pytest.mark.usefixtures("folder")
def test_the_commands_run() -> None:
    assert (
        attnsearch("compare", "attention", "mlp_mixer", "--runs", "results/", "--format", "csv").status == 0
    )
    assert attnsearch("results", "results/", "--by", "run", "-o", "runs.csv").status == 0
