"""The fixture as its users meet it: recorded, compared, slowed, misused, and side by side in processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from attnsearch.gate.baseline_file import read

pytest_plugins = ["pytester"]

MIXER = """\
import jax.numpy as jnp
from flax import nnx
from attnsearch.mixers import Mixer

class Mine(Mixer):
    GAIN = 1.0

    def __init__(self, width, context_length, *, rngs, scale: float = 0.1):
        self.mix = nnx.Param(rngs.params.normal((context_length, context_length)) * scale)

    def __call__(self, x):
        return self.GAIN * (jnp.tril(self.mix[...]) @ x)
"""

TESTS = """\
import pytest
from mine import Mine

TINY = dict(task="linear_map", state_size=4, sparsity=0.25, width=32, mlp_width=32, steps=100)
TINY |= dict(tokens_per_step=256, learning_rate=1e-2, seeds=2, recorded_seeds=6)

def test_by_class(plateau):
    plateau.check(Mine, baseline="baselines/class.json", **TINY)

def test_by_name(plateau, request):
    plateau.check("mine:Mine", baseline="baselines/name.json", **TINY)
    if request.config.getoption("--attnsearch-update"):
        with pytest.raises(pytest.fail.Exception, match="two checks record .*name.json"):
            plateau.check(Mine, baseline="baselines/name.json", **TINY)
"""

SLOW = """\
import pytest
from mine import Mine
from test_mine import TINY

@pytest.mark.parametrize("seeds", [2, 6])
def test_slow(plateau, monkeypatch, seeds):
    monkeypatch.setattr(Mine, "GAIN", 0.0)
    plateau.check(Mine, baseline="baselines/class.json", **TINY | {"seeds": seeds})
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a mixer of its own and a test of its plateau."""
    # Compilations are kept where those of this project's own tests are.
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", os.environ["JAX_COMPILATION_CACHE_DIR"])
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=os.pathsep)
    pytester.makepyfile(mine=MIXER)
    pytester.makepyfile(test_mine=TESTS)
    return pytester


def messages(result: pytest.RunResult) -> str:
    """What the plugin said of tests that failed."""
    return "\n".join(line for line in result.outlines if "attnsearch: " in line)


def test_recorded_and_compared_side_by_side(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("-n", "2", "--attnsearch-update")
    result.assert_outcomes(passed=2)
    folder = project.path / "baselines"
    result.stdout.fnmatch_lines_random(
        [f"attnsearch: recorded 6 runs in {folder / name}" for name in ("class.json", "name.json")]
    )
    assert sorted(path.name for path in folder.iterdir()) == ["class.json", "name.json"]
    (by_class,), (by_name,) = (read(path).cells for path in folder.iterdir())
    assert by_class.spec == by_name.spec
    assert by_class.spec.mixer.name == "mine:Mine"
    assert len(by_class.runs) == len(by_name.runs) == 6

    # A mixer that cannot mix any more, which two runs do not prove; but they do not pass either.
    project.makepyfile(test_slow=SLOW)
    result = project.runpytest_inprocess("-p", "no:xdist", "--junit-xml", "j.xml")
    result.assert_outcomes(passed=2, failed=2)
    report = (project.path / "j.xml").read_text()
    assert report.count('value="pass: the curves of all 2 runs equal the recorded ones bit for bit"') == 2
    assert "attnsearch: inconclusive: of 1 cells 1 inconclusive" in messages(result)
    assert "attnsearch: regression: of 1 cells 1 regression" in messages(result)
    result.stdout.fnmatch_lines(
        ["linear_map, state size 4, support size 1, mine:Mine: * is not excluded; ratio *"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


MISUSE = {
    "steps=50": r"baseline .*x\.json does not exist: record it with pytest --attnsearch-update",
    "spasity=0.5": r"no setting 'spasity' in linear_map, .*Did you mean sparsity",
    "sparsity=0.3": r"sparsity 0\.3 of state_size 8 is 2\.4 positions",
    "gain=3.0": r"no setting 'gain' in linear_map, mine:Mine",
    "steps=5": r"steps 5 must be at least 10",
}


def test_misuse_is_a_failure_in_one_line(project: pytest.Pytester) -> None:
    checks = (
        f"def test_{number}(plateau):\n    plateau.check(Mine, task='linear_map', baseline='x.json', {wrong})"
        for number, wrong in enumerate(MISUSE)
    )
    project.makepyfile(test_mine="\n".join(["from mine import Mine", *checks]))
    result = project.runpytest_inprocess()
    result.assert_outcomes(failed=len(MISUSE))
    for complaint in MISUSE.values():
        assert re.search(f"attnsearch: {complaint}", messages(result))
    result.stdout.no_fnmatch_line("*During handling of*")


def test_it_is_silent_until_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*attnsearch: *")
    result = pytester.runpytest_inprocess("--help")
    result.stdout.fnmatch_lines(["attnsearch, plateaus of sequence mixers:", "  --attnsearch-update *"])


def test_loading_it_loads_nothing_heavy() -> None:
    code = """
import sys, pytest
before = set(sys.modules)
import attnsearch.cli.pytest_plugin
heavy = {"jax", "numpy", "scipy", "flax", "rich", "click"} & (set(sys.modules) - before)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
