"""Commands, the gate and the fixture take mixers in PyTorch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.terminal import attnsearch
from helpers.tiny import RUN, SUITE

pytest_plugins = ["pytester"]

MINE = """\
import torch
from torch import nn

class Mine(nn.Module):
    GAIN = 1.0

    def __init__(self, width, context_length, scale: float = 0.1):
        super().__init__()
        self.mix = nn.Parameter(nn.init.normal_(torch.empty(context_length, context_length), std=scale))

    def forward(self, x):
        return self.GAIN * (self.mix.tril() @ x)
"""

TESTS = """\
import pytest
from mine import Mine

TINY = dict(task="linear_map", state_size=4, sparsity=0.25, width=32, mlp_width=32, steps=100)
TINY |= dict(tokens_per_step=256, learning_rate=1e-2, seeds=2, recorded_seeds=6)

def test_by_class(plateau):
    plateau.check(Mine, baseline="class.json", **TINY)

def test_slow(plateau, monkeypatch, request):
    if not request.config.getoption("--attnsearch-update"):
        monkeypatch.setattr(Mine, "GAIN", 0.0)
        plateau.check(Mine, baseline="class.json", **TINY | {"seeds": 6})
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine_in_torch.py").write_text(MINE)
    return tmp_path


def test_both_frameworks_in_one_run(here: Path) -> None:
    mixers = ["--mixer", "attention,torch:attention,torch:mine_in_torch:Mine", "--mixer-set", "scale=0.2"]
    done = attnsearch(*RUN, *mixers, "--json", "--no-plots")
    assert done.status == 0, done.err
    cells = json.loads(done.out)["cells"]
    assert len(cells) == 3
    found = attnsearch("results", "results", "--by", "run", "--format", "csv")
    assert found.out.count("torch:mine_in_torch:Mine") == 2
    assert attnsearch("compare", "attention", "torch:attention", "--json").status == 0


def test_a_baseline_is_recorded_and_met_bit_for_bit(here: Path) -> None:
    Path("suite.toml").write_text(SUITE.replace('"attention"', '"torch:attention"'))
    done = attnsearch("plan", "suite.toml", "--no-measurement", "--json")
    assert json.loads(done.out)["total"]["runs"] == 4, done.err
    assert attnsearch("baseline", "suite.toml", "-o", "b.json", "--out", "base", "--seeds", "4").status == 0
    done = attnsearch("check", "suite.toml", "--baseline", "b.json", "--seeds", "4", "--json")
    assert done.status == 0, done.out + done.err
    assert "bit for bit" in json.dumps(json.loads(done.out))


def test_the_fixture_takes_a_class_and_what_is_changed_in_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=":")
    pytester.makepyfile(mine=MINE, test_mine=TESTS)
    pytester.runpytest_subprocess("--attnsearch-update").assert_outcomes(passed=2)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*attnsearch: *regression*"])
