"""`--map-bias` on the command line: what is stored of it, and what is refused."""

from pathlib import Path

import pytest
from helpers.terminal import attnsearch, complaint
from helpers.tiny import RUN

from attnsearch.runs.store import Store

pytestmark = pytest.mark.usefixtures("one_backend")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--map-bias-layers", "1"], "map_bias_layers 1 are not among the layers, 0 to 0"),
        (["--map-bias-layers", "first"], "'first' is not of the form all, 2, 0+2 or 1:3"),
        (["--map-bias-steps", "40:80"], "map_bias_steps 40:80 holds no step of a run's 40"),
        (["--map-bias-steps", "50"], "50 is not of the form all or first:last"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: list[str], said: str):
    assert said in complaint(*RUN, "--no-plots", "--out", str(tmp_path), "--map-bias", "4", *arguments)


def test_a_mixer_without_logits_is_refused(tmp_path: Path):
    words = ["run", "--task", "linear_map", "--mixer", "mlp_mixer", "--map-bias", "4", "--out", str(tmp_path)]
    assert "mlp_mixer has no attention logits" in complaint(*words)


def test_how_without_what_is_refused():
    said = "map_bias_placebo says how a map bias is given, and there is none"
    assert said in complaint(*RUN, "--map-bias-placebo")


def test_runs_with_a_bias_are_stored_as_their_own(tmp_path: Path):
    common = [*RUN, "--seeds", "1", "--no-plots", "--quiet", "--out", str(tmp_path)]
    for more in (["--map-bias", "0,8"], ["--map-bias", "8", "--map-bias-placebo"]):
        assert attnsearch(*common, *more).status == 0
    runs = {run.spec.cell.intervention: run for run in Store(tmp_path).runs(pytest.fail)}
    mass = {(given.map_bias, given.map_bias_placebo): run.heads.mass[0].mean() for given, run in runs.items()}
    assert mass.keys() == {(0.0, False), (8.0, False), (8.0, True)}
    assert mass[8.0, True] < 0.05 < mass[0.0, False] < 0.95 < mass[8.0, False]
