"""docs/torch.md does what it says: its classes, its commands, its table of mixers, and their sizes."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.pages import Page, status_of
from helpers.with_torch.mixers import class_of

from attnsearch.backends import Backends
from attnsearch.probing import verify
from attnsearch.probing.checks import CHECKS
from attnsearch.probing.subject import Subject
from attnsearch.spec.run import MixerSpec, RunSpec, settings
from attnsearch.spec.task_file import find_task
from attnsearch.training.torch.mixer import default_settings, find
from attnsearch.training.torch.names import TORCH_MIXERS

PAGE = Page("torch.md")
(EXAMPLE,) = PAGE.code("python")
WIDTH = 32

TRAINING = ("causality after training", "unpredictable targets", "learning")
QUICK = [check for check in CHECKS if check.name not in TRAINING]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of whoever follows the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("attnsearch.training.jax.devices.use_every_core", lambda: None)
    (tmp_path / "my_layers.py").write_text(EXAMPLE)
    yield tmp_path
    sys.modules.pop("my_layers", None)


def test_the_example_has_ten_lines() -> None:
    first = EXAMPLE[: EXAMPLE.index("class Recurrent")]
    lines = [line for line in first.splitlines() if line and not line.startswith(("import", "from"))]
    assert len(lines) <= 10


def test_the_command_makes_the_grid_that_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RunSpec] = []
    monkeypatch.setattr("attnsearch.cli.train.sweep", lambda specs, *rest: asked.extend(specs) or True)
    _, command, _ = PAGE.commands
    assert status_of(command) == 0
    mixers = {(run.cell.mixer.name, *run.cell.mixer.settings) for run in asked}
    assert mixers == {
        ("torch:my_layers:CausalAttention", ("heads", 2)),
        ("torch:my_layers:CausalAttention", ("heads", 4)),
        ("torch:my_layers:Recurrent", ("num_layers", 1)),
    }
    assert len(asked) == 3 * 2


def verdicts(name: str) -> dict[str, str]:
    """What `verify` says, of a mixer at a small width, for the checks that train nothing."""
    mixer, backends = f"torch:my_layers:{name}", Backends()
    spec = MixerSpec(mixer, settings(default_settings(find(mixer))))
    subject = Subject(spec, find_task("linear_map"), verify.framework_of(mixer, backends), WIDTH)
    return {finding.check: finding.verdict for finding in verify.examine(subject, QUICK)}


@pytest.mark.parametrize("name", ["CausalAttention", "Recurrent"])
def test_the_examples_may_count(name: str) -> None:
    assert set(verdicts(name).values()) == {"passed"}


def test_attention_that_is_not_told_to_be_causal_is_refused(here: Path) -> None:
    careless = EXAMPLE.replace("attn_mask=self.later, is_causal=True, ", "")
    assert careless != EXAMPLE
    (here / "my_layers.py").write_text(careless)
    refused = {check for check, verdict in verdicts("CausalAttention").items() if verdict == "failed"}
    assert refused == {"causality at initialisation", "causality when perturbed"}


def test_the_table_has_every_mixer_and_setting() -> None:
    rows = dict(re.findall(r"^\| `torch:(\w+)` \| .* \| (.*)\|$", PAGE.text, re.MULTILINE))
    assert rows.keys() == TORCH_MIXERS.keys()
    for name, listed in rows.items():
        settings = list(inspect.signature(class_of(name)).parameters.values())[2:]
        assert listed.strip() == ", ".join(f"{one.name}={as_typed(one.default)}" for one in settings)


def as_typed(default: object) -> str:
    """A default as `--mixer-set` takes it."""
    match default:
        case None:
            return "D/num_heads"
        case bool():
            return str(default).lower()
        case _:
            return str(default)


@pytest.mark.parametrize("name", TORCH_MIXERS)
def test_sizes_are_as_said(name: str) -> None:
    width = 128
    size = sum(parameter.numel() for parameter in class_of(name)(width, 16).parameters()) / width**2
    due = {"gru": 6.0, "mlp_mixer": 0.0}.get(name, 4.0)
    assert size == pytest.approx(due, rel=0.15, abs=0.2)


def test_every_wrapper_has_under_thirty_lines() -> None:
    for name, where in TORCH_MIXERS.items():
        if ".adapters." in where:
            assert len(inspect.getsourcelines(class_of(name))[0]) < 30, name
