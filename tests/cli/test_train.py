"""A suite that chooses learning rates: what is run, what is shown, and that nothing scored is chosen by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attnsearch.cli import main as cli
from attnsearch.runs.store import Store

pytestmark = pytest.mark.usefixtures("one_backend")

SUITE = """
name = "tiny"
title = "Two learning rates, of which one is far too small"
source = "made for this test"
seeds = 2
selection_seeds = 1

[[tasks]]
task = "linear_map"
state_size = 4
support_size = 1

[[mixers]]
mixer = "mlp_mixer"

[training]
steps = 150
tokens_per_step = 128
width = 32
mlp_width = 64
warmup_steps = 10
learning_rate = [1e-5, 1e-2]
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.toml"
    path.write_text(SUITE)
    return path


def output(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert not ended.value.code
    return capsys.readouterr().out


def trained(folder: str) -> set[tuple[int, float]]:
    return {
        (run.spec.seed, run.spec.cell.optimizer.learning_rate)
        for run in Store(Path(folder)).runs(pytest.fail)
    }


def test_each_mixer_is_run_at_the_rate_chosen_on_other_seeds(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = output("sweep", str(suite), "--no-plots", "--quiet", "--json", capsys=capsys)
    document = json.loads(text)
    assert trained("results") == {(2, 1e-5), (2, 1e-2), (0, 1e-2), (1, 1e-2)}
    # What is shown is what is scored, and how the rate came about.
    assert sorted(run["spec"]["seed"] for run in document["runs"]) == [0, 1]
    (chosen,) = document["selection"]
    assert (chosen["name"], chosen["learning_rate"]) == ("mlp_mixer", 1e-2)
    assert [(one["learning_rate"], one["found"] > 0) for one in chosen["tried"]] == [
        (1e-5, False),
        (1e-2, True),
    ]
    # In words as well, from what is stored.
    table = output("sweep", str(suite), "--no-plots", "--quiet", capsys=capsys)
    assert "selection seeds" in table
    assert "1 seed" not in table
    forecast = output("plan", str(suite), "--no-measurement", "--json", capsys=capsys)
    assert sum(cohort["runs"] for cohort in json.loads(forecast)["cohorts"]) == 4


def test_one_rate_leaves_nothing_to_choose(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = output(
        *("sweep", str(suite), "--learning-rate", "1e-2", "--steps", "20"),
        *("--no-plots", "--quiet", "--json"),
        capsys=capsys,
    )
    assert "selection" not in json.loads(text)
    assert trained("results") == {(0, 1e-2), (1, 1e-2)}


def test_every_run_of_a_suite_keeps_its_network_where_that_is_asked(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = ("sweep", str(suite), "--steps", "20", "--no-plots", "--quiet", "--json")
    output(*short, "--save-params", capsys=capsys)
    store = Store(Path("results"))
    runs = list(store.runs(pytest.fail))
    # Those that a learning rate is chosen by are runs as well.
    assert len(runs) == 4
    assert all(store.holds(run.spec, parameters=True) for run in runs)
