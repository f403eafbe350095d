"""Every fault planted in a mixer in PyTorch is caught by its check, and what is sound is not refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from helpers.with_torch import faulty_mixers
from helpers.with_torch.faulty_mixers import (
    FAULTS,
    SOUND,
    Attention,
    BatchNorm,
    Gate,
    Latch,
    Narrow,
    Recurrent,
)
from helpers.with_torch.hidden_leaks import LEAKS
from torch import nn

from attnsearch.backends import Backends
from attnsearch.cli.verify import verify as command
from attnsearch.probing import verify
from attnsearch.probing.checks import CHECKS
from attnsearch.probing.subject import Subject
from attnsearch.runs import verification
from attnsearch.runs.verification import Finding
from attnsearch.spec.run import MixerSpec, settings
from attnsearch.spec.task_file import find_task

WIDTH = 32


def findings(kind: type[nn.Module], names: Sequence[str]) -> dict[str, Finding]:
    """Those of the checks called `names`."""
    chosen = [check for check in CHECKS if check.name in names]
    assert len(chosen) == len(names)
    framework = verify.framework_of("torch:mine", Backends(torch_mixers={"torch:mine": kind}))
    subject = Subject(MixerSpec("torch:mine", ()), find_task("linear_map"), framework, WIDTH)
    return {finding.check: finding for finding in verify.examine(subject, chosen)}


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mixer that remembers forgets between tests."""
    monkeypatch.setattr(faulty_mixers.Counting, "calls", [])


@pytest.mark.parametrize(("kind", "names"), FAULTS, ids=[kind.__name__ for kind, _ in FAULTS])
def test_a_fault_is_caught_by_name(kind: type[nn.Module], names: Sequence[str]) -> None:
    for name, finding in findings(kind, names).items():
        assert finding.verdict == "failed", f"{name}: {finding.verdict}, {finding.evidence}"


@pytest.mark.parametrize(
    ("kind", "name", "words"), LEAKS, ids=[f"{kind.__name__}-{name}" for kind, name, _ in LEAKS]
)
def test_a_hidden_leak_is_caught_by_name(kind: type[nn.Module], name: str, words: str) -> None:
    (finding,) = findings(kind, [name]).values()
    assert finding.verdict == "failed", finding.evidence
    assert words in finding.evidence


def test_every_check_has_its_fault() -> None:
    assert {name for _, names in FAULTS for name in names} == {check.name for check in CHECKS}


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_mixer_passes(kind: type[nn.Module]) -> None:
    for name, finding in findings(kind, [check.name for check in CHECKS]).items():
        assert finding.verdict == "passed", f"{name}: {finding.verdict}, {finding.evidence}"


def test_what_hides_is_found_by_noise_or_by_training_alone() -> None:
    for kind in (Gate, Latch):
        (finding,) = findings(kind, ["causality at initialisation"]).values()
        assert finding.verdict == "passed"
    (finding,) = findings(Latch, ["causality when perturbed"]).values()
    assert finding.verdict == "passed"


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        (faulty_mixers.UnusedParameter, "gradients", "no gradient reaches parameter spare: "),
        (faulty_mixers.Frozen, "gradients", "no gradient reaches parameter mixing: "),
        (faulty_mixers.EndlessSlope, "gradients", "the gradient of parameter scale is not finite"),
        (faulty_mixers.Unseeded, "determinism", "parameter shift differs"),
        (faulty_mixers.Dicing, "determinism", "constant scale differs"),
        (faulty_mixers.ShiftedWeights, "queries", "weights(x, [15]) is"),
        (BatchNorm, "state between calls", "a call changes norm.running_mean"),
        (Narrow, "construction", "mixer Narrow returned float32[2, 16, 16] for f32[2, 16, 32]: expected"),
        (faulty_mixers.Pair, "construction", "mixer Pair returned a tuple for f32[2, 16, 32]"),
        (faulty_mixers.Chunked, "contexts", "mixer Chunked cannot be called on f32[2, 4, 32]: "),
        (Recurrent, "queries", "does not apply: "),
        (Recurrent, "attention weights", "it has none"),
        (Attention, "queries", "for 8 choices of positions, by weights(x, positions)"),
        (Attention, "attention weights", "rows of 4 heads sum to 1"),
    ],
)
def test_the_evidence_names_what_was_seen(kind: type[nn.Module], name: str, words: str) -> None:
    assert words in findings(kind, [name])[name].evidence


def test_a_mixer_that_ships_is_verified_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # All that is asked is asked of the same layer above: here what is quick to ask.
    quick = [check for check in CHECKS if check.name in ("construction", "causality when perturbed")]
    examine = verify.examine
    monkeypatch.setattr(verify, "examine", lambda subject: examine(subject, quick))
    monkeypatch.setattr("attnsearch.training.jax.devices.use_every_core", lambda: None)
    arguments = ["torch:gru", "--width", str(WIDTH), "--out", str(tmp_path)]
    assert command.main(arguments, standalone_mode=False) == 0
    assert "Yes: torch:gru passed all 2 checks" in capsys.readouterr().out
    (record,) = verification.records(tmp_path, "torch:gru")
    assert record.mixer == MixerSpec("torch:gru", settings({"num_layers": 1}))
    assert [module for module, _ in record.sources] == ["attnsearch.training.torch.adapters.gru"]


def test_one_s_own_is_made_of_its_class_and_not_of_torch() -> None:
    assert list(verify.sources_of(Recurrent)) == ["helpers.with_torch.faulty_mixers"]
    code = verify.sources_of(Backends().mixer("torch:mamba2"))
    assert list(code) == [
        "attnsearch.spec.heads",
        "attnsearch.training.torch.adapters.families",
        "attnsearch.training.torch.adapters.mamba2",
    ]


def test_questions_to_a_mixer_leave_the_random_numbers_of_others_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    findings(Recurrent, ["gradients", "causality when perturbed"])
    assert torch.equal(torch.rand(4), expected)
